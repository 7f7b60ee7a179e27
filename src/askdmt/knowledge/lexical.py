"""Lexical search: BM25 over stemmed words."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]  # (documents,)
Whole = NDArray[np.int32]

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
    """A BM25 index: for each stem, the documents that have it and what it counts in each."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        """Index `documents` (id -> text)."""
        self.keys = tuple(documents)
        self._row_of = {key: row for row, key in enumerate(self.keys)}
        self._number_of: dict[str, int] = {}
        numbers, rows, counts = array("i"), array("i"), array("i")  # one entry for each stem of each document
        for row, text in enumerate(documents.values()):
            for stem, count in Counter(stems(text)).items():
                numbers.append(self._number_of.setdefault(stem, len(self._number_of)))
                rows.append(row)
                counts.append(count)
        self._sort(np.array(numbers, dtype=np.int32), np.array(rows, dtype=np.int32), np.array(counts, dtype=np.int32))

    def _sort(self, numbers: Whole, rows: Whole, counts: Whole) -> None:
        """Put the entries of one stem side by side, and work out what each counts."""
        frequency = np.bincount(numbers, minlength=len(self._number_of))
        self._ends = np.cumsum(frequency)
        self._rarity = np.log(1 + (len(self.keys) - frequency + 0.5) / (frequency + 0.5))
        lengths = np.bincount(rows, weights=counts, minlength=len(self.keys))
        norms = _K1 * (1 - _B + _B * lengths / max(float(lengths.mean()) if self.keys else 0.0, 1e-9))
        order = np.argsort(numbers, kind="stable")
        self._rows, counts = rows[order], counts[order]
        worth = self._rarity[numbers[order]] * counts * (_K1 + 1) / (counts + norms[self._rows])
        self._worth = worth.astype(np.float32)

    def scores(self, wanted: Collection[str]) -> Scores:
        """Return the BM25 score of each document for these stems; 0 where it has none of them."""
        scores = np.zeros(len(self.keys), dtype=np.float32)
        for entries in map(self._entries, set(wanted)):
            scores[self._rows[entries]] += self._worth[entries]
        return scores

    def best(self, scores: Scores, most: int) -> list[str]:
        """Return the documents of the `most` best scores above 0; more where several share the last of them."""
        least = np.partition(scores, -most)[-most] if len(scores) > most else 0.0
        return [self.keys[row] for row in np.flatnonzero((scores >= least) & (scores > 0))]

    def score(self, scores: Scores, key: str) -> float:
        """Return one document's part of `scores`."""
        return float(scores[self._row_of[key]])

    def coverage(self, wanted: Collection[str], key: str) -> float:
        """Return the share, 0 to 1, of these stems (by weight) that a document has."""
        weights = {stem: self.weight(stem) for stem in wanted}
        total = sum(weights.values())
        return sum(weight for stem, weight in weights.items() if self._has(key, stem)) / total if total else 0.0

    def weight(self, stem: str) -> float:
        """Return the inverse document frequency of a stem; highest for one that no document has."""
        number = self._number_of.get(stem)
        return math.log(1 + (len(self.keys) + 0.5) / 0.5) if number is None else float(self._rarity[number])

    def _has(self, key: str, stem: str) -> bool:
        rows, row = self._rows[self._entries(stem)], self._row_of[key]
        place = int(np.searchsorted(rows, row))
        return place < len(rows) and bool(rows[place] == row)

    def _entries(self, stem: str) -> slice:
        number = self._number_of.get(stem)
        if number is None:
            return slice(0, 0)
        return slice(int(self._ends[number - 1]) if number else 0, int(self._ends[number]))


def stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning."""
    words: Iterable[str] = (part for word in _WORD.findall(text.lower()) for part in word.split("-"))
    return [_stem(word) for word in words if word not in _STOP_WORDS]


@cache
def _stemmer() -> object:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


@lru_cache(maxsize=50_000)  # visitors' words are among them
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))  # type: ignore[attr-defined]
