"""The input guard: one decision for one message, with its reasons.

The whole message is read, and each two neighbouring sentences of a longer one; a risk anywhere decides. Rules catch
what must never be missed, the classifier judges the rest, precedence resolves. Used alone::

    from askdmt.guardrails import InputGuard
    InputGuard.load().check("how much should I take?").decision
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askdmt.decisions import DANGER, REFUSALS, Decision, most_pressing
from askdmt.encoder import Encoder
from askdmt.errors import ContentError, GuardrailError
from askdmt.guardrails.classifier import Classifier, Judgement, blended, load_classifier
from askdmt.guardrails.exemplars import SEPARATOR, joined
from askdmt.guardrails.language import is_supported
from askdmt.guardrails.normalise import Normalised, normalise
from askdmt.guardrails.rules import Rules, is_bare_no, load_rules, matching_rules
from askdmt.resources import GUARDRAIL_DATA, read_text
from askdmt.sentences import split_sentences

THRESHOLDS_FILE = GUARDRAIL_DATA / "thresholds.json"
_WINDOW = 2  # sentences; one torn out of its message alarms too often
_MOST_SENTENCES = 60
_RISKS = DANGER | REFUSALS
_HARMLESS = (Decision.PERSONAL_ADVICE, Decision.ABOUT, Decision.OUT_OF_SCOPE)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How sure the judge must be of a risk; a low number weighs a miss above a false alarm."""

    message: dict[Decision, float]  # score of the whole message at which a risk decides
    window: dict[Decision, float]  # the same for two neighbouring sentences of several
    alone: dict[Decision, float]  # the same for a follow-up read without what came before
    foreign: dict[Decision, float]  # in place of all three for a text that is not in English


@dataclass(frozen=True, slots=True)
class Reading:
    """A message made ready to judge: what is to be encoded, in this order."""

    message: Normalised
    windows: tuple[str, ...]  # neighbouring sentences together; empty if that would be the whole message
    questions: tuple[str, ...]  # of several sentences, those that ask: a plain one may stand beside a refused one
    context: str | None  # the message with what came before it, for a follow-up
    says_unsafe: bool = False  # a bare no to the assistant's question whether somebody is safe

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts to make vectors of: the message, the context, the windows and last the questions."""
        return (self.message.text, *((self.context,) if self.context else ()), *self.windows, *self.questions)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The guard's decision on one message and why; `rule` names what decided.

    `answer` stands for any question on the subject; whether the sources answer it is for the search to say.
    """

    decision: Decision
    variant: str | None
    rule: str
    explanation: str
    scores: dict[Decision, float] = field(default_factory=dict)
    deciding_text: str = ""
    covered: float = 0.0  # log-odds that the sources answer the message, read alone


class InputGuard:
    """Judges messages; needs an encoder, the trained head, the rules and the thresholds."""

    def __init__(
        self,
        encoder: Encoder,
        classifier: Classifier | None = None,
        rules: Rules | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.encoder = encoder
        self.classifier = classifier or load_classifier()
        if self.classifier.encoder != encoder.name:
            raise GuardrailError(
                f"The guard was trained with the encoder {self.classifier.encoder}, not {encoder.name}.",
                "Unset the setting 'encoder', or run 'make train' with it.",
            )
        self.rules = load_rules() if rules is None else rules
        self.thresholds = thresholds or load_thresholds()

    @classmethod
    def load(cls) -> InputGuard:
        """Return the guard as shipped.

        Raises:
            GuardrailError: its data are missing.
        """
        return cls(Encoder())

    def check(self, message: str, before: Sequence[str] = (), *, asked_if_safe: bool = False) -> Verdict:
        """Judge one message, given the visitor's earlier ones, and whether it follows the question "are you safe?".

        Raises:
            GuardrailError: it could not judge; the caller must then give the safe reply.
        """
        reading = self.read(message, before, asked_if_safe=asked_if_safe)
        return self.decide(reading, self.encoder.encode(reading.texts))

    def read(self, message: str, before: Sequence[str] = (), *, asked_if_safe: bool = False) -> Reading:
        """Normalise a message and cut it into what is judged; works without the encoder."""
        normalised = normalise(message.replace(SEPARATOR.strip(), " "))
        sentences = split_sentences(normalised.text)[:_MOST_SENTENCES]
        context = joined([*(normalise(text).text for text in before), normalised.text]) if before else None
        ends = range(_WINDOW, len(sentences) + 1) if len(sentences) > _WINDOW else ()
        windows = tuple(" ".join(sentences[end - _WINDOW : end]) for end in ends)
        questions = tuple(text for text in sentences if text.endswith("?")) if len(sentences) > 1 else ()
        says_unsafe = asked_if_safe and (is_bare_no(message) or is_bare_no(normalised.text))
        return Reading(normalised, windows, questions, context, says_unsafe)

    def decide(self, reading: Reading, vectors: NDArray[np.float32]) -> Verdict:
        """Judge a message that has been read and encoded; `vectors` has a row for each of `reading.texts`."""
        read = len(reading.texts) - len(reading.questions)
        judgements = self.classifier.judge(reading.texts[:read], vectors[:read])
        alone = judgements[0]
        whole = blended(alone, judgements[1]) if reading.context else alone
        windows = list(zip(reading.windows, judgements[2 if reading.context else 1 :], strict=True))
        candidates = [
            *self._by_rule(reading, whole),
            *self._by_score(reading.message.text, whole, self.thresholds.message, "message"),
            *(
                verdict
                for text, judgement in windows
                for verdict in self._by_score(text, judgement, self.thresholds.window, "window")
            ),
        ]
        if reading.context:
            candidates += self._by_score(reading.message.text, alone, self.thresholds.alone, "message alone")
        if candidates:
            decision = most_pressing(verdict.decision for verdict in candidates)
            verdict = next(verdict for verdict in candidates if verdict.decision is decision)
        else:
            verdict = self._without_risk(reading, whole)
        return replace(verdict, covered=alone.covered)

    def deciding_thresholds(self, reading: Reading, verdict: Verdict) -> dict[Decision, float]:
        """Return the table of thresholds by which a verdict on a message was reached."""
        if not is_supported(verdict.deciding_text or reading.message.text):
            return self.thresholds.foreign
        by = {"classifier:window": self.thresholds.window, "classifier:message alone": self.thresholds.alone}
        return by.get(verdict.rule, self.thresholds.message)

    def sees_danger(self, text: str, vector: NDArray[np.float32]) -> bool:
        """Whether one message, normalised and encoded by itself, tells of danger."""
        return not DANGER.isdisjoint(self.risks(text, vector))

    def risks(self, text: str, vector: NDArray[np.float32]) -> frozenset[Decision]:
        """Return the dangers and refusals that one message, normalised and encoded by itself, brings up."""
        ruled = {rule.decision for rule in matching_rules([text], self.rules)}
        judgement = self.classifier.judge([text], vector[np.newaxis])[0]
        reached = self._by_score(text, judgement, self.thresholds.message, "message")
        return frozenset((ruled | {verdict.decision for verdict in reached}) & _RISKS)

    def _by_rule(self, reading: Reading, whole: Judgement) -> list[Verdict]:
        unsafe = Verdict(
            Decision.CRISIS, "self", "not-safe", "a no to the question whether they are safe", whole.scores
        )
        return [unsafe] * reading.says_unsafe + [
            Verdict(rule.decision, rule.variant or self._variant(whole, rule.decision), rule.id, rule.why, whole.scores)
            for rule in matching_rules(split_sentences(reading.message.text), self.rules)
        ]

    def _by_score(
        self, text: str, judgement: Judgement, thresholds: dict[Decision, float], where: str
    ) -> list[Verdict]:
        scores = judgement.scores
        thresholds = self.thresholds.foreign if judgement.is_foreign else thresholds
        reached = [risk for risk in _RISKS if scores[risk] >= thresholds[risk]]
        if not reached and sum(scores[danger] for danger in DANGER) >= min(thresholds[danger] for danger in DANGER):
            reached = [max(DANGER, key=lambda danger: scores[danger])]
        return [
            Verdict(
                risk,
                self._variant(judgement, risk),
                f"classifier:{where}",
                f"score {scores[risk]:.2f} of the {where}, threshold {thresholds[risk]:.2f}",
                judgement.scores,
                deciding_text=text,
            )
            for risk in reached
        ]

    def _without_risk(self, reading: Reading, whole: Judgement) -> Verdict:
        if not is_supported(reading.message.text):
            return Verdict(
                Decision.UNSUPPORTED_LANGUAGE, None, "language", "a language it cannot judge safely", whole.scores
            )
        harmless = {decision: whole.scores[decision] for decision in _HARMLESS} | {Decision.ANSWER: whole.on_subject}
        best = max(harmless, key=lambda decision: harmless[decision])
        explanation = f"score {harmless[best]:.2f}, no risk reached its threshold"
        return Verdict(best, self._variant(whole, best), "classifier:message", explanation, whole.scores)

    def _variant(self, judgement: Judgement, decision: Decision) -> str | None:
        return self.classifier.variant(judgement, decision)


@cache
def load_thresholds(path: Path = THRESHOLDS_FILE) -> Thresholds:
    """Read the thresholds.

    Raises:
        GuardrailError: the file is missing, or lacks a risk or has one that does not exist.
    """
    try:
        raw: dict[str, Any] = json.loads(read_text(path))
        tables = {
            name: {Decision(risk): float(value) for risk, value in raw[name].items()}
            for name in ("message", "window", "alone", "foreign")
        }
        if any(set(table) != _RISKS for table in tables.values()):
            raise ValueError("each table must have every risk")
        return Thresholds(**tables)
    except (ContentError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise GuardrailError(f"The thresholds {path} do not fit: {error}.", "Restore the file.") from error
