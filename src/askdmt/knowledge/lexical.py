"""Lexical search: BM25 over stemmed words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_K1, _B = 1.2, 0.75  # the usual BM25 constants (Robertson and Zaragoza, 2009)
_STOP_WORDS = frozenset(
    """a about after all also am an and any are as at be because been being but by can could d did do does doing don
    for from get got had has have having he her here him his how i if in into is it its just ll m me more most my no
    not of on one only or other our out over please re s same she should so some such t than that the their them then
    there these they this those to too up us ve very was we were what when where which while who why will with would
    you your""".split()
)


class Lexicon:
    """A BM25 index of passages."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        """Index `documents` (id -> text)."""
        self._counts = {key: Counter(stems(text)) for key, text in documents.items()}
        self._lengths = {key: counts.total() for key, counts in self._counts.items()}
        self._mean_length = sum(self._lengths.values()) / max(len(self._lengths), 1)
        self._frequency = Counter(stem for counts in self._counts.values() for stem in counts)

    def scores(self, question: str) -> dict[str, float]:
        """Return the BM25 score of every passage that shares a word with the question."""
        wanted = set(stems(question))
        return {key: self._score(wanted, key) for key, counts in self._counts.items() if wanted & counts.keys()}

    def score(self, question: str, key: str) -> float:
        """Return the BM25 score of one passage."""
        return self._score(set(stems(question)), key)

    def _score(self, wanted: set[str], key: str) -> float:
        counts = self._counts[key]
        norm = _K1 * (1 - _B + _B * self._lengths[key] / self._mean_length)
        return sum(
            self.weight(stem) * counts[stem] * (_K1 + 1) / (counts[stem] + norm) for stem in wanted & counts.keys()
        )

    def coverage(self, question: str, key: str) -> float:
        """Return the share, 0 to 1, of the question's words (by weight) that a passage has."""
        wanted = set(stems(question))
        total = sum(self.weight(stem) for stem in wanted)
        return sum(self.weight(stem) for stem in wanted if stem in self._counts[key]) / total if total else 0.0

    def weight(self, stem: str) -> float:
        """Return the inverse document frequency of a stem; highest for one that no passage has."""
        frequency = self._frequency[stem]
        return math.log(1 + (len(self._counts) - frequency + 0.5) / (frequency + 0.5))


def stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning."""
    words: Iterable[str] = (part for word in _WORD.findall(text.lower()) for part in word.split("-"))
    return [_stem(word) for word in words if word not in _STOP_WORDS]


@cache
def _stemmer() -> object:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@cache
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))  # type: ignore[attr-defined]
