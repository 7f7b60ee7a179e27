"""The judge: linear heads over the encoder's vector and hashed character n-grams, and the votes of near exemplars.

It gives a probability for each decision: half of it the head's, half the votes' of the exemplars that lie nearest. A
text that is not in English has a head of its own and no votes, since the encoder knows little of other languages; its
letters count for more there. Of `answer` and `not_in_sources` it can only guess which: the search settles
that, with the guess as one of its grounds. Trained by `askdmt.guardrails.training`.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from askdmt.decisions import Decision
from askdmt.encoder import Vectors
from askdmt.errors import GuardrailError
from askdmt.guardrails.exemplars import Exemplar, load_exemplars
from askdmt.guardrails.language import is_supported
from askdmt.guardrails.vocabulary import load_vocabulary
from askdmt.resources import GUARDRAIL_DATA

FILE = GUARDRAIL_DATA / "classifier.safetensors"
BUCKETS = 2**15
_GRAM_SIZES = (2, 3, 4, 5)
_WORD = re.compile(r"\w+|[^\w\s]")

LABELS = tuple(Decision)
NEIGHBOURS = 20  # exemplars that vote
VOTE_SHARPNESS = 15.0  # how much faster a vote counts less with distance
_SHARE_OF_BEFORE = 0.65  # of the judgement with the messages before; all three chosen on the development families


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge thinks of one text."""

    scores: dict[Decision, float]  # probability by label, sums to 1
    vector: NDArray[np.float32]
    is_foreign: bool = False  # not in English: another head judged it, and other thresholds hold
    cosines: Vectors = field(default_factory=lambda: np.zeros(0, dtype=np.float32))  # to each exemplar

    @property
    def on_subject(self) -> float:
        """Probability that it is a question on the subject, whether the sources answer it or not."""
        return self.scores[Decision.ANSWER] + self.scores[Decision.NOT_IN_SOURCES]

    @property
    def covered(self) -> float:
        """Log-odds that the sources answer it, given that it is a question on the subject."""
        return math.log((self.scores[Decision.ANSWER] + 1e-6) / (self.scores[Decision.NOT_IN_SOURCES] + 1e-6))


def blended(alone: Judgement, with_before: Judgement) -> Judgement:
    """Return the mean of both, with everything else of the message alone."""
    share = _SHARE_OF_BEFORE
    scores = {label: share * with_before.scores[label] + (1 - share) * alone.scores[label] for label in LABELS}
    return replace(alone, scores=scores)


@dataclass(frozen=True, slots=True)
class Head:
    """Weights of shape (width, labels), (BUCKETS, labels) and (labels,)."""

    dense: Vectors
    sparse: Vectors
    bias: Vectors

    def probabilities(self, texts: Sequence[str], vectors: Vectors) -> Vectors:
        """Return one row a text, one column a label, each row summing to 1."""
        logits = vectors @ self.dense + self.bias
        for row, text in enumerate(texts):
            buckets, weights = ngram_features(text)
            logits[row] += weights @ self.sparse[buckets]
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), dtype=np.float32)


class Classifier:
    """The trained heads with the exemplars they were trained on."""

    def __init__(
        self, head: Head, foreign: Head, exemplars: Sequence[Exemplar], places: Vectors, projection: Vectors,
        encoder: str,
    ) -> None:  # fmt: skip
        """Take the head for English and that for all other languages.

        `projection` takes a vector to its few main directions, and `places` has one row there for each exemplar.
        `encoder` names the encoder whose vectors it was trained on.
        """
        self.encoder = encoder
        self._head, self._foreign = head, foreign
        self._exemplars = tuple(exemplars)
        self._labels = np.array([LABELS.index(exemplar.label) for exemplar in exemplars], dtype=np.int64)
        self._by_label = {label: np.flatnonzero(self._labels == number) for number, label in enumerate(LABELS)}
        self._places = _unit(places)
        self._projection = projection

    def judge(self, texts: Sequence[str], vectors: Vectors) -> list[Judgement]:
        """Return one judgement a text; `vectors` has one row a text.

        Raises:
            GuardrailError: the vectors are of another width than the heads were trained on.
        """
        if vectors.shape[1] != self._head.dense.shape[0]:
            raise GuardrailError(
                f"The guard was trained on vectors of width {self._head.dense.shape[0]}, not {vectors.shape[1]}.",
                "Run 'make train' after changing the encoder.",
            )
        probabilities = self._head.probabilities(texts, vectors)
        cosines = self._cosines(vectors)
        if len(self._exemplars) > NEIGHBOURS:
            probabilities = np.float32(0.5) * (probabilities + self._votes(cosines))
        is_foreign = [not is_supported(text) for text in texts]
        if foreign := [row for row, told in enumerate(is_foreign) if told]:
            probabilities[foreign] = self._foreign.probabilities([texts[row] for row in foreign], vectors[foreign])
        if not np.isfinite(probabilities).all():
            raise GuardrailError("The guard's scores are not numbers.", "Reinstall askdmt.")
        return [
            Judgement(dict(zip(LABELS, row, strict=True)), *rest)
            for row, *rest in zip(probabilities.tolist(), vectors, is_foreign, cosines, strict=True)
        ]

    def _cosines(self, vectors: Vectors) -> Vectors:
        return _unit(vectors @ self._projection) @ self._places.T

    def _votes(self, cosines: Vectors) -> Vectors:
        """Return the labels of the nearest exemplars as shares, the nearer the heavier."""
        nearest = np.argpartition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
        close = np.take_along_axis(cosines, nearest, axis=1)
        weights = np.exp(VOTE_SHARPNESS * (close - close.max(axis=1, keepdims=True)))
        votes = np.zeros((len(cosines), len(LABELS)), dtype=np.float32)
        np.add.at(votes, (np.arange(len(cosines))[:, np.newaxis], self._labels[nearest]), weights)
        return np.asarray(votes / votes.sum(axis=1, keepdims=True), dtype=np.float32)

    def nearest(self, vector: NDArray[np.float32], k: int = 5) -> list[tuple[Exemplar, float]]:
        """Return the exemplars nearest to a vector with their cosine."""
        return self._nearest(self._cosines(vector[np.newaxis])[0], np.arange(len(self._exemplars)), k)

    def _nearest(self, cosines: Vectors, known: NDArray[np.int64], k: int) -> list[tuple[Exemplar, float]]:
        """Return those of the known exemplars, by number, that are nearest."""
        similarities = cosines[known]
        best = np.argpartition(similarities, -k)[-k:] if len(known) > k else np.arange(len(known))
        return [
            (self._exemplars[known[row]], float(similarities[row])) for row in best[np.argsort(-similarities[best])]
        ]

    def variant(self, judgement: Judgement, decision: Decision) -> str | None:
        """Return the kind of message within a decision, by the vote of its nearest exemplars."""
        votes: dict[str, float] = {}
        for exemplar, similarity in self._nearest(judgement.cosines, self._by_label[decision], 5):
            votes[exemplar.variant] = votes.get(exemplar.variant, 0.0) + max(similarity, 0.0) ** 4
        return max(votes, key=lambda name: votes[name]) if votes else None


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def ngram_features(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return hashed character n-grams within words: bucket numbers and weights of unit length."""
    words = _WORD.findall(text.lower())
    counts = Counter(chain.from_iterable(map(_buckets, words)))
    buckets = np.fromiter(counts, dtype=np.int64, count=len(counts))
    weights = 1 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))
    norm = float(np.linalg.norm(weights)) or 1.0
    return buckets, (weights / norm).astype(np.float32)


def _buckets(word: str) -> Sequence[int]:
    """Return the bucket of each n-gram of a word."""
    return _remembered(word) if word in load_vocabulary() else _buckets_of(word)


def _buckets_of(word: str) -> Sequence[int]:
    padded = f" {word} "
    return array(
        "H",
        (
            zlib.crc32(padded[start : start + size].encode()) % BUCKETS
            for size in _GRAM_SIZES
            for start in range(len(padded) - size + 1)
        ),
    )


_remembered = lru_cache(maxsize=8192)(_buckets_of)  # of known words only: no name that a visitor wrote is kept


@cache
def load_classifier(path: Path = FILE) -> Classifier:
    """Read the trained head.

    Raises:
        GuardrailError: it is missing or broken.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
            metadata = file.metadata()
        if json.loads(metadata["labels"]) != [label.value for label in LABELS]:
            raise ValueError("other labels")
        by_id = {exemplar.id: exemplar for exemplar in load_exemplars()}
        exemplars = [by_id[key] for key in json.loads(metadata["exemplars"])]
        head, foreign = (
            Head(*(tensors[f"{name}.{part}"] for part in ("dense", "sparse", "bias"))) for name in ("head", "foreign")
        )
        return Classifier(head, foreign, exemplars, tensors["exemplars"], tensors["projection"], metadata["encoder"])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise GuardrailError(f"The trained guard {path} is missing or broken.", "Run: make train") from error
