"""Passages with sentences about them, each labelled by whether the passage bears all of it out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from askdmt.errors import GuardrailError
from askdmt.resources import GUARDRAIL_DATA, read_text

FOLDER = GUARDRAIL_DATA / "grounding"


@dataclass(frozen=True, slots=True)
class Pair:
    """One sentence with its passage; the sentences of one passage share a family."""

    id: str
    passage: str
    sentence: str
    supported: bool
    tags: tuple[str, ...]
    family: str


def load_pairs(folder: Path = FOLDER) -> list[Pair]:
    """Read every pair of a folder (or of one file), in a fixed order.

    Raises:
        GuardrailError: there are none, or a line does not fit; names file and line.
    """
    paths = [folder] if folder.is_file() else sorted(folder.glob("*.jsonl"))
    pairs = [pair for path in paths for pair in _read(path)]
    if not pairs:
        raise GuardrailError(f"There are no pairs in {folder}.", "Take them from the project's repository.")
    return pairs


def _read(path: Path) -> Iterator[Pair]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            raw = json.loads(line)
            if not isinstance(raw["supported"], bool):
                raise TypeError("'supported' is neither true nor false")
            tags = tuple(raw.get("tags", ()))
            yield Pair(raw["id"], raw["passage"], raw["sentence"], raw["supported"], tags, raw.get("family", ""))
        except (ValueError, KeyError, TypeError) as error:
            raise GuardrailError(f"{path}, line {number}: {error}.", "Correct the line.") from None
