"""Figures for Prometheus: how many replies, how fast, what failed. Labels come from closed lists, never from a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

import askdmt
from askdmt.answering.outcomes import Outcome
from askdmt.decisions import Decision

if TYPE_CHECKING:
    from askdmt.knowledge.sections import Knowledge

Channel = Literal["page", "embed", "api", "openai"]
Stage = Literal["read", "encode", "guard", "rewrite", "search", "draft", "compose"]
Failure = Literal[Stage, "timeout", "error"]
Reload = Literal["changed", "unchanged", "refused"]

_REPLY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_STAGE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The figures of one server, in a registry of their own; every series is there from the start, at 0.

    `knowledge` gives the knowledge in use, whose age is counted anew whenever the figures are asked for.
    """

    def __init__(self, knowledge: Callable[[], Knowledge | None], today: Callable[[], date] = date.today) -> None:
        self.registry = CollectorRegistry()
        self._knowledge = knowledge
        self._today = today
        channels = get_args(Channel)
        self._replies = self._counter("replies", "Replies given", decision=tuple(Decision), channel=channels)
        self._reply_seconds = self._histogram("reply", "Time to a whole reply", _REPLY_SECONDS, channel=channels)
        self._stage_seconds = self._histogram("stage", "Time of one stage", _STAGE_SECONDS, stage=get_args(Stage))
        self._failures = self._counter("guard_failures", "Safe replies, by what failed", stage=get_args(Failure))
        self._drafts = self._counter(
            "drafts", "Drafts of a language model, by what became of them", outcome=get_args(Outcome)
        )
        self._limited = self._counter("rate_limited", "Visitors told to come back later", channel=channels)
        self._feedback = self._counter("feedback", "What visitors said of replies", helpful=("yes", "no"))
        self._reloads = self._counter("knowledge_reloads", "Reloads of the knowledge", result=get_args(Reload))
        self._transcript_failures = self._counter("transcript_failures", "Transcripts not kept or not deleted")
        self._age = self._gauge("knowledge_age_days", "Days since the review that is longest ago")
        self._overdue = self._gauge("knowledge_overdue_sections", "Sections whose next review is overdue")
        self._state = self._gauge("knowledge_info", "The knowledge in use, by the hash of its content", "digest")
        self._gauge("build_info", "The version that runs", "version").labels(askdmt.__version__).set(1)

    def replied(
        self, decision: Decision, channel: Channel, seconds: float, milliseconds_by_stage: Mapping[str, float]
    ) -> None:
        """Count a reply and how long it took, in all and by stage."""
        self._replies.labels(decision.value, channel).inc()
        self._reply_seconds.labels(channel).observe(seconds)
        for stage, milliseconds in milliseconds_by_stage.items():
            self._stage_seconds.labels(stage).observe(milliseconds / 1000)

    def guard_failed(self, failure: Failure) -> None:
        """Count a reply that could not be checked, so that the safe reply was given."""
        self._failures.labels(failure).inc()

    def drafted(self, outcome: Outcome) -> None:
        """Count a draft as shown, or by why the reviewed passages took its place."""
        self._drafts.labels(outcome).inc()

    def rate_limited(self, channel: Channel) -> None:
        """Count a visitor who was told to come back later."""
        self._limited.labels(channel).inc()

    def voted(self, *, helpful: bool) -> None:
        """Count what a visitor said of a reply."""
        self._feedback.labels("yes" if helpful else "no").inc()

    def transcript_failed(self) -> None:
        """Count a transcript that could not be kept or deleted."""
        self._transcript_failures.inc()

    def reloaded(self, result: Reload) -> None:
        """Count a reload of the knowledge."""
        self._reloads.labels(result).inc()

    def render(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        self._describe_knowledge()
        return generate_latest(self.registry)

    def _describe_knowledge(self) -> None:
        """Set the gauges of the knowledge; not a number while there is none, or nothing in it was reviewed."""
        knowledge, today = self._knowledge(), self._today()
        sections = knowledge.sections if knowledge else ()
        reviews = [section.reviewed for section in sections if section.reviewed]
        self._age.set((today - min(reviews)).days if reviews else math.nan)
        self._overdue.set(sum(section.overdue(today) for section in sections) if sections else math.nan)
        self._state.clear()
        if knowledge:
            self._state.labels(knowledge.digest[:12]).set(1)

    def _counter(self, name: str, about: str, **labels: Sequence[str]) -> Counter:
        counter = Counter(f"askdmt_{name}", about, tuple(labels), registry=self.registry)
        _begin(counter, labels)
        return counter

    def _histogram(self, name: str, about: str, buckets: Sequence[float], **labels: Sequence[str]) -> Histogram:
        histogram = Histogram(
            f"askdmt_{name}_seconds", about, tuple(labels), buckets=tuple(buckets), registry=self.registry
        )
        _begin(histogram, labels)
        return histogram

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"askdmt_{name}", about, labels, registry=self.registry)


def _begin(metric: Counter | Histogram, labels: Mapping[str, Sequence[str]]) -> None:
    """Make every series that there can be, so that a rate over the first event is not missed."""
    if labels:
        for values in product(*labels.values()):
            metric.labels(*values)


def metrics_router(metrics: Metrics) -> APIRouter:
    """Return the route that Prometheus reads."""
    router = APIRouter()

    @router.get("/metrics", include_in_schema=False)
    def figures() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    return router
