"""One visitor's conversation on the page: what is asked, and what the page shows next."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from askdmt.reply import Reply
from askdmt.wording import Wording, load_wording

if TYPE_CHECKING:
    from askdmt.assistant import Assistant

log = logging.getLogger(__name__)

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
    notice: str = ""  # a short visible message under the conversation

    @property
    def last_reply(self) -> Reply | None:
        """The reply to the last question; None while one is being looked for."""
        return self.turns[-1].reply if self.turns and not self.pending else None


class Chat:
    """What the page's controls do; holds nothing of a visitor, who brings the turns so far."""

    def __init__(self, assistant: Assistant) -> None:
        self.assistant = assistant

    @property
    def wording(self) -> Wording:
        """The page's own language."""
        return load_wording(self.assistant.settings.language)

    def ask(self, question: str, turns: tuple[Turn, ...], region: str) -> Iterator[View]:
        """Yield the page while the answer is looked for, and the page with the answer."""
        words = self.wording.page
        if not question.strip():
            yield View(turns, notice=words.message_placeholder)
            return
        yield View(turns, pending=question, notice=words.working)
        reply = self._reply(question, turns, region)
        kept = question[: self.assistant.settings.max_characters]
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
        known = isinstance(region, str) and region in self.assistant.support.regions
        return str(region) if known else self.assistant.settings.region

    def _reply(self, question: str, turns: tuple[Turn, ...], region: str) -> Reply:
        region = self.known_region(region)
        said = [*(message for turn in turns for message in _messages(turn)), {"role": "user", "content": question}]
        try:
            return self.assistant.reply(said, region=region)
        except Exception as error:
            log.error("answering on the page failed: %s", type(error).__name__)  # the message may quote the visitor
            return self.assistant.safe_reply("error", region)


def _messages(turn: Turn) -> list[dict[str, str]]:
    return [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.reply.text}]
