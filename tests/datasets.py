"""The labelled messages of the guard's exemplars and of the evaluations, as they stand in their files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXEMPLARS = sorted((ROOT / "src" / "askdmt" / "guardrails" / "data" / "exemplars").glob("*.jsonl"))
OUTPUT_GUARD = ROOT / "evals" / "datasets" / "output_guard"  # pairs and drafts instead of messages
EVALS = sorted(file for file in (ROOT / "evals" / "datasets").rglob("*.jsonl") if OUTPUT_GUARD not in file.parents)


DRUG_UNIT = re.compile(
    r"\d[\d.,]*[\s-]*(?:mgs?|mcgs?|[uμµ]gs?|g|grams?|mls?|milligrams?|micrograms?|millilit(?:er|re)s?|cc|iu|tablets?|pills?"
    r"|capsules?|drops?|puffs?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One line of a file."""

    file: Path
    number: int
    id: str
    turns: tuple[str, ...]

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": turn} for turn in self.turns]

    @property
    def plain(self) -> str:
        """Letters and digits only, so that spelling does not tell two apart."""
        return re.sub(r"[\W_]+", "", "".join(self.turns).casefold())


def lines(file: Path) -> Iterator[Labelled]:
    for number, line in enumerate(file.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        raw = json.loads(line)
        turns = tuple(raw["turns"]) if "turns" in raw else (raw["text"],)
        yield Labelled(file, number, raw["id"], turns)
