"""Trains the check of grounding from its pairs: `make grounding`, or `python -m askdmt.guardrails.grounding_training`.

A low-rank adapter of the base model and a head, on two losses: whether a sentence is borne out, and that the borne-out
sentences of a passage score above its others. Needs the extra `train`. On two idle cores it takes a quarter of an hour.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
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
from askdmt.resources import GUARDRAIL_DATA, read_yaml

SEED = 7
LAYERS = 8  # of the base model's twelve
EPOCHS = 6
BATCH = 24
ADAPTER_RATE, HEAD_RATE = 6e-4, 2e-3  # learning rates
LABEL_SMOOTHING = 0.05
RANKING_WEIGHT = 0.5
_WARM_UP = 0.06  # share of the steps
_EXCHANGED = 0.4  # share of the pairs of an epoch in which like things are exchanged
_REPORT_EVERY = 25  # steps
EXCHANGES_FILE = GUARDRAIL_DATA / "exchanges.yaml"


def main() -> None:
    """Train on all pairs and write the check's weights."""
    console = Console()
    pairs = load_pairs()
    console.print(f"{len(pairs)} pairs")
    train(pairs, FILE)
    console.print(f"Wrote {FILE.name}, {FILE.stat().st_size / 1e6:.2f} MB")


def train(pairs: Sequence[Pair], target: Path, base: Any = None, layers: int = LAYERS, epochs: int = EPOCHS) -> None:
    """Train an adapter and a head for a base model, by default the packaged one, and write them to `target`."""
    torch.manual_seed(SEED)
    chance = random.Random(SEED)  # noqa: S311
    base = base or Encoder(adapter=None).model
    model = with_adapter(shortened(base[0].model, layers))
    head = torch.nn.Linear(3 * model.config.hidden_size, 1)
    torch.nn.init.zeros_(head.weight)
    judge = CrossEncoder(model, base.tokenizer, head.weight, head.bias)
    batches = [batch for _ in range(epochs) for batch in _batches(pairs, chance)]
    learnt = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": learnt, "lr": ADAPTER_RATE}, {"params": list(head.parameters()), "lr": HEAD_RATE}],
        weight_decay=0.01,
    )
    warm_up = max(1, int(_WARM_UP * len(batches)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm_up, max(0.02, 1 - step / len(batches)))
    )
    losses: list[float] = []
    for step, batch in enumerate(track(batches, description="Training")):
        optimiser.zero_grad()
        loss = _loss(judge, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*learnt, *head.parameters()], 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if len(losses) == _REPORT_EVERY or step == len(batches) - 1:
            print(f"step {step + 1} of {len(batches)}: mean loss {sum(losses) / len(losses):.3f}", flush=True)  # noqa: T201
            losses.clear()
    write_adapter(model, target, {"head.weight": head.weight, "head.bias": head.bias}, {"layers": str(layers)})


def _batches(pairs: Sequence[Pair], chance: random.Random) -> list[list[Pair]]:
    """Return an epoch's batches: those of one passage stand together, and passages of about one length."""
    families: dict[str, list[Pair]] = {}
    for pair in pairs:
        families.setdefault(pair.passage, []).append(exchanged(pair, chance) if chance.random() < _EXCHANGED else pair)
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
    new = chance.choice([word for word in kind if word != old])
    sentence = _exchange(pair.sentence, old, new)
    is_alone = _has(pair.passage, old) and not _has(pair.passage, new) and not _has(pair.sentence, new)
    if is_alone and pair.supported and chance.random() < 0.5:
        return Pair(f"{pair.id}:only", pair.passage, sentence, False, pair.tags, pair.family)
    return Pair(f"{pair.id}:both", _exchange(pair.passage, old, new), sentence, pair.supported, pair.tags, pair.family)


def _exchange(text: str, old: str, new: str) -> str:
    """Put each of two words where the other stood."""
    other = {old: new, new: old}
    return re.sub(rf"(?<![\w-])(?:{re.escape(old)}|{re.escape(new)})(?![\w-])", lambda found: other[found[0]], text)


def _has(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text))


@cache
def _exchanges() -> list[list[str]]:
    return [list(map(str, kind)) for kind in read_yaml(EXCHANGES_FILE)]


def _families(pairs: Sequence[Pair]) -> Iterator[str]:
    yield from dict.fromkeys(pair.family for pair in pairs)


if __name__ == "__main__":
    main()
