"""The figures that Prometheus reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import get_args

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.knowledge.sections import Knowledge
from askdmt.web.journal import Journal
from askdmt.web.metrics import Channel, Failure, Metrics, Stage, metrics_router
from fakes import ScriptedClassifier

TODAY = date(2026, 11, 27)
SAID = [{"role": "user", "content": "Is tap water clean?"}]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(lambda: None, today=lambda: TODAY)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_reply_is_counted_by_decision_and_channel_and_timed_by_stage(metrics: Metrics, quick: Assistant) -> None:
    reply = quick.reply("Is tap water clean?", trace=True)
    Journal(metrics).replied(SAID, reply, "embed", 0.2)
    assert value(metrics, "askdmt_replies_total", decision="answer", channel="embed") == 1
    assert value(metrics, "askdmt_replies_total", decision="answer", channel="api") == 0
    assert value(metrics, "askdmt_reply_seconds_sum", channel="embed") == 0.2
    counts = {stage: value(metrics, "askdmt_stage_seconds_count", stage=stage) for stage in get_args(Stage)}
    assert (counts.pop("rewrite"), counts.pop("draft")) == (0, 0)  # there is no language model
    assert set(counts.values()) == {1}
    taken = sum(value(metrics, "askdmt_stage_seconds_sum", stage=stage) or 0 for stage in get_args(Stage))
    assert taken == pytest.approx(sum(reply.trace["milliseconds"].values()) / 1000)


def test_danger_is_counted_without_the_stages_it_skips(
    metrics: Metrics, quick: Assistant, classifier: ScriptedClassifier
) -> None:
    classifier.label = Decision.CRISIS
    Journal(metrics).replied(SAID, quick.reply("Is tap water clean?", trace=True), "page", 0.1)
    assert value(metrics, "askdmt_replies_total", decision="crisis", channel="page") == 1
    assert value(metrics, "askdmt_stage_seconds_count", stage="search") == 0
    assert value(metrics, "askdmt_stage_seconds_count", stage="guard") == 1


def test_a_guard_that_fails_is_counted_by_stage(
    metrics: Metrics, quick: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick.guard, "decide", lambda *_: 1 / 0)
    Journal(metrics).replied(SAID, quick.reply("Is tap water clean?", trace=True), "api", 0.1)
    failures = {stage: value(metrics, "askdmt_guard_failures_total", stage=stage) for stage in get_args(Failure)}
    assert failures == {**dict.fromkeys(get_args(Failure), 0), "guard": 1}


def test_the_visitors_turned_away_are_counted(metrics: Metrics) -> None:
    Journal(metrics).rate_limited("openai")
    limited = {channel: value(metrics, "askdmt_rate_limited_total", channel=channel) for channel in get_args(Channel)}
    assert limited == {"page": 0, "embed": 0, "api": 0, "openai": 1}


def test_the_knowledge_grows_old_by_itself(quick: Assistant) -> None:
    first, second = quick.knowledge.sections
    later = replace(second, reviewed=date(2026, 11, 10))
    days = [date(2026, 11, 11)]
    metrics = Metrics(lambda: Knowledge((first, later), {}, quick.knowledge.folder), today=lambda: days[-1])
    metrics.render()
    assert value(metrics, "askdmt_knowledge_age_days") == 10
    assert value(metrics, "askdmt_knowledge_overdue_sections") == 0
    days.append(date(2027, 5, 2))
    metrics.render()
    assert value(metrics, "askdmt_knowledge_age_days") == 182
    assert value(metrics, "askdmt_knowledge_overdue_sections") == 2


def test_drafts_have_no_age(quick: Assistant) -> None:
    drafts = [replace(section, reviewed=None, review_due=None) for section in quick.knowledge.sections]
    metrics = Metrics(lambda: Knowledge(tuple(drafts), {}, quick.knowledge.folder))
    metrics.render()
    assert str(value(metrics, "askdmt_knowledge_age_days")) == "nan"
    assert value(metrics, "askdmt_knowledge_overdue_sections") == 0


def test_the_knowledge_in_use_is_told_by_its_hash(quick: Assistant) -> None:
    in_use = [None, quick.knowledge]
    metrics = Metrics(lambda: in_use[-1])
    metrics.render()
    assert value(metrics, "askdmt_knowledge_info", digest=quick.knowledge.digest[:12]) == 1
    in_use.pop()
    assert b'digest="' not in metrics.render()
    assert str(value(metrics, "askdmt_knowledge_overdue_sections")) == "nan"


def test_prometheus_can_read_the_page_and_every_series_is_there_from_the_start(metrics: Metrics) -> None:
    app = FastAPI()
    app.include_router(metrics_router(metrics))
    response = TestClient(app).get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert len(families["askdmt_replies"].samples) == len(Decision) * len(get_args(Channel))
    assert all(family.documentation for family in families.values())


def test_two_servers_of_one_process_count_apart() -> None:
    first, second = Metrics(lambda: None), Metrics(lambda: None)
    first.rate_limited("api")
    assert value(second, "askdmt_rate_limited_total", channel="api") == 0
