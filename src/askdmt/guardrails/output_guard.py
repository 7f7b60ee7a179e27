"""Lets a drafted sentence be shown only if its passages bear it out and it holds nothing forbidden.

The reasons that a verdict may give are those of `grounding`, of `data/draft_rules.yaml`, and these: "empty", "long",
"unfinished", "repeated", "citation", "markup", "link", "language", and "error" where it could not be checked.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

from askdmt.guardrails.draft_rules import forbidden
from askdmt.guardrails.drafts import (
    LONGEST,
    Sentences,
    addresses,
    citations,
    is_finished,
    plain,
    without_addresses,
    without_citations,
    without_yes_or_no,
)
from askdmt.guardrails.grounding import Grounding, GroundingVerdict
from askdmt.guardrails.language import detect_language
from askdmt.guardrails.normalise import normalise
from askdmt.guardrails.vocabulary import load_vocabulary

log = logging.getLogger(__name__)

_LETTERS = re.compile(r"[^\W\d_]+")
_KNOWN = 0.75  # share of a sentence's words that must be English or the passages' own
_FEW = 4  # of fewer words than this, one may be unknown


@dataclass(frozen=True, slots=True)
class SentenceVerdict:
    """Whether a sentence may be shown, and why not."""

    shown: bool
    text: str  # what may be shown, its markup made harmless; empty when not shown
    reasons: tuple[str, ...]
    cited: tuple[int, ...]  # passages that it cites, from 1
    grounding: GroundingVerdict | None  # None where it did not come to that


class OutputGuard:
    """Checks drafts; closed: what it cannot check is not shown."""

    def __init__(self, grounding: Grounding | None = None) -> None:
        """Use this check of grounding, or the shipped one, loaded at the first sentence."""
        self._grounding = grounding
        self._loading = Lock()

    def check(self, sentence: str, passages: Sequence[str], links: Collection[str] = ()) -> SentenceVerdict:
        """Judge one sentence; never raises."""
        try:
            return self._check(sentence, passages, links)
        except Exception as error:
            log.error("a sentence could not be checked: %s", type(error).__name__)  # the type: it may quote a visitor
            return _withheld("error")

    def check_stream(
        self, tokens: Iterable[str], passages: Sequence[str], links: Collection[str] = ()
    ) -> Iterator[SentenceVerdict]:
        """Yield a verdict for each sentence as soon as it is whole.

        An error of `tokens` passes through; the sentence that it broke off is lost.
        """
        draft = _Draft(self, passages, links)
        for token in tokens:
            yield from draft.feed(token)
        yield from draft.end()

    async def acheck_stream(
        self, tokens: AsyncIterable[str], passages: Sequence[str], links: Collection[str] = ()
    ) -> AsyncIterator[SentenceVerdict]:
        """Do the same for a draft that arrives asynchronously; sentences are checked in a thread."""
        from anyio import to_thread

        draft = _Draft(self, passages, links)
        async for token in tokens:
            for verdict in await to_thread.run_sync(list, draft.feed(token)):
                yield verdict
        for verdict in await to_thread.run_sync(list, draft.end()):
            yield verdict

    def _check(self, sentence: str, passages: Sequence[str], links: Collection[str]) -> SentenceVerdict:
        if not sentence.strip():
            return _withheld("empty")
        if len(sentence) > LONGEST:
            return _withheld("long")
        text, faults = plain(sentence, (*links, *addresses("\n".join(passages))))
        text = without_yes_or_no(text)
        cited = citations(text)
        if any(not 1 <= number <= len(passages) for number in cited):
            faults += ("citation",)
        claim = without_addresses(without_citations(text))
        read = normalise(claim).text
        if not _speaks_as(read, claim, passages):
            faults += ("language",)
        faults += tuple(dict.fromkeys((*forbidden(claim, passages), *forbidden(read, passages))))
        if not _LETTERS.search(claim):
            faults += ("empty",)
        if faults:
            return SentenceVerdict(False, "", tuple(dict.fromkeys(faults)), cited, None)
        verdict = self._loaded().check(claim, [passages[number - 1] for number in cited] or passages)
        reasons = verdict.reasons
        if not verdict.supported and cited and len(cited) < len(passages):
            reasons = ("citation", *reasons)
        if cited and verdict.passage >= 0:
            verdict = _placed(verdict, cited)
        return SentenceVerdict(verdict.supported, text if verdict.supported else "", reasons, cited, verdict)

    def _loaded(self) -> Grounding:
        with self._loading:
            if self._grounding is None:
                self._grounding = Grounding.load()
            return self._grounding


class _Draft:
    """One draft on its way through a guard: what has begun of it, and what it said before."""

    def __init__(self, guard: OutputGuard, passages: Sequence[str], links: Collection[str]) -> None:
        self._guard, self._passages, self._links = guard, passages, links
        self._sentences = Sentences()
        self._said: set[int] = set()

    def feed(self, token: str) -> Iterator[SentenceVerdict]:
        return (self._verdict(sentence) for sentence in self._sentences.feed(token))

    def end(self) -> Iterator[SentenceVerdict]:
        if rest := self._sentences.rest():
            yield self._verdict(rest) if is_finished(rest) else _withheld("unfinished")

    def _verdict(self, sentence: str) -> SentenceVerdict:
        said = hash(without_citations(sentence).lower())
        if said in self._said:  # a draft that goes round in circles costs next to nothing
            return _withheld("repeated")
        self._said.add(said)
        return self._guard.check(sentence, self._passages, self._links)


def _withheld(reason: str) -> SentenceVerdict:
    return SentenceVerdict(False, "", (reason,), (), None)


def _placed(verdict: GroundingVerdict, cited: Sequence[int]) -> GroundingVerdict:
    """Return a verdict on the cited passages with the span's place among all of them."""
    place = cited[verdict.passage] - 1
    return GroundingVerdict(verdict.supported, verdict.score, verdict.reasons, verdict.span, place)


def _speaks_as(read: str, written: str, passages: Sequence[str]) -> bool:
    """Whether a sentence is in the passages' language and script."""
    given = " ".join(passages)
    if _scripts(written) - _scripts(given) - {"LATIN"}:
        return False
    language = detect_language(given) if given else "en"
    if detect_language(read) != language:
        return False
    if language != "en":
        return True
    known = {word.lower() for word in _LETTERS.findall(given)}
    words = [word.lower() for word in _LETTERS.findall(read)]
    vocabulary = load_vocabulary()
    strange = sum(word not in known and word not in vocabulary and len(word) > 1 for word in words)
    return strange <= max((1 - _KNOWN) * len(words), len(words) >= _FEW)


def _scripts(text: str) -> set[str]:
    """Return the first words of the Unicode names of a text's letters."""
    return {
        "LATIN" if character.isascii() else unicodedata.name(character, "?").split()[0]
        for character in set(text)
        if character.isalpha()
    }
