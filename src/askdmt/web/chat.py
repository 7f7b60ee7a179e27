"""One visitor's conversation on the page: what is asked, and what the page shows next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from askdmt.reply import Reply
from askdmt.web.problems import Unavailable
from askdmt.web.replies import Replies
from askdmt.wording import Wording

MOST_TURNS = 30  # turns that a page keeps in view and in the session; older ones are dropped


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its reply."""

    question: str
    reply: Reply


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows: the turns, and the question that is being answered, if any."""

    turns: tuple[Turn, ...] = ()
    pending: str = ""
    written: str = ""  # what may be shown of its answer already
    notice: str = ""  # a short visible message under the conversation

    @property
    def last_reply(self) -> Reply | None:
        """The reply to the last question; None while one is being looked for."""
        return self.turns[-1].reply if self.turns and not self.pending else None


class Chat:
    """What the page's controls do; holds nothing of a visitor, who brings the turns so far."""

    def __init__(self, replies: Replies) -> None:
        self.replies = replies

    @property
    def wording(self) -> Wording:
        """The page's own words."""
        return self.replies.desk.wording

    async def ask(self, question: str, turns: tuple[Turn, ...], region: str, address: str) -> AsyncIterator[View]:
        """Yield the page while the answer is looked for, with what can be shown of it, and the page with the answer."""
        words = self.wording.page
        if not question.strip():
            yield View(turns, notice=words.message_placeholder)
            return
        yield View(turns, pending=question, notice=words.working)
        region = self.known_region(region)
        said = [*(message for turn in turns for message in _messages(turn)), {"role": "user", "content": question}]
        try:
            answering = await self.replies.begin(said, channel="page", address=address, region=region)
            written = ""
            async for piece in answering.pieces():
                written += piece or ""
                if piece:
                    yield View(turns, pending=question, written=written, notice=words.working)
            reply = await answering.reply
        except Unavailable as unavailable:
            reply = self.replies.desk.reply(unavailable.reason, seconds=unavailable.seconds, region=region)
        kept = question[: self.replies.settings.max_characters]
        yield View((*turns, Turn(kept, reply))[-MOST_TURNS:])

    def stop(self, turns: tuple[Turn, ...]) -> View:
        """Leave the question that was being answered."""
        return View(turns, notice=self.wording.page.stopped)

    def clear(self) -> View:
        """Forget the conversation."""
        return View(notice=self.wording.page.cleared)

    def suggestions(self, view: View) -> tuple[str, ...]:
        """Return the questions offered as buttons; none while one is answered or somebody is in danger."""
        if view.pending:
            return ()
        return view.last_reply.suggestions if view.last_reply else self.wording.suggestions.default

    def known_region(self, region: object) -> str:
        """Return the region if there are help lines for it, else the operator's."""
        known = isinstance(region, str) and region in self.replies.desk.support.regions
        return str(region) if known else self.replies.settings.region


def _messages(turn: Turn) -> list[dict[str, str]]:
    return [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.reply.text}]
