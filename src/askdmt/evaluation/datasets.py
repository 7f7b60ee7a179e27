"""Labelled messages and conversations, read and checked line by line; suites name the files that belong together."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from askdmt.decisions import Decision, most_pressing
from askdmt.errors import ContentError, InputError
from askdmt.resources import content_folder, first_problem, read_yaml

SUITES_FILE = "suites.yaml"
_ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled message or conversation."""

    id: str
    turns: tuple[str, ...]
    label: Decision
    accept: frozenset[Decision]
    facts: tuple[tuple[str, ...], ...] = ()  # every group must be met; one of its patterns is enough
    family: str = ""
    tags: tuple[str, ...] = ()
    lang: str = _ENGLISH
    danger_only: bool = False  # only whether danger was met counts

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation as the assistant takes it."""
        return [{"role": "user", "content": turn} for turn in self.turns]

    @property
    def foreign(self) -> bool:
        """Whether it is in another language than English."""
        return self.lang != _ENGLISH


@dataclass(frozen=True, slots=True)
class Dataset:
    """A file of items under the name that figures are reported by."""

    name: str
    items: tuple[Item, ...]
    sha256: str

    def first(self, limit: int | None) -> Dataset:
        """Return the same with only its first items; None means all."""
        return Dataset(self.name, self.items[:limit], self.sha256)


class _Suites(BaseModel):
    model_config = ConfigDict(extra="forbid")

    suites: dict[str, list[str]]


def evaluation_folder() -> Path:
    """Return the folder of suites, floors and judging rules.

    Raises:
        ContentError: this is an installed package without it.
    """
    try:
        return content_folder("evals")
    except ContentError:
        raise ContentError(
            "The folder 'evals' is missing.", "Run from a whole checkout, or name your own files."
        ) from None


def load_suites(names: Sequence[str], folder: Path) -> list[Dataset]:
    """Read the files of some suites of a folder.

    Raises:
        InputError: a suite is unknown, or one of its files cannot be read.
    """
    try:
        suites = _Suites.model_validate(read_yaml(folder / SUITES_FILE)).suites
    except ValidationError as error:
        raise ContentError(f"{folder / SUITES_FILE} does not fit: {first_problem(error)}.", "Correct it.") from None
    if unknown := [name for name in names if name not in suites]:
        raise InputError(f"There is no suite '{unknown[0]}'.", f"Suites: {', '.join(suites)}.")
    return [
        load_dataset(folder / file, name if len(suites[name]) == 1 else f"{name}/{Path(file).stem}")
        for name in dict.fromkeys(names)
        for file in suites[name]
    ]


def load_dataset(file: Path, name: str | None = None) -> Dataset:
    """Read a labelled JSONL file.

    Raises:
        InputError: the file cannot be read or a line does not fit; names the line.
    """
    try:
        content = file.read_bytes()
        lines = content.decode("utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {file}.", "Give a JSONL file.") from error
    items: dict[str, Item] = {}
    for number, line in enumerate(lines, start=1):
        try:
            item = _item(json.loads(line), number)
            if item.id in items:
                raise ValueError("its id stands on an earlier line too")
        except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
            raise InputError(f"{file}, line {number}: {_reason(error)}.", "Correct the line.") from None
        items[item.id] = item
    return Dataset(name or file.name, tuple(items.values()), hashlib.sha256(content).hexdigest())


def _item(raw: dict[str, Any], number: int) -> Item:
    turns = tuple(raw["turns"]) if "turns" in raw else (raw["text"],)
    if not turns or not all(isinstance(turn, str) for turn in turns):
        raise TypeError("'turns' must be a list of texts, and 'text' a text")
    accept = frozenset(map(Decision, raw["accept"] if "accept" in raw else [raw["label"]]))
    return Item(
        id=str(raw.get("id", number)),
        turns=turns,
        label=Decision(raw["label"]) if "label" in raw else most_pressing(accept),
        accept=accept,
        facts=_facts(raw.get("facts", [])),
        family=str(raw.get("family", "")),
        tags=tuple(map(str, raw.get("tags", []))),
        lang=str(raw.get("lang") or _ENGLISH),
        danger_only=bool(raw.get("danger_only", False)),
    )


def _facts(raw: Sequence[str | Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    groups = tuple((group,) if isinstance(group, str) else tuple(group) for group in raw)
    for pattern in (pattern for group in groups for pattern in group):
        re.compile(pattern)
    return groups


def _reason(error: Exception) -> str:
    return f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
