"""Generative answers: a language model writes a draft, and only its checked sentences are shown, each with its source.

A draft that fails is replaced by the extractive answer. A sentence that was shown is never taken back: a draft that
breaks off, or of which little stands, is followed by the best reviewed passage.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from askdmt.answering.extractive import MOST_WORDS, Composed, cite, compose, opening
from askdmt.answering.models import LanguageModel, ModelFailure, load_chat_model
from askdmt.answering.outcomes import Outcome, Reason
from askdmt.answering.prompts import load_prompts
from askdmt.transcripts.redaction import redact

if TYPE_CHECKING:
    from askdmt.guardrails.output_guard import OutputGuard, SentenceVerdict
    from askdmt.knowledge.search import Findings
    from askdmt.knowledge.sections import Knowledge
    from askdmt.reply import Citation
    from askdmt.settings import Settings

log = logging.getLogger(__name__)

Show = Callable[[str, Sequence["Citation"]], None]  # is given what may be shown now, and all citations so far
Task = Literal["answer", "general"]  # a prompt's id
Failure = Literal[Reason, "unsupported", "guard"]

_PASSAGES = 4  # that a model is given
_LEAST_WORDS = 60  # of the passage that follows a broken draft
_LONGEST_REWRITE = 300  # characters
_MARK = re.compile(r"\s*\[\d[\d,;\s–-]*\]")
_LETTER = re.compile(r"[^\W\d_]")
_LEANS = re.compile(
    r"(?:and|but|so|or|also|then|however|therefore|thus|instead|besides|still|yet|it|its|they|them|their|this|that"
    r"|these|those|such|he|she|his|her|both|either|neither|because of|for example|for instance|as a result"
    r"|in contrast|on the other hand)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What stands in the reply; `outcome` is written, mended, or why the extractive answer took the draft's place."""

    composed: Composed
    outcome: Outcome
    trace: dict[str, Any]


class Drafter:
    """Lets a language model write, and shows what the output guard lets pass; never raises for what a model does."""

    def __init__(self, model: LanguageModel, guard: OutputGuard | None = None) -> None:
        self.model = model
        self.prompts = load_prompts()
        self._guard = guard

    @classmethod
    def load(cls, settings: Settings) -> Drafter:
        """Return the drafter with the model that `settings.llm` names.

        Raises:
            SettingsError: there is no such model, or its package or key is missing; names the mend.
            ContentError: a prompt is missing or does not fit.
        """
        return cls(LanguageModel(load_chat_model(settings), settings))

    def compose(
        self, knowledge: Knowledge, findings: Findings, question: str, *, task: Task, seconds: float,
        show: Show, most_words: int = MOST_WORDS, passages: int = 3,
    ) -> Drafted:  # fmt: skip
        """Answer from what was found; `passages` is how many an extractive answer has if there must be one.

        Raises:
            ValueError: nothing was found.
        """
        draft = _Draft(knowledge, [item.passage for item in findings.found[:_PASSAGES]], most_words, show)
        written = _Written(self._ask(task, draft.texts, question, most_words, seconds))
        failure = self._check(draft, written)
        outcome: Outcome = failure or "written"
        if not draft.sentences:
            composed = compose(knowledge, findings, most_words=most_words, passages=passages)
        else:
            if failure:
                draft.add_passage()
                outcome = "mended"
            composed = draft.composed
        return Drafted(composed, outcome, self._trace(draft, written, outcome, failure))

    def rewrite(self, question: str, before: Sequence[str], seconds: float) -> str:
        """Return a follow-up as a question that stands alone; empty if the model gives none. It is not yet checked."""
        boundary = _boundary()
        asked = self.prompts["rewrite"].fill(
            boundary=boundary, before="\n".join(map(redact, before)), question=redact(question)
        )
        try:
            written = "".join(self.model.tokens(self._system(boundary), asked, seconds)).strip()
        except ModelFailure:
            return ""
        return written if "\n" not in written and len(written) <= _LONGEST_REWRITE else ""

    def _ask(self, task: Task, passages: Sequence[str], question: str, words: int, seconds: float) -> Iterator[str]:
        """Ask the model; what comes from others is enclosed in lines that nobody can foresee."""
        boundary = _boundary()
        quoted = [
            self.prompts["passage"].fill(boundary=boundary, n=str(n), passage=passage)
            for n, passage in enumerate(passages, start=1)
        ]
        asked = self.prompts[task].fill(
            boundary=boundary, passages="\n\n".join(quoted), question=redact(question), words=str(words)
        )
        return self.model.tokens(self._system(boundary), asked, seconds)

    def _system(self, boundary: str) -> str:
        return self.prompts["system"].fill(boundary=boundary)

    def _check(self, draft: _Draft, written: _Written) -> Failure | None:
        """Show the sentences that pass; return why the draft does not stand, None if it does."""
        try:
            for verdict in self._output_guard().check_stream(written, draft.texts, draft.links):
                if written.failure:  # this is the half sentence at which it broke off
                    break
                draft.add(verdict)
                if not draft.sentences:
                    return "unsupported"
                if draft.full:
                    break
        except Exception as error:
            log.error("checking a draft failed: %s", type(error).__name__)  # the type only: it may quote a visitor
            return "guard"
        finally:
            written.close()
        if not draft.sentences:
            return written.failure or "unsupported"
        return written.failure or ("unsupported" if draft.dropped > len(draft.sentences) else None)

    def _output_guard(self) -> OutputGuard:
        if self._guard is None:
            from askdmt.guardrails.output_guard import OutputGuard

            self._guard = OutputGuard()
        return self._guard

    def _trace(self, draft: _Draft, written: _Written, outcome: Outcome, failure: Failure | None) -> dict[str, Any]:
        return {
            "model": self.model.name,
            "prompts": {name: prompt.stamp for name, prompt in self.prompts.items()},
            "outcome": outcome,
            "failure": failure,
            "draft": written.text,
            "sentences": [_as_trace(verdict) for verdict in draft.verdicts],
        }


class _Written:
    """What a model writes, piece by piece; where that breaks off, it ends, and `failure` says why."""

    def __init__(self, tokens: Iterator[str]) -> None:
        self._tokens = tokens
        self.text = ""
        self.failure: Reason | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            for token in self._tokens:
                self.text += token
                yield token
        except ModelFailure as failure:
            self.failure = failure.reason
        except Exception as error:
            log.error("asking a language model failed: %s", type(error).__name__)
            self.failure = "error"

    def close(self) -> None:
        """Let the model write no further."""
        if close := getattr(self._tokens, "close", None):
            close()


@dataclass
class _Draft:
    """The sentences that stand, and the passages they cite, numbered in the order in which they are cited."""

    knowledge: Knowledge
    passages: list[str]  # ids, in the order in which the model was given them
    most_words: int
    show: Show
    sentences: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    verdicts: list[SentenceVerdict] = field(default_factory=list)
    dropped: int = 0
    full: bool = False
    _numbers: dict[int, int] = field(default_factory=dict)  # place among the passages -> number in the reply
    _gap: bool = False  # whether the sentence before was dropped
    _passage: str = ""

    @property
    def texts(self) -> list[str]:
        """The passages' texts."""
        return [self.knowledge.passages[passage].text for passage in self.passages]

    @property
    def links(self) -> set[str]:
        """The addresses that a sentence may have."""
        cited = (cite(self.knowledge, passage, 0) for passage in self.passages)
        return {citation.url for citation in cited if citation.url}

    @property
    def composed(self) -> Composed:
        """The body so far with its citations."""
        body = " ".join(self.sentences)
        return Composed(f"{body}\n\n{self._passage}" if self._passage else body, tuple(self.citations))

    def add(self, verdict: SentenceVerdict) -> None:
        """Show a sentence that passed, unless it leans on one that did not."""
        self.verdicts.append(verdict)
        text = _MARK.sub("", verdict.text).strip()
        places = self._places(verdict)
        if not verdict.shown or not places or not _LETTER.search(text) or (self._gap and _LEANS.match(text)):
            self.dropped += 1
            self._gap = True
            return
        if sum(map(_words, self.sentences)) + _words(text) > self.most_words:
            self.full = True
            return
        self._gap = False
        marks = " ".join(f"[{self._number(place)}]" for place in places)
        self.sentences.append(f"{text} {marks}")
        self.show(f" {self.sentences[-1]}" if len(self.sentences) > 1 else self.sentences[-1], self.citations)

    def add_passage(self) -> None:
        """Show the best reviewed passage after what the draft has."""
        left = self.most_words - sum(map(_words, self.sentences))
        if text := opening(self.texts[0], max(left, _LEAST_WORDS)):
            self._passage = f"{text} [{self._number(0)}]"
            self.show(f"\n\n{self._passage}", self.citations)

    def _places(self, verdict: SentenceVerdict) -> list[int]:
        """Return which passages a sentence leans on, from 0: those it cites, or the one that bears it out."""
        cited = [n - 1 for n in verdict.cited if 1 <= n <= len(self.passages)]
        if not cited and verdict.grounding and 0 <= verdict.grounding.passage < len(self.passages):
            cited = [verdict.grounding.passage]
        return list(dict.fromkeys(cited))

    def _number(self, place: int) -> int:
        if place not in self._numbers:
            self._numbers[place] = len(self._numbers) + 1
            self.citations.append(cite(self.knowledge, self.passages[place], self._numbers[place]))
        return self._numbers[place]


def _as_trace(verdict: SentenceVerdict) -> dict[str, Any]:
    grounding = verdict.grounding
    return {
        "shown": verdict.shown,
        "text": verdict.text,
        "reasons": list(verdict.reasons),
        "cited": list(verdict.cited),
        "score": round(grounding.score, 3) if grounding else None,
        "span": grounding.span if grounding else "",
    }


def _boundary() -> str:
    return f"----{secrets.token_hex(8)}----"


def _words(text: str) -> int:
    return len(_MARK.sub("", text).split())
