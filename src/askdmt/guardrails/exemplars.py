"""Reads labelled messages: one JSON object a line with `id, label, family, note` and `text`.

A conversation has `turns`, one visitor's messages, instead of `text`; its last message is what the label is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from askdmt.decisions import Decision
from askdmt.errors import GuardrailError
from askdmt.guardrails.records import load_records
from askdmt.resources import GUARDRAIL_DATA

FOLDER = GUARDRAIL_DATA / "exemplars"
SEPARATOR = " [SEP] "  # stands between a visitor's messages; the encoder knows it as the end of a piece of text
REMEMBERED = 3  # messages of a conversation that are read together, the last one among them


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A labelled message. `family` is 'file:variant.topic'; messages that say about the same thing share it."""

    id: str
    text: str
    label: Decision
    family: str
    note: str = ""
    passages: tuple[str, ...] = ()  # ids of the passages that answer it, the best first, where they are known

    @property
    def is_english(self) -> bool:
        """Whether it is in English; messages in other languages stand in a file of their own."""
        return not self.family.startswith("languages:")

    @property
    def variant(self) -> str:
        """The kind of message within its decision, which picks the reply's wording."""
        return self.family.partition(":")[2].partition(".")[0]


def joined(messages: Sequence[str]) -> str:
    """Return a visitor's last messages as one text, as the judge reads a conversation."""
    return SEPARATOR.join(messages[-REMEMBERED:])


def load_exemplars(folder: Path = FOLDER) -> list[Exemplar]:
    """Read every exemplar of a folder (or of one file), in a fixed order.

    Raises:
        GuardrailError: there are none, or a line does not fit; names file and line.
    """
    exemplars = load_records(folder, _exemplar)
    if not exemplars:
        raise GuardrailError(f"There are no exemplars in {folder}.", "Reinstall askdmt.")
    return exemplars


def _exemplar(raw: Any) -> Exemplar:
    return Exemplar(
        raw["id"],
        joined(raw["turns"]) if "turns" in raw else raw["text"],
        Decision(raw["label"]),
        raw["family"],
        raw.get("note", ""),
        tuple(raw.get("passages", ())),
    )
