"""Stand-ins: a judge that goes by a phrase, and an output guard that only knows sentences word for word."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from askdmt.decisions import Decision
from askdmt.guardrails.classifier import Judgement
from askdmt.guardrails.grounding import GroundingVerdict
from askdmt.guardrails.output_guard import SentenceVerdict
from askdmt.sentences import split_sentences
from fakes import ScriptedClassifier

REFUSED = "How much should I take?"

UNSAFE = "zorblat"  # stands in drafts for what must never be seen


class DosingClassifier(ScriptedClassifier):
    """Thinks `refuse_dosing` of what has REFUSED in it, and `label` of everything else."""

    def judge(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> list[Judgement]:
        usual = super().judge(texts, vectors)
        refused = ScriptedClassifier(Decision.REFUSE_DOSING, self.sure).judge(texts, vectors)
        asks = [REFUSED.lower() in " ".join(text.lower().split()) for text in texts]
        return [no if asked else yes for asked, no, yes in zip(asks, refused, usual, strict=True)]


class WordForWordGuard:
    """Shows a sentence that stands in a passage as it is."""

    def check(self, sentence: str, passages: Sequence[str], links: Collection[str] = ()) -> SentenceVerdict:  # noqa: ARG002
        place = next((place for place, passage in enumerate(passages) if sentence in passage), -1)
        reasons = () if place >= 0 else ("claim",)
        grounding = GroundingVerdict(place >= 0, float(place >= 0), reasons, sentence if place >= 0 else "", place)
        return SentenceVerdict(place >= 0, sentence if place >= 0 else "", reasons, (), grounding)

    def check_stream(
        self, tokens: Iterable[str], passages: Sequence[str], links: Collection[str] = ()
    ) -> Iterator[SentenceVerdict]:
        begun = ""
        for token in tokens:
            *whole, begun = split_sentences(begun + token) or [""]
            yield from (self.check(sentence, passages, links) for sentence in whole)
            begun += token[len(token.rstrip()) :]
        if begun.strip():
            yield self.check(begun.strip(), passages, links)

    async def acheck_stream(
        self, tokens: AsyncIterable[str], passages: Sequence[str], links: Collection[str] = ()
    ) -> AsyncIterator[SentenceVerdict]:
        begun = ""
        async for token in tokens:
            *whole, begun = split_sentences(begun + token) or [""]
            for sentence in whole:
                yield self.check(sentence, passages, links)
            begun += token[len(token.rstrip()) :]
        if begun.strip():
            yield self.check(begun.strip(), passages, links)
