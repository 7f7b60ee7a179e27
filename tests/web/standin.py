"""A stand-in for the assistant: real replies from the real texts, decided by a word in the question."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from askdmt.decisions import Decision
from askdmt.knowledge.sections import SUPPORT_FILE, load_knowledge
from askdmt.reply import Citation, Reply
from askdmt.resources import content_folder
from askdmt.settings import Settings
from askdmt.support import load_support
from askdmt.wording import load_wording

PASSAGE = (
    "DMT is short for dimethyltryptamine. It is a psychedelic: for a short time it changes what people see, feel and "
    "think. Many plant species contain it."
)
BODY = (
    "DMT is short for dimethyltryptamine. It is a psychedelic: for a short time it changes what people see, feel and "
    "think. [1]\n\nIn a small trial, people with depression had DMT together with therapy. The trial was small, "
    "so nobody can be sure yet how well it works. [2]"
)
SOURCE = "A short-acting psychedelic intervention for major depressive disorder, Nature Medicine, 2026-02-16"
CITATIONS = (
    Citation(1, "what-dmt-is", "What DMT is", SOURCE, "https://doi.org/10.1038/x", date(2026, 11, 23), PASSAGE),
    Citation(2, "trial-results", "What the trial found", SOURCE, "", None, PASSAGE, signed=False),
)


class StandIn:
    """Has what the page uses of an Assistant; `hold` keeps answers back until it is set."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**{"region": "gb", "rate_limit": "off", **settings})
        self.knowledge = load_knowledge(content_folder("knowledge"))
        self.support = load_support(content_folder("knowledge") / SUPPORT_FILE)
        self.hold = threading.Event()
        self.hold.set()
        self.came = threading.Semaphore(0)  # one for each question that has come in
        self.asked: list[tuple[list[Mapping[str, Any]], str | None]] = []

    def reply(self, said: Sequence[Mapping[str, Any]], *, region: str | None = None, **_: Any) -> Reply:
        self.asked.append((list(said), region))
        self.came.release()
        question = said[-1]["content"]
        self.hold.wait(timeout=60)
        if "explode" in question:
            raise RuntimeError(f"cannot answer {question}")
        wording = load_wording("de" if "deutsch" in question else "en")
        if len(question) > self.settings.max_characters:
            limit = self.settings.max_characters
            return wording.reply(Decision.OUT_OF_SCOPE, wording.replies.too_long.format(limit=limit))
        lines = self.support.lines(region or self.settings.region, wording.support)
        if "crisis" in question:
            body = wording.fixed(Decision.CRISIS, "self", emergency="999")
            return wording.reply(Decision.CRISIS, body, support=lines)
        if "dose" in question:
            return wording.reply(Decision.REFUSE_DOSING, wording.fixed(Decision.REFUSE_DOSING))
        return wording.reply(Decision.ANSWER, BODY, citations=CITATIONS)

    async def areply(self, said: Sequence[Mapping[str, Any]], **named: Any) -> Reply:
        return await asyncio.to_thread(self.reply, said, **named)

    def safe_reply(self, reason: str, region: str | None = None) -> Reply:
        wording = load_wording(self.settings.language)
        lines = self.support.lines(region or self.settings.region, wording.support)
        return wording.reply(Decision.NOT_IN_SOURCES, getattr(wording.replies, reason), support=lines)
