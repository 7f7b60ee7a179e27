"""What the operator has: figures, feedback, transcripts and reloading, over the whole application."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from standin import StandIn
from visitor import free_port, serving

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.errors import AskDMTError, TranscriptsError
from askdmt.settings import Settings
from askdmt.transcripts.keeper import Keeper
from askdmt.transcripts.store import Transcripts
from askdmt.web.metrics import Metrics
from askdmt.web.reloading import Reloader
from askdmt.web.server import create_app
from askdmt.web.warming import AssistantSource
from fakes import BREAD, FakeEncoder, ScriptedClassifier, small_assistant, write_section

HERE = Path(__file__).parent
QUESTION = {"messages": [{"role": "user", "content": "I'm Anna. What is DMT?"}]}
TOKEN = "open-sesame"  # noqa: S105


@contextmanager
def client(**settings: Any) -> Iterator[httpx.Client]:
    standin = StandIn(**settings)
    with serving(create_app(standin, standin.settings)) as address, httpx.Client(base_url=address, timeout=30) as http:
        yield http


def figure(http: httpx.Client, series: str) -> float:
    """Return one figure of `/metrics` by its whole name."""
    lines = dict(line.rsplit(" ", 1) for line in http.get("/metrics").text.splitlines() if not line.startswith("#"))
    return float(lines[series])


def until(happened: Callable[[], Any]) -> Any:
    """Wait for what another thread does."""
    end = time.monotonic() + 200
    while not (result := happened()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return result


# Figures


def test_replies_of_every_channel_are_counted() -> None:
    with client(rate_limit="3/minute") as http:
        http.post("/api/reply", json=QUESTION)
        http.post("/api/reply", json={"text": "which dose?"}, headers={"Sec-Fetch-Site": "same-origin"})
        http.post("/v1/chat/completions", json={"model": "askdmt", **QUESTION})
        assert http.post("/api/reply", json=QUESTION).status_code == 429
        assert figure(http, 'askdmt_replies_total{channel="api",decision="answer"}') == 1
        assert figure(http, 'askdmt_replies_total{channel="embed",decision="refuse_dosing"}') == 1
        assert figure(http, 'askdmt_replies_total{channel="openai",decision="answer"}') == 1
        assert figure(http, 'askdmt_reply_seconds_count{channel="api"}') == 1
        assert figure(http, 'askdmt_rate_limited_total{channel="api"}') == 1


def test_a_failure_is_counted() -> None:
    with client() as http:
        http.post("/api/reply", json={"text": "explode"})
        assert figure(http, 'askdmt_guard_failures_total{stage="error"}') == 1


def test_figures_can_be_switched_off() -> None:
    with client(metrics=False) as http:
        assert http.get("/metrics").status_code == 404


# Feedback and transcripts


def test_a_vote_is_counted_once_a_reply() -> None:
    with client(feedback=True) as http:
        vote = {"id": http.post("/api/reply", json=QUESTION).json()["id"], "helpful": True}
        assert [http.post("/api/feedback", json=vote).status_code for _ in range(3)] == [204] * 3
        http.post("/api/feedback", json={"id": "0" * 32, "helpful": False})
        assert figure(http, 'askdmt_feedback_total{helpful="yes"}') == 1
        assert figure(http, 'askdmt_feedback_total{helpful="no"}') == 1


@pytest.mark.parametrize(
    "vote", [{"id": "x", "helpful": True}, {"id": "0" * 32}, {"id": "0" * 32, "helpful": True, "comment": "I am Anna"}]
)
def test_a_vote_has_no_text(vote: dict[str, Any]) -> None:
    with client(feedback=True) as http:
        response = http.post("/api/feedback", json=vote)
        assert response.status_code == 422
        assert "Anna" not in response.text


def test_without_the_setting_there_is_no_feedback() -> None:
    with client() as http:
        assert http.post("/api/feedback", json={"id": "0" * 32, "helpful": True}).status_code in (404, 405)


def test_transcripts_are_kept_redacted_with_the_vote_until_the_server_stops(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    with client(feedback=True, transcripts_url=url) as http:
        reply = http.post("/api/reply", json=QUESTION).json()
        http.post("/api/feedback", json={"id": reply["id"], "helpful": False})
    (row,) = Transcripts(url, 30).read()
    assert (row.question, row.body, row.reply_id) == ("I'm [name]. What is DMT?", reply["body"], reply["id"])
    assert (row.channel, row.helpful, row.day) == ("api", False, date.today())


def test_nothing_is_kept_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Transcripts, "__init__", lambda *_: pytest.fail("a database was opened"))
    with client(feedback=True) as http:
        http.post("/api/reply", json=QUESTION)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_fails_keeps_no_visitor_from_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise TranscriptsError("The transcripts cannot be written (OperationalError).")

    monkeypatch.setattr(Transcripts, "keep", fail)
    with client(transcripts_url=f"sqlite:///{tmp_path / 'kept.db'}") as http:
        assert http.post("/api/reply", json=QUESTION).json()["decision"] == "answer"
        until(lambda: figure(http, "askdmt_transcript_failures_total") == 1)
    assert "transcripts failed: TranscriptsError" in caplog.text
    assert "Anna" not in caplog.text


def test_a_database_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    standin = StandIn(transcripts_url=f"sqlite:///{tmp_path / 'nowhere' / 'kept.db'}")
    with pytest.raises(AskDMTError, match="transcripts_url"):
        create_app(standin, standin.settings)


def test_old_transcripts_are_deleted_while_the_server_runs(tmp_path: Path) -> None:
    transcripts = Transcripts(f"sqlite:///{tmp_path / 'kept.db'}", retention_days=30)
    days = [date(2026, 1, 1)]
    keeper = Keeper(transcripts, lambda: None, today=lambda: days[-1], purge_seconds=0.05)
    keeper.keep("What is DMT?", StandIn().reply([{"content": "What is DMT?"}]), "page")
    until(transcripts.read)
    days.append(date(2026, 1, 31))
    until(lambda: not transcripts.read())
    keeper.close()


# Reloading


@pytest.fixture
def small(tmp_path: Path) -> Assistant:
    return small_assistant(tmp_path / "small", ScriptedClassifier(Decision.ANSWER), FakeEncoder(), region="gb")


@pytest.fixture
def source(small: Assistant) -> AssistantSource:
    return AssistantSource.of(small)


@pytest.fixture
def reloader(source: AssistantSource) -> Reloader:
    metrics = Metrics(lambda: source.current.knowledge if source.current else None)
    return Reloader(source, metrics, today=lambda: date(2026, 11, 27))


def reloads(reloader: Reloader, result: str) -> float | None:
    return reloader._metrics.registry.get_sample_value("askdmt_knowledge_reloads_total", {"result": result})


def change(assistant: Assistant, text: str = BREAD) -> None:
    """Put another section beside the two that there are."""
    write_section(assistant.knowledge.folder, "cake", text.replace("Bread", "Cake"), ["How is cake made?"], order=30)


def test_a_changed_knowledge_answers_after_a_reload(
    small: Assistant, source: AssistantSource, reloader: Reloader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    change(small)
    outcome = reloader.reload()
    assert (outcome.result, len(outcome.knowledge.sections)) == ("changed", 3)
    assert source.current is not small
    assert source.current.reply("How is cake made?").citations[0].section == "cake"
    assert source.current.encoder is small.encoder
    assert small.reply("Is tap water clean?").citations[0].section == "water"  # who asked before gets an answer
    assert reloads(reloader, "changed") == 1
    assert caplog.records[-1].__dict__["result"] == "changed"


def test_an_unchanged_knowledge_stays_in_use(small: Assistant, source: AssistantSource, reloader: Reloader) -> None:
    assert reloader.reload().result == "unchanged"
    assert source.current is small
    assert reloads(reloader, "unchanged") == 1


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda folder: (folder / "cake.md").write_text("no front matter"), "cake.md.*front matter"),
        (lambda folder: (folder / "water.md").unlink() or (folder / "bread.md").unlink(), "has no sections"),
        (lambda folder: (folder / "sources.yaml").write_text("[]"), "sources.yaml"),
        (lambda folder: write_section(folder, "cake", f"{BREAD} Take 20 mg of it each day."), "cake.md.*amount"),
    ],
)
def test_a_faulty_knowledge_leaves_the_old_in_use_and_says_so(
    small: Assistant, source: AssistantSource, reloader: Reloader, caplog: pytest.LogCaptureFixture,
    break_it: Callable[[Path], Any], problem: str,
) -> None:  # fmt: skip
    break_it(small.knowledge.folder)
    outcome = reloader.reload()
    assert outcome.result == "refused"
    assert source.current is small
    assert reloads(reloader, "refused") == 1
    assert caplog.records[-1].levelno == logging.ERROR
    assert re.search(problem, caplog.records[-1].__dict__["problem"])


def test_an_index_that_cannot_be_built_leaves_the_old_in_use(
    small: Assistant, source: AssistantSource, reloader: Reloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(small)
    monkeypatch.setattr(small.encoder, "encode", lambda _: 1 / 0)
    assert reloader.reload().result == "refused"
    assert source.current is small


def test_nothing_is_reloaded_before_anything_is_loaded() -> None:
    reloader = Reloader(AssistantSource(lambda: pytest.fail("loaded")), Metrics(lambda: None))
    assert reloader.reload() is None


def test_an_operator_reloads_over_http_with_the_token(small: Assistant) -> None:
    settings = Settings(region="gb", rate_limit="off", reload_token=TOKEN)
    with serving(create_app(small, settings)) as address, httpx.Client(base_url=address, timeout=60) as http:
        asked = {"text": "How is cake made?"}
        before = http.post("/api/reply", json=asked).json()
        change(small)
        response = http.post("/api/reload", headers={"Authorization": f"Bearer {TOKEN}"})
        after = http.post("/api/reply", json=asked).json()
        digest = response.json()["knowledge"]
        assert (response.status_code, response.json()["sections"]) == (200, 3)
        assert "cake" not in [citation["section"] for citation in before["citations"]]
        assert "cake" in [citation["section"] for citation in after["citations"]]
        assert figure(http, f'askdmt_knowledge_info{{digest="{digest}"}}') == 1
        change(small, "Take 20 mg of it each day. " + BREAD)
        refused = http.post("/api/reload", headers={"Authorization": f"Bearer {TOKEN}"})
        assert refused.status_code == 409
        assert "cake.md" in refused.json()["detail"]
        assert http.post("/api/reply", json=asked).json()["body"] == after["body"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer{TOKEN}"])
def test_nobody_reloads_without_the_token(header: str | None) -> None:
    with client(reload_token=TOKEN) as http:
        response = http.post("/api/reload", headers={} if header is None else {"Authorization": header})
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert figure(http, 'askdmt_knowledge_reloads_total{result="unchanged"}') == 0


def test_without_a_token_there_is_no_reloading_over_http() -> None:
    with client() as http:
        assert http.post("/api/reload", headers={"Authorization": "Bearer x"}).status_code in (404, 405)


def test_a_signal_reloads_the_knowledge_and_no_question_is_lost(tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ, "PYTHONPATH": f"{HERE.parents[1] / 'src'}:{HERE.parent}", "ASKDMT_PORT": str(port),
        "ASKDMT_RATE_LIMIT": "off",
    }  # fmt: skip
    log = tmp_path / "log"
    command = [sys.executable, str(HERE / "replica.py"), str(tmp_path)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=log.open("wb"))
    done = threading.Event()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http, ThreadPoolExecutor() as threads:

        def cites(question: str) -> list[str]:
            reply = http.post("/api/reply", json={"text": question})
            assert reply.status_code == 200
            return [citation["section"] for citation in reply.json()["citations"]]

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                return http.get("/readyz").is_success
            except httpx.TransportError:
                return False

        try:
            until(is_ready)
            asking = threads.submit(lambda: [cites("Is tap water clean?") for _ in iter(done.is_set, True)])
            write_section(
                tmp_path / "knowledge", "cake", BREAD.replace("Bread", "Cake"), ["How is cake made?"], order=30
            )
            process.send_signal(signal.SIGHUP)
            until(lambda: "cake" in cites("How is cake made?"))
            (tmp_path / "knowledge" / "cake.md").write_text("no front matter")
            process.send_signal(signal.SIGHUP)
            until(lambda: '"result": "refused"' in log.read_text())
            assert "cake" in cites("How is cake made?")
            done.set()
            assert {tuple(sections) for sections in asking.result()} == {("water",)}
        finally:
            done.set()
            process.terminate()
            process.wait(timeout=60)
