"""Search: dense and lexical ranks fused, and a decision of its own on whether the passages answer the question."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from askdmt.errors import ContentError
from askdmt.knowledge.index import Index
from askdmt.knowledge.lexical import Lexicon, stems
from askdmt.knowledge.sections import Knowledge
from askdmt.resources import read_text

PARAMETERS = Path(__file__).parent / "data" / "search.json"
_SHARE_OF_BEFORE = 0.6  # of a follow-up's score; chosen on development conversations
FEATURES = ("guess", "question_similarity", "passage_similarity", "coverage", "lexical")


@dataclass(frozen=True, slots=True)
class Found:
    """A passage and how well it fits."""

    passage: str  # id
    score: float  # fused, for ranking only
    question_similarity: float  # cosine to its nearest typical question
    passage_similarity: float  # cosine to its own text
    coverage: float  # share of the question's words that it has
    words: float = 0.0  # BM25 score


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search brought up, best first."""

    found: tuple[Found, ...]
    confidence: float  # 0 to 1, that the passages answer the question
    threshold: float  # confidence from which they are said to

    @property
    def answerable(self) -> bool:
        """Whether the passages answer the question."""
        return self.confidence >= self.threshold


NOTHING_FOUND = Findings((), confidence=0.0, threshold=1.0)


@checked(frozen=True, slots=True, config=ConfigDict(strict=True, extra="forbid", allow_inf_nan=False))
class SearchParameters:
    """Numbers that the search turns on; a data file, so that they can be read and re-fitted."""

    dense_depth: Annotated[int, Field(gt=0)]  # stored texts asked of the index
    passage_weight: float  # what a likeness to the text counts beside one to a typical question
    lexical_weight: float  # what a whole word match counts beside a cosine of 1
    answerable_threshold: float  # confidence from which the passages are said to answer
    similarity_threshold: float  # the same on likeness alone, for knowledge that the judge was not trained on
    intercept: float
    weights: dict[str, float]  # by feature


def load_parameters(path: Path = PARAMETERS) -> SearchParameters:
    """Read the search's numbers.

    Raises:
        ContentError: the file is missing or does not fit.
    """
    try:
        parameters = TypeAdapter(SearchParameters).validate_json(read_text(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ContentError(f"{path}: {where}: {first['msg']}.", "Restore it.") from None
    if set(parameters.weights) != set(FEATURES):
        raise ContentError(f"{path}: 'weights' must have {', '.join(FEATURES)}.", "Restore it.")
    return parameters


class Search:
    """Finds the passages that may answer a question."""

    def __init__(self, knowledge: Knowledge, index: Index, parameters: SearchParameters | None = None) -> None:
        self._index = index
        self._parameters = parameters or load_parameters()
        self._lexicon = Lexicon(
            {
                passage.id: " ".join([knowledge.by_id[passage.section].title, passage.text, *passage.questions])
                for passage in knowledge.passages.values()
            }
        )

    def find(self, question: str, vector: NDArray[np.float32], guess: float | None = None, k: int = 8) -> Findings:
        """Return the `k` best passages for a question and its vector.

        `guess` is the judge's log-odds that the sources answer it; without one, likeness alone decides.
        """
        ranked = self.rank(question, vector, k)
        if guess is None:
            likeness = max((max(item.question_similarity, item.passage_similarity) for item in ranked), default=0.0)
            return Findings(ranked, likeness, self._parameters.similarity_threshold)
        features = self.features(ranked, guess)
        weighted = sum(self._parameters.weights[name] * features[name] for name in FEATURES)
        confidence = _logistic(self._parameters.intercept + weighted)
        return Findings(ranked, confidence, self._parameters.answerable_threshold)

    def rank(self, question: str, vector: NDArray[np.float32], k: int = 8) -> tuple[Found, ...]:
        """Return the `k` passages that resemble the question most, best first."""
        similarity: dict[str, dict[str, float]] = defaultdict(dict)
        for hit in self._index.nearest(vector, self._parameters.dense_depth):
            known = similarity[hit.passage]
            known[hit.kind] = max(known.get(hit.kind, -1.0), hit.similarity)
        floor = min((value for known in similarity.values() for value in known.values()), default=0.0)
        wanted = frozenset(stems(question))
        words = self._lexicon.scores(wanted)
        most_words = float(words.max(initial=0.0)) or 1.0
        by_words = self._lexicon.best(words, k + len(similarity))  # `k` at least that the index has not brought up
        ranked = sorted(
            (-self._fused(similarity[passage], floor, self._lexicon.score(words, passage) / most_words), passage)
            for passage in {*similarity, *by_words}
        )
        return tuple(
            Found(
                passage,
                -score,
                similarity[passage].get("question", floor),
                similarity[passage].get("passage", floor),
                self._lexicon.coverage(wanted, passage),
                self._lexicon.score(words, passage),
            )
            for score, passage in ranked[:k]
        )

    def _fused(self, known: dict[str, float], floor: float, words: float) -> float:
        dense = max(known.get("question", floor), self._parameters.passage_weight * known.get("passage", floor))
        return dense + self._parameters.lexical_weight * words

    def features(self, ranked: tuple[Found, ...], guess: float) -> dict[str, float]:
        """Return what the answerability decision looks at."""
        if not ranked:
            return dict.fromkeys(FEATURES, 0.0) | {"guess": guess}
        return {
            "guess": guess,
            "question_similarity": max(item.question_similarity for item in ranked[:8]),
            "passage_similarity": max(item.passage_similarity for item in ranked[:8]),
            "coverage": max(item.coverage for item in ranked[:3]),
            "lexical": math.log1p(ranked[0].words),
        }


def fused(with_before: Findings, alone: Findings, k: int = 8) -> Findings:
    """Return the `k` best passages for a follow-up, found by it with the messages before it and by it alone."""
    scores: dict[str, float] = defaultdict(float)
    for findings, share in ((with_before, _SHARE_OF_BEFORE), (alone, 1 - _SHARE_OF_BEFORE)):
        for item in findings.found:
            scores[item.passage] += share * item.score
    items = {item.passage: item for item in (*alone.found, *with_before.found)}
    found = sorted((replace(items[key], score=score) for key, score in scores.items()), key=lambda item: -item.score)
    confidence = _SHARE_OF_BEFORE * with_before.confidence + (1 - _SHARE_OF_BEFORE) * alone.confidence
    return Findings(tuple(found[:k]), confidence, with_before.threshold)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
