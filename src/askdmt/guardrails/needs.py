"""What a text must hold for a pattern to match, read off the pattern, so that few patterns are tried on a text.

`\\b(?:can't|cannot) wake (?:him|her)` needs " wake h". A part of a pattern that is not understood needs
nothing, so that no match is ever missed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Needs = frozenset[str]  # folded literals, one of which every match has; empty: a match may have none of them

_START = 3  # letters by which a literal is looked up
_LONG_ENOUGH = 5  # letters from which a literal is as rare as it need be
_WITHOUT_WIDTH = (_constants.AT, _constants.ASSERT, _constants.ASSERT_NOT)
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


class NeedsIndex(Generic[T]):
    """Items, such as a rule with one of its patterns, that are found by what their pattern needs."""

    def __init__(self, entries: Iterable[tuple[Needs, T]]) -> None:
        self._items: list[T] = []
        self._always: set[int] = set()  # places of items that need nothing
        self._by_start: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for place, (needs, item) in enumerate(entries):
            self._items.append(item)
            if not needs:
                self._always.add(place)
            for literal in needs:
                self._by_start[literal[:_START]].append((literal, place))

    def possible(self, text: str) -> list[T]:
        """Return, in order, the items whose pattern may match a text; no other's does, if it ignores case."""
        text = folded(text)
        starts = {text[at : at + size] for size in range(1, _START + 1) for at in range(len(text))}
        places = {
            place
            for start in starts & self._by_start.keys()
            for literal, place in self._by_start[start]
            if literal in text
        }
        return [self._items[place] for place in sorted(places | self._always)]


def folded(text: str) -> str:
    """Return a text in which letters are the same where a pattern that ignores case takes them for the same."""
    return text.replace("\u0130", "i").lower().upper()  # the dotted I, which `lower` would make two characters of


def needs_of(pattern: str) -> Needs:
    """Return literals of which every match of a pattern that ignores case has at least one.

    Raises:
        re.error: the pattern is broken.
    """
    return _needs(_parser.parse(pattern, re.IGNORECASE))


def _needs(parts: Iterable[tuple[Any, Any]]) -> Needs:
    """Return the rarest of the sets that the parts of a pattern need; literals that touch are one."""
    found: list[Needs] = []
    touching = ""
    for part, content in parts:
        if part is _constants.LITERAL:
            touching += chr(content)
        elif part not in _WITHOUT_WIDTH:
            found += [frozenset({folded(touching)}), _needs_within(part, content)]
            touching = ""
    found.append(frozenset({folded(touching)}))
    return max((needs for needs in found if needs and all(needs)), key=_rarity, default=frozenset())


def _needs_within(part: Any, content: Any) -> Needs:
    if part is _constants.SUBPATTERN:
        return _needs(content[-1])
    if part in _REPEATS and content[0] > 0:
        return _needs(content[-1])
    if part is _constants.BRANCH:
        several = [_needs(branch) for branch in content[1]]
        return frozenset().union(*several) if all(several) else frozenset()
    return frozenset()


def _rarity(needs: Needs) -> tuple[int, int]:
    return min(_LONG_ENOUGH, *map(len, needs)), -len(needs)
