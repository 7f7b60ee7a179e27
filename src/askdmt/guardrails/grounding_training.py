"""Trains the check of grounding from its pairs: `make grounding`, or `python -m askdmt.guardrails.grounding_training`.

A low-rank adapter of the base model and a head, on two losses: whether a sentence is borne out, and that the borne-out
sentences of a passage score above its others. Needs the extra `train`. On two idle cores it takes a quarter of an hour.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from torch.nn import functional

from askdmt.encoder import Encoder
from askdmt.guardrails.cross_encoder import FILE, CrossEncoder, shortened
from askdmt.guardrails.finetuning import with_adapter, write_adapter
from askdmt.guardrails.pairs import Pair, load_pairs
from askdmt.knowledge.lexical import stems
from askdmt.resources import GUARDRAIL_DATA, read_yaml
from askdmt.sentences import split_sentences

SEED = 7
LAYERS = 8  # of the base model's twelve
PHASES = ((5, 1.0, False), (2, 0.5, True))  # epochs, share of the learning rates, whether pairs are changed
BATCH = 24
ADAPTER_RATE, HEAD_RATE = 6e-4, 2e-3  # learning rates
LABEL_SMOOTHING = 0.05
RANKING_WEIGHT = 0.5
_WARM_UP = 0.06  # share of the steps
_EXCHANGED = 0.08  # share of the changed epochs' pairs in which like things are exchanged
_WIDENED = 0.1  # share of them whose passage gets a sentence of another one
_BEREFT = 0.1  # share of the supported ones whose passage loses the sentence that bears them out
_COPIED = 0.06  # share of the pairs whose sentence is one of the passage's own
_PLAINLY_THERE = 0.5  # share of a sentence's words that the lost one must have, and twice what any other has
_REPORT_EVERY = 25  # steps
EXCHANGES_FILE = GUARDRAIL_DATA / "exchanges.yaml"


def main() -> None:
    """Train on all pairs and write the check's weights."""
    console = Console()
    pairs = load_pairs()
    console.print(f"{len(pairs)} pairs")
    train(pairs, FILE)
    console.print(f"Wrote {FILE.name}, {FILE.stat().st_size / 1e6:.2f} MB")


def train(pairs: Sequence[Pair], target: Path, base: Any = None, layers: int = LAYERS) -> None:
    """Train an adapter and a head for a base model, by default the packaged one, and write them to `target`."""
    torch.manual_seed(SEED)
    chance = random.Random(SEED)  # noqa: S311
    base = base or Encoder(adapter=None).model
    model = with_adapter(shortened(base[0].model, layers))
    head = torch.nn.Linear(3 * model.config.hidden_size, 1)
    torch.nn.init.zeros_(head.weight)
    judge = CrossEncoder(model, base.tokenizer, head.weight, head.bias)
    for epochs, rate, changed in PHASES:
        batches = [batch for _ in range(epochs) for batch in _batches(pairs, chance, changed=changed)]
        _learn(judge, head, batches, rate)
    write_adapter(model, target, {"head.weight": head.weight, "head.bias": head.bias}, {"layers": str(layers)})


def _learn(judge: CrossEncoder, head: Any, batches: Sequence[Sequence[Pair]], rate: float) -> None:
    """Take a step for each batch; the learning rates rise for a few steps and then fall to nothing."""
    adapter = [weight for weight in judge.model.parameters() if weight.requires_grad]
    groups = [(adapter, ADAPTER_RATE), (list(head.parameters()), HEAD_RATE)]
    optimiser = torch.optim.AdamW(
        [{"params": weights, "lr": rate * full} for weights, full in groups], weight_decay=0.01
    )
    warm_up = max(1, int(_WARM_UP * len(batches)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm_up, max(0.02, 1 - step / len(batches)))
    )
    console = Console()
    losses: list[float] = []
    for step, batch in enumerate(track(batches, description="Training")):
        optimiser.zero_grad()
        loss = _loss(judge, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*adapter, *head.parameters()], 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) == _REPORT_EVERY or step == len(batches) - 1:
            console.print(f"step {step + 1} of {len(batches)}: mean loss {sum(losses) / len(losses):.3f}")
            console.file.flush()
            losses.clear()


def _batches(pairs: Sequence[Pair], chance: random.Random, *, changed: bool) -> list[list[Pair]]:
    """Return an epoch's batches: those of one passage stand together, and passages of about one length."""
    families: dict[str, list[Pair]] = {}
    lines = [line for pair in pairs[:: len(pairs) // 500 + 1] for line in split_sentences(pair.passage)]
    for pair in pairs:
        families.setdefault(pair.passage, []).append(augmented(pair, lines, chance) if changed else pair)
    order = list(families.values())
    chance.shuffle(order)
    chunk = 64
    batches = []
    for start in range(0, len(order), chunk):
        together = sorted(order[start : start + chunk], key=lambda family: len(family[0].passage))
        flat = [pair for family in together for pair in family]
        batches += [flat[begin : begin + BATCH] for begin in range(0, len(flat), BATCH)]
    chance.shuffle(batches)
    return batches


def augmented(pair: Pair, lines: Sequence[str], chance: random.Random) -> Pair:
    """Return a pair as it is, or in a form whose label is known; `lines` are sentences of other passages."""
    kind = chance.random()
    if kind < _EXCHANGED:
        return exchanged(pair, chance)
    if kind < _EXCHANGED + _WIDENED:
        own = split_sentences(pair.passage)
        own.insert(chance.randint(0, len(own)), chance.choice(lines))
        return replace(pair, id=f"{pair.id}:widened", passage=" ".join(own)) if pair.supported else pair
    if kind > 1 - _COPIED:
        own = chance.choice(split_sentences(pair.passage))
        return replace(pair, id=f"{pair.id}:copied", sentence=own, supported=True)
    return bereft(pair) if kind > 1 - _COPIED - _BEREFT else pair


def bereft(pair: Pair) -> Pair:
    """Return a supported pair without the passage's sentence that alone plainly bears it out, and so unsupported."""
    own = split_sentences(pair.passage)
    wanted = set(stems(pair.sentence))
    shares = [len(wanted & set(stems(line))) / max(len(wanted), 1) for line in own]
    best = max(shares)
    rest = [line for line, share in zip(own, shares, strict=True) if share < best]
    is_plain = best >= _PLAINLY_THERE and all(2 * share <= best for share in shares if share < best)
    if not pair.supported or not is_plain or len(rest) != len(own) - 1 or not rest:
        return pair
    return replace(pair, id=f"{pair.id}:bereft", passage=" ".join(rest), supported=False)


def _loss(judge: CrossEncoder, batch: Sequence[Pair]) -> Any:
    logits = judge.logits([(pair.passage, pair.sentence) for pair in batch])
    labels = torch.tensor([float(pair.supported) for pair in batch])
    soft = labels * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
    loss = functional.binary_cross_entropy_with_logits(logits, soft)
    twins = [
        (high, low)
        for high, better in enumerate(batch)
        for low, worse in enumerate(batch)
        if better.supported and not worse.supported and better.passage == worse.passage
    ]
    if not twins:
        return loss
    high, low = zip(*twins, strict=True)
    return loss + RANKING_WEIGHT * functional.softplus(logits[list(low)] - logits[list(high)]).mean()


def exchanged(pair: Pair, chance: random.Random) -> Pair:
    """Return a pair in which a thing is another of its kind in passage and sentence alike, or in the sentence only.

    In both, the label stays, so that the check learns to compare instead of knowing what is true of the trial. In the
    sentence only, what was borne out no longer is.
    """
    kinds = [kind for kind in _exchanges() if any(_has(pair.sentence, word) for word in kind)]
    if not kinds:
        return pair
    kind = chance.choice(kinds)
    old = next(word for word in kind if _has(pair.sentence, word))
    others = [word for word in kind if word != old]
    new = chance.choice([word for word in others if _has(pair.passage, word)] or others)
    sentence = _exchange(pair.sentence, old, new)
    is_alone = _has(pair.passage, old) and not _has(pair.sentence, new) and not _are_together(pair.passage, old, new)
    if is_alone and pair.supported and chance.random() < 0.5:
        return replace(pair, id=f"{pair.id}:only", sentence=sentence, supported=False)
    return replace(pair, id=f"{pair.id}:both", passage=_exchange(pair.passage, old, new), sentence=sentence)


def _exchange(text: str, old: str, new: str) -> str:
    """Put each of two words where the other stood."""
    other = {old: new, new: old}
    return re.sub(rf"(?<![\w-])(?:{re.escape(old)}|{re.escape(new)})(?![\w-])", lambda found: other[found[0]], text)


def _are_together(passage: str, first: str, second: str) -> bool:
    """Whether a sentence of a passage has both words, so that what is said of one may hold of the other."""
    return any(_has(line, first) and _has(line, second) for line in split_sentences(passage))


def _has(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text))


@cache
def _exchanges() -> list[list[str]]:
    return [list(map(str, kind)) for kind in read_yaml(EXCHANGES_FILE)]


if __name__ == "__main__":
    main()
