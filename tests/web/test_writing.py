"""Every channel over an assistant with a language model: sentences come once they are checked, before the reply."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from visitor import Visitor, serving

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.web.chat import Chat, View
from askdmt.web.journal import Journal
from askdmt.web.markup import conversation
from askdmt.web.metrics import Metrics
from askdmt.web.problems import HelpDesk
from askdmt.web.replies import Replies
from askdmt.web.server import create_app
from askdmt.web.warming import AssistantSource
from askdmt.wording import load_wording
from fakes import FakeEncoder, ScriptedClassifier, ScriptedModel, small_assistant

QUESTION = "Is tap water clean?"
FIRST, SECOND = "Tap water is clean in most towns", "People test the water each day"
BODY = f"{FIRST}. [1] {SECOND}. [1]"
UNSAFE = "zorblat"
ASKED: Any = {"messages": [{"role": "user", "content": QUESTION}]}


@pytest.fixture(scope="module")
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture(scope="module")
def writing(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Assistant:
    home = tmp_path_factory.mktemp("writing")
    judge = ScriptedClassifier(Decision.ANSWER)
    return small_assistant(home, judge, FakeEncoder(), model, llm="openai:x", rate_limit="off")


@pytest.fixture(scope="module")
def address(writing: Assistant) -> Iterator[str]:  # in place of the stand-in's
    with serving(create_app(writing, writing.settings)) as where:
        yield where


@pytest.fixture
def let_go(model: ScriptedModel) -> Iterator[threading.Event]:
    """A draft waits after its first sentence until this is set."""
    held = threading.Event()
    model.enqueue(f"{FIRST} [1]. {SECOND} ", held, "[1].")
    yield held
    held.set()


def test_the_api_sends_a_sentence_while_the_model_still_writes(address: str, let_go: threading.Event) -> None:
    sentences: list[str] = []
    name, reply = "", {}
    headers = {"Accept": "text/event-stream"}
    with httpx.stream("POST", f"{address}/api/reply", json=ASKED, headers=headers, timeout=30) as response:
        for line in response.iter_lines():
            kind, _, value = line.partition(": ")
            if kind == "event":
                name = value
            elif kind == "data" and name == "sentence":
                sentences.append(json.loads(value)["text"])
                let_go.set()
            elif kind == "data":
                reply = json.loads(value)
    assert sentences[0] == f"{FIRST}. [1]"
    assert "".join(sentences) == reply["body"] == BODY
    assert reply["text"].endswith(load_wording().disclaimer)


def test_the_openai_compatible_stream_does_so_too(address: str, let_go: threading.Event) -> None:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="not-needed", max_retries=0) as client:
        chunks = []
        for chunk in client.chat.completions.create(model="askdmt", stream=True, **ASKED):
            chunks.append(chunk)
            if chunk.choices[0].delta.content:
                let_go.set()
    own = chunks[-1].model_extra["askdmt"]
    contents = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert contents[:2] == ["", f"{FIRST}. [1]"]
    assert "".join(contents) == own["text"]
    assert {chunk.id for chunk in chunks} == {f"chatcmpl-{own['id']}"}
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.role] == ["assistant"]


def test_without_streaming_the_reply_is_the_same(address: str, model: ScriptedModel) -> None:
    model.enqueue(f"{FIRST} [1]. {SECOND} [1].")
    assert httpx.post(f"{address}/api/reply", json=ASKED, timeout=30).json()["body"] == BODY


@pytest.fixture
def unsafe(model: ScriptedModel) -> None:
    """A draft has a sentence in its middle that no passage bears out."""
    model.enqueue(f"{FIRST} [1]. Water cures {UNSAFE} [1]. {SECOND} [1].")


@pytest.mark.usefixtures("unsafe")
@pytest.mark.parametrize(
    ("path", "asked"), [("/api/reply", ASKED), ("/v1/chat/completions", {"model": "askdmt", "stream": True, **ASKED})]
)
def test_no_byte_of_a_stream_is_of_a_sentence_that_fell(address: str, path: str, asked: Any) -> None:
    sent = httpx.post(address + path, json=asked, headers={"Accept": "text/event-stream"}, timeout=30)
    assert sent.headers["content-type"].startswith("text/event-stream")
    assert SECOND in sent.text
    assert UNSAFE not in sent.text


@pytest.mark.usefixtures("unsafe")
def test_no_view_of_the_page_has_a_sentence_that_fell(writing: Assistant) -> None:
    async def collect() -> list[View]:
        return [view async for view in _chat(writing, Metrics(lambda: None)).ask(QUESTION, (), "gb", "192.0.2.1")]

    views = asyncio.run(collect())
    pages = [conversation(view, load_wording()) for view in views]
    assert SECOND in pages[-1]
    assert UNSAFE not in repr(views) + "".join(pages)


def _chat(writing: Assistant, metrics: Metrics) -> Chat:
    source = AssistantSource.of(writing)
    return Chat(Replies(source, HelpDesk(writing.settings, source), writing.settings, Journal(metrics)))


def test_the_page_shows_what_is_written_and_then_the_reply(writing: Assistant, let_go: threading.Event) -> None:
    metrics = Metrics(lambda: None)
    chat = _chat(writing, metrics)

    async def collect() -> list[View]:
        views = []
        async for view in chat.ask(QUESTION, (), "gb", "192.0.2.1"):
            views.append(view)
            if view.written:
                let_go.set()
        return views

    looking, first, both, answered = asyncio.run(collect())
    assert (looking.pending, looking.written) == (QUESTION, "")
    assert (first.pending, first.written, first.last_reply) == (QUESTION, f"{FIRST}. [1]", None)
    assert both.written == BODY
    assert answered.last_reply
    assert answered.last_reply.body == BODY
    assert metrics.registry.get_sample_value("askdmt_drafts_total", {"outcome": "written"}) == 1
    assert metrics.registry.get_sample_value("askdmt_stage_seconds_count", {"stage": "draft"}) == 1


def test_what_is_written_so_far_is_shown_as_paragraphs_and_harmless() -> None:
    html = conversation(View(pending="Why?", written="One.\n\n<b>Two.</b> [1]"), load_wording())
    assert "<p>One.</p><p>&lt;b&gt;Two.&lt;/b&gt; [1]</p>" in html
    assert load_wording().page.working in html


@pytest.mark.browser
def test_what_a_visitor_types_meanwhile_stays(visit: Callable[..., Visitor], let_go: threading.Event) -> None:
    visitor = visit()
    visitor.box.fill(QUESTION)
    visitor.box.press("Enter")
    visitor.page.locator("article.working").get_by_text(FIRST).wait_for()
    visitor.box.fill("and then?")
    let_go.set()
    visitor.wait_for_answer(1)
    assert SECOND in visitor.answers.inner_text()
    assert visitor.box.input_value() == "and then?"


def test_a_line_of_the_log_tells_what_became_of_the_draft_without_its_text(
    writing: Assistant, model: ScriptedModel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    model.enqueue("Tap zebra cures all.")
    reply = writing.reply(QUESTION, trace=True)
    Journal(Metrics(lambda: None)).replied(ASKED["messages"], reply, "api", 0.1)
    (line,) = [record for record in caplog.records if record.message == "replied"]
    assert line.__dict__["draft"] == "unsupported"
    assert "zebra" not in str([record.__dict__ for record in caplog.records])


def test_the_terminal_shows_sentences_as_they_come(
    writing: Assistant, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from askdmt import cli

    monkeypatch.setattr(cli, "_load", lambda *_, **__: writing)
    model.enqueue(f"{FIRST} [1]. {SECOND} [1].")
    done = CliRunner().invoke(cli.app, ["chat"], input=f"{QUESTION}\n\n", catch_exceptions=False)
    assert BODY in done.output
    assert load_wording().disclaimer in done.output


def test_why_shows_the_draft_and_its_verdicts(
    writing: Assistant, model: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from askdmt import cli

    monkeypatch.setattr(cli, "_load", lambda *_, **__: writing)
    model.enqueue(f"{FIRST} [1]. Tap zebra cures all.")
    done = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, ["why", QUESTION], catch_exceptions=False)
    assert "Draft by openai:x: written" in done.output
    assert "Tap zebra cures all." in done.output
    assert "claim" in done.output
