"""Passages with sentences about them, each labelled by whether the passage bears all of it out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from askdmt.errors import GuardrailError
from askdmt.guardrails.records import load_records
from askdmt.resources import GUARDRAIL_DATA

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
    pairs = load_records(folder, _pair)
    if not pairs:
        raise GuardrailError(f"There are no pairs in {folder}.", "Take them from the project's repository.")
    return pairs


def _pair(raw: Any) -> Pair:
    if not isinstance(raw["supported"], bool):
        raise TypeError("'supported' is neither true nor false")
    tags = tuple(raw.get("tags", ()))
    return Pair(raw["id"], raw["passage"], raw["sentence"], raw["supported"], tags, raw.get("family", ""))
