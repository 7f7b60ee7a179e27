"""Reads labelled messages for evaluation, and the suites that group their files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from askdmt.decisions import Decision
from askdmt.errors import InputError

T = TypeVar("T")

SUITES = Path("evals") / "suites.yaml"
FILLED_IN = "30"  # stands in for {n}, which the files have where a person would write a number


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled message or conversation."""

    id: str
    turns: tuple[str, ...]
    accept: frozenset[Decision]
    facts: tuple[tuple[str, ...], ...] = ()  # every group must be met; one of its patterns is enough
    label: Decision = Decision.ANSWER
    tags: tuple[str, ...] = ()
    language: str = "en"

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation as the assistant takes it."""
        return [{"role": "user", "content": turn} for turn in self.turns]

    @property
    def is_look_alike(self) -> bool:
        """Whether it is harmless but made to look like something that is refused."""
        return any(tag.startswith("lookalike") for tag in self.tags)


def load_items(dataset: Path) -> list[Item]:
    """Read a labelled file.

    Raises:
        InputError: it cannot be read, or a line does not fit; names the line.
    """
    return load_lines(dataset, _item)


def load_lines(dataset: Path, build: Callable[[Any, int], T]) -> list[T]:
    """Build something of every line of a JSONL file, given the line's object and number.

    Raises:
        InputError: it cannot be read, or a line does not fit; names the line.
    """
    try:
        lines = dataset.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {dataset}.", "Give a JSONL file.") from error
    built = []
    for number, line in enumerate(lines, start=1):
        try:
            built.append(build(json.loads(line), number))
        except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
            raise InputError(f"{dataset}, line {number}: {error}.", "Correct the line.") from None
    return built


def _item(raw: Any, number: int) -> Item:
    accept = frozenset(map(Decision, raw["accept"] if "accept" in raw else [raw["label"]]))
    facts = tuple((group,) if isinstance(group, str) else tuple(group) for group in raw.get("facts", []))
    for pattern in (pattern for group in facts for pattern in group):
        re.compile(pattern)
    return Item(
        str(raw.get("id", number)),
        tuple(turn.replace("{n}", FILLED_IN) for turn in (raw["turns"] if "turns" in raw else [raw["text"]])),
        accept,
        facts,
        Decision(raw["label"]) if "label" in raw else min(accept, key=lambda decision: decision.precedence),
        tuple(raw.get("tags", ())),
        raw.get("lang", "en"),
    )


def load_suites(names: Sequence[str], file: Path = SUITES) -> list[Path]:
    """Return the files of the named suites, each once, in the order asked for.

    Raises:
        InputError: there is no such suite, or the list of suites cannot be read.
    """
    try:
        suites = yaml.safe_load(file.read_text(encoding="utf-8"))
        known = {str(name): [file.parent / "datasets" / path for path in paths] for name, paths in suites.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError) as error:
        raise InputError(f"Cannot read the suites in {file}.", "Run it from the project's root.") from error
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"There is no suite '{unknown[0]}'.", f"Use one of {', '.join(known)}.")
    return list(dict.fromkeys(path for name in names for path in known[name]))


def digest(dataset: Path) -> str:
    """Return the start of a file's SHA-256, so that a figure can be told to be of this very data."""
    return hashlib.sha256(dataset.read_bytes()).hexdigest()[:16]
