"""Blacks out what may point to a person. Patterns miss much: what is left must still be kept as personal data."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from askdmt.errors import ContentError
from askdmt.resources import first_problem, read_yaml

PATTERNS_FILE = Path(__file__).parent / "data" / "redaction.yaml"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    pattern: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    patterns: list[_Entry]
    capital: str
    month: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is blacked out as one kind of detail."""

    kind: str
    regex: re.Pattern[str]

    def redact(self, text: str) -> str:
        """Return a text with each match, or its named group, as [kind]."""
        return self.regex.sub(self._blacked_out, text)

    def _blacked_out(self, match: re.Match[str]) -> str:
        start, end = match.span(self.regex.groups)  # the group if there is one, else the whole
        whole = match[0]
        return f"{whole[: start - match.start()]}[{self.kind}]{whole[end - match.start() :]}"


def redact(text: str) -> str:
    """Return a text without what points to a person as far as patterns can tell, and without control characters."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign == "\n" or _is_visible(sign))
    for pattern in load_patterns():
        plain = pattern.redact(plain)
    return plain


@cache
def load_patterns(path: Path = PATTERNS_FILE) -> tuple[Pattern, ...]:
    """Read the patterns.

    Raises:
        ContentError: the file does not fit; names the pattern.
    """
    try:
        file = _File.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ContentError(f"{path}: {first_problem(error)}.", "Correct the file.") from None
    lists = {"{capital}": file.capital, "{month}": file.month.replace(" ", "")}
    return tuple(_compile(entry, lists, path) for entry in file.patterns)


def _compile(entry: _Entry, lists: dict[str, str], path: Path) -> Pattern:
    written = entry.pattern
    for name, items in lists.items():
        written = written.replace(name, items)
    try:
        regex = re.compile(written)
    except re.error as error:
        raise ContentError(f"{path}: a pattern for {entry.kind} does not fit: {error}.", "Correct it.") from None
    if regex.groups > 1:
        raise ContentError(f"{path}: a pattern for {entry.kind} has several groups.", "Write (?:...) for others.")
    return Pattern(entry.kind, regex)


def _is_visible(sign: str) -> bool:
    return unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co")
