"""Undoes disguises: look-alike letters, invisible characters, spacing games, leet, markup escapes, encodings.

The original stays beside the normalised text. Ordinary text comes out as it went in, apart from white space and
typographic quotes and dashes. Every step is linear in the length of the text; they run until nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from askdmt.guardrails.characters import (
    right_way_up,
    with_plain_forms,
    with_plain_typography,
    without_accents_for_show,
    without_invisible_characters,
    without_look_alikes,
)
from askdmt.guardrails.encodings import with_alphabet_in_order, without_encodings, without_markup
from askdmt.guardrails.leet import without_leet, without_repeated_letters, without_separators, without_twins
from askdmt.guardrails.spacing import with_mended_words, without_spaced_letters

Step = tuple[str, Callable[[str], str]]

_MAX_PASSES = 8  # a disguise within a disguise takes one pass a layer
_SPACE = re.compile(r"[^\S\n]+")
_LINE_END = re.compile("\r\n?|[\u2028\u2029]")
_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text as it was written, as it is read, and the names of what changed it."""

    original: str
    text: str
    changes: tuple[str, ...] = ()


def normalise(text: str) -> Normalised:
    """Return the text with its disguises undone; the same again when applied to its own result."""
    current = text
    changes: dict[str, None] = {}
    for _ in range(_MAX_PASSES):
        before = current
        for _ in range(_MAX_PASSES):  # what is encoded is read first, to its last layer
            current, same = _through(_READING, current, changes)
            if same:
                break
        current, _ = _through(_SPELLING, current, changes)
        if current == before:
            break
    return Normalised(text, current, tuple(changes))


def _through(steps: Sequence[Step], text: str, changes: dict[str, None]) -> tuple[str, bool]:
    before = text
    for name, step in steps:
        after = step(text)
        if after != text and name:
            changes[name] = None
        text = after
    return text, text == before


def _with_plain_line_ends(text: str) -> str:
    return _LINE_END.sub("\n", text)


def _with_plain_white_space(text: str) -> str:
    lines = (_SPACE.sub(" ", line).strip() for line in text.split("\n"))
    return _LINES.sub("\n\n", "\n".join(lines)).strip()


# What each step undoes, as `askdmt why` tells it; tidying has no name.
_READING: tuple[Step, ...] = (
    ("", _with_plain_line_ends),
    ("invisible characters", without_invisible_characters),
    ("upside-down letters", right_way_up),
    ("", with_plain_typography),
    ("styled letters", with_plain_forms),
    ("look-alike letters", without_look_alikes),
    ("accents", without_accents_for_show),
    ("markup", without_markup),
    ("encoding", without_encodings),
)
_SPELLING: tuple[Step, ...] = (
    ("spaced letters", without_spaced_letters),
    ("", _with_plain_white_space),
    ("shifted or backward letters", with_alphabet_in_order),
    ("leet", without_leet),
    ("separators", without_separators),
    ("look-alike letters", without_twins),
    ("repeated letters", without_repeated_letters),
    ("cut words", with_mended_words),
    ("", _with_plain_white_space),
)
