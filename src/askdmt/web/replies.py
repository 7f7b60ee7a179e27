"""The one place where every channel asks the assistant: limits before, counting after."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from askdmt.conversation import Conversation
from askdmt.errors import AskDMTError
from askdmt.reply import Reply
from askdmt.web.journal import Journal
from askdmt.web.limits import RateLimit
from askdmt.web.metrics import Channel
from askdmt.web.problems import HelpDesk, Unavailable
from askdmt.web.warming import AssistantSource

if TYPE_CHECKING:
    from askdmt.assistant import Assistant
    from askdmt.settings import Settings

log = logging.getLogger(__name__)

Messages = Sequence[Mapping[str, Any]]

COME_BACK_SECONDS = 5  # after which somebody who found it starting or busy may try again


class Answering:
    """A question that is being answered: `reply` is the task that gives the Reply, which will have this `id`."""

    reply: asyncio.Task[Reply]

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def begin(self, reply: asyncio.Task[Reply]) -> None:
        """Take the task, with which the last piece will have come."""
        self.reply = reply
        reply.add_done_callback(lambda _: self._heard.put_nowait(None))

    def show(self, piece: str) -> None:
        """Let a piece of the body be seen before the reply is whole; may be called in any thread."""
        self._loop.call_soon_threadsafe(self._heard.put_nowait, piece)

    async def pieces(self, patience: float | None = None) -> AsyncIterator[str | None]:
        """Yield the pieces of the body that can be shown before the reply; None after so many silent seconds."""
        while True:
            try:
                piece = await asyncio.wait_for(self._heard.get(), patience)
            except TimeoutError:
                yield None
                continue
            if piece is None:
                return
            yield piece


class Replies:
    """Answers questions of all channels over the assistant in use."""

    def __init__(self, source: AssistantSource, desk: HelpDesk, settings: Settings, journal: Journal) -> None:
        self.source = source
        self.desk = desk
        self.settings = settings
        self.journal = journal
        self._rate = RateLimit(settings)
        self._taken = 0  # questions that are answered or wait
        self._in_flight: set[asyncio.Task[Reply]] = set()

    async def ask(self, said: Messages, *, channel: Channel, address: str, region: str | None = None) -> Reply:
        """Answer the last of several messages, and wait for it; raises what `begin` does."""
        return await (await self.begin(said, channel=channel, address=address, region=region)).reply

    async def begin(self, said: Messages, *, channel: Channel, address: str, region: str | None = None) -> Answering:
        """Admit a question and begin to answer it; `address` is the visitor's, for the rate limit only.

        Its task raises nothing. It goes on to its end even if nobody waits for it, and keeps its place until then.

        Raises:
            InputError: there is no message of a visitor.
            SettingsError: the region is unknown.
            Unavailable: the visitor, or everybody, must come back later.
        """
        said = said[-self.settings.max_messages :]
        Conversation.of(said)
        self.desk.support.region(region or self.settings.region)
        if wait := await self._rate.seconds_to_wait(address):
            self.journal.rate_limited(channel)
            raise Unavailable("rate_limited", wait, region)
        if self._taken >= self.settings.max_concurrent:
            raise Unavailable("busy", COME_BACK_SECONDS, region)
        self._taken += 1
        try:
            assistant = await self.source.ready(self.settings.warm_up_seconds)
        except BaseException as error:
            self._taken -= 1
            if isinstance(error, TimeoutError | AskDMTError):
                raise Unavailable("starting", COME_BACK_SECONDS, region) from None
            raise
        answering = Answering()
        task = asyncio.create_task(self._answer(assistant, answering, said, channel, region))
        answering.begin(task)
        self._in_flight.add(task)
        task.add_done_callback(self._finish)
        return answering

    async def finished(self) -> None:
        """Wait until no question is being answered."""
        while self._in_flight:
            await asyncio.wait(set(self._in_flight))

    def _finish(self, task: asyncio.Task[Reply]) -> None:
        self._taken -= 1
        self._in_flight.discard(task)

    async def _answer(
        self, assistant: Assistant, answering: Answering, said: Messages, channel: Channel, region: str | None
    ) -> Reply:
        started = time.perf_counter()
        try:
            reply = await assistant.areply(said, region=region, trace=True, show=answering.show)
        except Exception as error:
            log.error("answering failed: %s", type(error).__name__)  # the type only: a message may quote the visitor
            reply = replace(self.desk.reply("error", region=region), trace={"failed": "error"})
        reply = replace(reply, id=answering.id)
        self.journal.replied(said, reply, channel, time.perf_counter() - started)
        return replace(reply, trace=None)
