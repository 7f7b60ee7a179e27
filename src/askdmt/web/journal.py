"""What is written down of each reply: figures, a log line and, where the clinic wants it, a redacted transcript."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from askdmt.conversation import Conversation
from askdmt.transcripts.keeper import Keeper
from askdmt.web.metrics import Channel, Metrics

if TYPE_CHECKING:
    from askdmt.reply import Reply

log = logging.getLogger(__name__)

_VOTES_REMEMBERED = 10_000  # replies of which one vote is counted


class Journal:
    """Takes down what every channel's replies were. Only a transcript has text, and only that is redacted for it."""

    def __init__(self, metrics: Metrics, keeper: Keeper | None = None) -> None:
        self.metrics = metrics
        self._keeper = keeper
        self._voted: OrderedDict[str, None] = OrderedDict()

    def replied(self, said: Sequence[Mapping[str, Any]], reply: Reply, channel: Channel, seconds: float) -> None:
        """Take down a reply, asked for with its trace, that took so many seconds; never raises."""
        try:
            self._take_down(said, reply, channel, seconds)
        except Exception as error:
            log.error("a reply was not taken down: %s", type(error).__name__)

    def rate_limited(self, channel: Channel) -> None:
        """Take down that a visitor was told to come back later."""
        self.metrics.rate_limited(channel)
        log.info("rate limited", extra={"channel": channel})

    def voted(self, reply_id: str, *, helpful: bool) -> None:
        """Take down whether a reply helped; it is counted once, and a later vote corrects the transcript only."""
        if reply_id not in self._voted:
            self._voted[reply_id] = None
            if len(self._voted) > _VOTES_REMEMBERED:
                self._voted.popitem(last=False)
            self.metrics.voted(helpful=helpful)
            log.info("voted", extra={"helpful": helpful})
        if self._keeper:
            self._keeper.vote(reply_id, helpful=helpful)

    def close(self) -> None:
        """Write what still waits to be written."""
        if self._keeper:
            self._keeper.close()

    def _take_down(self, said: Sequence[Mapping[str, Any]], reply: Reply, channel: Channel, seconds: float) -> None:
        trace = reply.trace or {}
        stages, failed = trace.get("milliseconds", {}), trace.get("failed")
        self.metrics.replied(reply.decision, channel, seconds, stages)
        if failed:
            self.metrics.guard_failed(failed)
        outcome = trace.get("llm", {}).get("outcome")
        if outcome:
            self.metrics.drafted(outcome)
        facts = {"channel": channel, "decision": reply.decision.value, "rule": trace.get("rule"), "failure": failed}
        facts |= {"draft": outcome} if outcome else {}
        log.info("replied", extra={**facts, "milliseconds": round(seconds * 1000, 1), "stages": stages})
        if self._keeper:
            self._keeper.keep(Conversation.of(said).last, reply, channel)
