"""Whether a passage's own questions find it, each tried in an index that lacks that question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, cast

import numpy as np

from askdmt.encoder import Vectors
from askdmt.knowledge.index import Hit, Index
from askdmt.knowledge.search import Search, SearchParameters, load_parameters
from askdmt.knowledge.sections import Knowledge, Passage

_LOOKED_AT = 3  # passages of a search within which a question must bring up its own section
_REACHED = 0.5  # share of a passage's questions that must


class TextEncoder(Protocol):
    """What turns texts into unit-length rows; `askdmt.encoder.Encoder` is one."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of a passage's own questions bring up its section."""

    passage: str  # id
    found: int
    asked: int

    @property
    def enough(self) -> bool:
        """Whether half of them do; true of a passage without questions."""
        return self.found >= _REACHED * self.asked


def measure_reach(knowledge: Knowledge, encoder: TextEncoder) -> Iterator[Reach]:
    """Search each question of each passage, in reading order; the ids in `knowledge` must differ."""
    index = _ArrayIndex(knowledge, encoder)
    parameters = load_parameters()
    for passage in knowledge.passages.values():
        found = sum(_reaches(knowledge, index, parameters, passage, question) for question in passage.questions)
        yield Reach(passage.id, found, len(passage.questions))


def _reaches(
    knowledge: Knowledge, index: _ArrayIndex, parameters: SearchParameters, passage: Passage, question: str
) -> bool:
    """Whether a question that the knowledge does not have brings up its section among the first."""
    vector = index.leave_out(passage.id, question)
    found = Search(_without(knowledge, passage, question), index, parameters).rank(question, vector)
    return any(item.passage.split("#")[0] == passage.section for item in found[:_LOOKED_AT])


def _without(knowledge: Knowledge, passage: Passage, question: str) -> Knowledge:
    kept = replace(passage, questions=tuple(other for other in passage.questions if other != question))
    section = knowledge.by_id[passage.section]
    passages = tuple(kept if other is passage else other for other in section.passages)
    sections = tuple(replace(other, passages=passages) if other is section else other for other in knowledge.sections)
    return Knowledge(sections, knowledge.sources, knowledge.folder)


class _ArrayIndex(Index):
    """Every text and question in one array, so that a question can be left out without building an index again."""

    def __init__(self, knowledge: Knowledge, encoder: TextEncoder) -> None:
        passages = knowledge.passages.values()
        self._entries = [(item.id, "passage", item.text) for item in passages]
        self._entries += [(item.id, "question", question) for item in passages for question in item.questions]
        self._vectors = encoder.encode([text for _, _, text in self._entries])
        self._left_out = -1

    def leave_out(self, passage: str, question: str) -> Vectors:
        """Leave out one question from now on, and return its vector."""
        self._left_out = self._entries.index((passage, "question", question))
        return cast(Vectors, self._vectors[self._left_out])

    def nearest(self, vector: Vectors, k: int) -> list[Hit]:
        """Return the `k` nearest texts but the one that is left out, nearest first."""
        cosines = self._vectors @ vector
        rows = [row for row in np.argsort(-cosines)[: k + 1] if row != self._left_out][:k]
        return [Hit(self._entries[row][0], self._entries[row][1], float(cosines[row])) for row in rows]

    def __len__(self) -> int:
        return len(self._entries)
