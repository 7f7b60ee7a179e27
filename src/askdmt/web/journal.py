"""What is written down of each reply: figures and a log line, never its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from askdmt.web.metrics import Channel, Metrics

if TYPE_CHECKING:
    from askdmt.reply import Reply

log = structlog.get_logger(__name__)


class Journal:
    """Takes down what every channel's replies were."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def replied(self, reply: Reply, channel: Channel, seconds: float) -> None:
        """Take down a reply, asked for with its trace, that took so many seconds."""
        trace = reply.trace or {}
        stages, failed = trace.get("milliseconds", {}), trace.get("failed")
        self.metrics.replied(reply.decision, channel, seconds, stages)
        if failed:
            self.metrics.guard_failed(failed)
        log.info(
            "replied",
            channel=channel,
            decision=reply.decision.value,
            rule=trace.get("rule"),
            failure=failed,
            milliseconds=round(seconds * 1000, 1),
            stages=stages,
        )

    def rate_limited(self, channel: Channel) -> None:
        """Take down that a visitor was told to come back later."""
        self.metrics.rate_limited(channel)
        log.info("rate limited", channel=channel)
