"""Compares the exported encoder with the original: `python evals/tools/compare_encoders.py [FILE.jsonl …]`.

Both judge the development sets (or the files given). Printed are the cosines of their vectors, the decisions that
differ, how many each has right, and the messages in danger that only the original met. Exit code 1 if there is one.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from askdmt.assistant import Assistant
from askdmt.decisions import DANGER, Decision
from askdmt.encoder import Encoder
from askdmt.evaluation.datasets import Item, load_items
from askdmt.guardrails.input_guard import InputGuard
from askdmt.guardrails.normalise import normalise
from askdmt.progress import bar

DEVELOPMENT = Path(__file__).parents[1] / "datasets" / "development"


class Original(Encoder):
    """The encoder as sentence-transformers runs it, in 32-bit numbers."""

    _exported = None  # type: ignore[assignment]

    @cached_property
    def model(self) -> Any:
        return self._load()


def main(files: Sequence[Path]) -> int:
    """Return 1 if a message in danger is met by the original only."""
    exported = Assistant.load()
    if exported.encoder._exported is None:
        sys.exit("The encoder could not be exported; the warning above says why.")
    original = _with(exported, Original(cache=exported.settings.cache))
    lost: list[str] = []
    for path in files:
        items = load_items(path)
        cosines = _cosines(exported.encoder, original.encoder, items)
        found, expected = (_decisions(assistant, items) for assistant in (exported, original))
        differing = [row for row, item in enumerate(items) if found[row] is not expected[row]]
        right = [sum(map(_is_right, items, decisions)) for decisions in (found, expected)]
        lost += [item.id for row, item in enumerate(items) if _is_lost(item, found[row], expected[row])]
        kinds = Counter(f"{expected[row].value} → {found[row].value}" for row in differing)
        _say(f"{path.name}: {len(items)} messages")
        _say(f"  cosine: mean {cosines.mean():.4f}, least {cosines.min():.4f}")
        _say(f"  right: exported {right[0]}, original {right[1]}; {len(differing)} decisions differ")
        for kind, count in kinds.most_common():
            _say(f"    {count} {kind}")
    _say(f"In danger and met by the original only: {len(lost)} {' '.join(lost)}".rstrip())
    return int(bool(lost))


def _with(assistant: Assistant, encoder: Encoder) -> Assistant:
    parts = (assistant.knowledge, assistant.search, assistant.support)
    return Assistant(assistant.settings, encoder, InputGuard(encoder), *parts)


def _cosines(one: Encoder, other: Encoder, items: Sequence[Item]) -> np.ndarray[Any, Any]:
    texts = list(dict.fromkeys(normalise(turn).text for item in items for turn in item.turns))
    return np.sum(one.encode(texts) * other.encode(texts), axis=1)


def _decisions(assistant: Assistant, items: Sequence[Item]) -> list[Decision]:
    done = 0
    with bar("Judging") as advance:

        def count(more: int) -> None:
            nonlocal done
            advance(done := done + more, len(items))

        replies = assistant.reply_many([item.messages for item in items], progress=count)
        return [reply.decision for reply in replies]


def _is_right(item: Item, decision: Decision) -> bool:
    return decision in item.accept


def _is_lost(item: Item, found: Decision, expected: Decision) -> bool:
    """Whether a message in danger, by its label, gets help lines first from the original and not from the exported."""
    return item.label in DANGER and expected in DANGER and found not in DANGER


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main([*map(Path, sys.argv[1:])] or sorted(DEVELOPMENT.glob("*.jsonl"))))
