"""A stand-in for the output guard: it only knows sentences word for word."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from askdmt.sentences import split_sentences

UNSAFE = "zorblat"  # stands in drafts for what must never be seen


@dataclass(frozen=True, slots=True)
class FakeVerdict:
    shown: bool
    text: str
    reasons: tuple[str, ...]
    cited: tuple[int, ...]
    grounding: Any


class WordForWordGuard:
    """Shows a sentence that stands in a passage as it is."""

    def check(self, sentence: str, passages: Sequence[str], links: Collection[str] = ()) -> FakeVerdict:  # noqa: ARG002
        place = next((place for place, passage in enumerate(passages) if sentence in passage), -1)
        grounding = SimpleNamespace(passage=place)
        return FakeVerdict(place >= 0, sentence if place >= 0 else "", () if place >= 0 else ("claim",), (), grounding)

    def check_stream(
        self, tokens: Iterable[str], passages: Sequence[str], links: Collection[str] = ()
    ) -> Iterator[FakeVerdict]:
        begun = ""
        for token in tokens:
            *whole, begun = split_sentences(begun + token) or [""]
            yield from (self.check(sentence, passages, links) for sentence in whole)
            begun += token[len(token.rstrip()) :]
        if begun.strip():
            yield self.check(begun.strip(), passages, links)

    async def acheck_stream(
        self, tokens: AsyncIterable[str], passages: Sequence[str], links: Collection[str] = ()
    ) -> AsyncIterator[FakeVerdict]:
        begun = ""
        async for token in tokens:
            *whole, begun = split_sentences(begun + token) or [""]
            for sentence in whole:
                yield self.check(sentence, passages, links)
            begun += token[len(token.rstrip()) :]
        if begun.strip():
            yield self.check(begun.strip(), passages, links)
