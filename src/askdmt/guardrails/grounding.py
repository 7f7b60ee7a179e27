"""Whether passages bear a sentence out: every particular in it is theirs, and what it claims follows from them.

Numbers, units, dates, names and negations are looked up (`particulars`); what passes is read together with its passage
by the trained check (`cross_encoder`), unless it is one of the passage's own sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from askdmt.errors import ContentError, GuardrailError
from askdmt.guardrails.particulars import in_digits, not_borne_out
from askdmt.knowledge.lexical import stems
from askdmt.resources import GUARDRAIL_DATA, read_yaml
from askdmt.sentences import split_sentences

FILE = GUARDRAIL_DATA / "grounding.yaml"
_READ = 2  # passages read one by one, the most alike first; with more than one, the best of them are read together too
_MOST_WORDS = 100  # of a passage that are read: from a longer one the sentences most like the claim
_CITATION = re.compile(r"\s*\[\d[\d,\s–-]*\]")
_loading = Lock()


class Judge(Protocol):
    """Scores (passage, sentence) pairs from 0 to 1."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return a score for each pair."""


@dataclass(frozen=True, slots=True)
class GroundingVerdict:
    """Whether a sentence is borne out and why not; `span` and `passage` say by what it is borne out best."""

    supported: bool
    score: float  # 0 to 1; 0 where a particular is not the passages', 1 where a passage has the very sentence
    reasons: tuple[str, ...]  # number, unit, date, name, negation, claim or no_passage
    span: str
    passage: int  # its place among the passages; -1 where there is none


class Grounding:
    """The check; loaded once."""

    def __init__(self, judge: Judge, threshold: float) -> None:
        self.judge = judge
        self.threshold = threshold

    @classmethod
    def load(cls, cache: Path | None = None) -> Grounding:
        """Return the check as shipped.

        Raises:
            AskDMTError: the base model, the trained part or the threshold is missing or broken.
        """
        from askdmt.guardrails.cross_encoder import CrossEncoder

        return cls(CrossEncoder.load(cache=cache), load_threshold())

    def check(self, sentence: str, passages: Sequence[str]) -> GroundingVerdict:
        """Judge one sentence; its citation marks are not read."""
        return self.check_many([(sentence, passages)])[0]

    def check_many(self, pairs: Sequence[tuple[str, Sequence[str]]]) -> list[GroundingVerdict]:
        """Judge many sentences, each with its own passages, in shared passes of the model."""
        claims = [_CITATION.sub("", sentence).strip() for sentence, _ in pairs]
        faults = [
            not_borne_out(claim, passages) if any(map(str.strip, passages)) else ("no_passage",)
            for claim, (_, passages) in zip(claims, pairs, strict=True)
        ]
        scores = [
            float(not fault and _is_copied(claim, passages))
            for claim, fault, (_, passages) in zip(claims, faults, pairs, strict=True)
        ]
        wanted = [
            (row, window)
            for row, (_, passages) in enumerate(pairs)
            if not faults[row] and not scores[row]
            for window in _windows(claims[row], passages)
        ]
        found = self.judge.scores([(window, claims[row]) for row, window in wanted])
        for (row, _), score in zip(wanted, found, strict=True):
            scores[row] = max(scores[row], score)
        return [self._verdict(claims[row], pairs[row][1], faults[row], scores[row]) for row in range(len(pairs))]

    def _verdict(
        self, sentence: str, passages: Sequence[str], faults: tuple[str, ...], score: float
    ) -> GroundingVerdict:
        reasons = faults or (() if score >= self.threshold else ("claim",))
        span, passage = _best_span(sentence, passages)
        return GroundingVerdict(not reasons, score, reasons, span, passage)


def supported(sentence: str, passages: Sequence[str]) -> GroundingVerdict:
    """Judge one sentence with the check as shipped, which is loaded at the first call and kept.

    Raises:
        AskDMTError: it cannot be loaded.
    """
    with _loading:
        grounding = _shipped()
    return grounding.check(sentence, passages)


@cache
def _shipped() -> Grounding:
    return Grounding.load()


@cache
def load_threshold(file: Path = FILE) -> float:
    """Read the threshold.

    Raises:
        GuardrailError: the file is missing or does not fit.
    """
    try:
        raw: Any = read_yaml(file)
        threshold = float(raw["threshold"])
        if set(raw) != {"threshold"} or not 0 < threshold < 1:
            raise ValueError("it must have a threshold between 0 and 1")
        return threshold
    except (ContentError, KeyError, ValueError, TypeError) as error:
        raise GuardrailError(f"The file {file} does not fit: {error}.", "Restore the file.") from error


def _is_copied(claim: str, passages: Sequence[str]) -> bool:
    """Whether a passage has this very sentence, its numbers in digits or in words."""
    words = _words(claim)
    return any(words == _words(line) for passage in passages for line in split_sentences(passage))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", in_digits(text))


def _windows(sentence: str, passages: Sequence[str]) -> list[str]:
    """Return what of the passages is read: the most alike, each by itself, and the best of two together."""
    wanted = set(stems(sentence))
    ranked = sorted(passages, key=lambda passage: _alike(wanted, passage), reverse=True)[:_READ]
    windows = [_cut(wanted, passage, _MOST_WORDS) for passage in ranked]
    if len(ranked) > 1:
        windows.append(" ".join(_cut(wanted, passage, _MOST_WORDS // 2) for passage in ranked))
    return windows


def _cut(wanted: set[str], passage: str, words: int) -> str:
    """Return a passage, or of a longer one the sentences most like the claim, in their order."""
    if len(passage.split()) <= words:
        return passage
    lines = split_sentences(passage)
    kept: set[int] = set()
    for row in sorted(range(len(lines)), key=lambda row: _alike(wanted, lines[row]), reverse=True):
        if kept and sum(len(lines[other].split()) for other in (*kept, row)) > words:
            break
        kept.add(row)
    return " ".join(lines[row] for row in sorted(kept))


def _alike(wanted: set[str], text: str) -> float:
    """Return how much of a claim's words a text has, less a little for its length."""
    found = set(stems(text))
    return len(wanted & found) / (len(wanted) + 0.1 * len(found) + 1)


def _best_span(sentence: str, passages: Sequence[str]) -> tuple[str, int]:
    wanted = set(stems(sentence))
    spans = [(line, place) for place, passage in enumerate(passages) for line in split_sentences(passage)]
    return max(spans, key=lambda span: _alike(wanted, span[0]), default=("", -1))
