"""A real HTTP provider that misbehaves: the visitor gets the extractive answer, in time, with no odd word."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from askdmt.answering.generative import Drafter
from askdmt.answering.models import LanguageModel, load_chat_model
from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.reply import Reply
from fakes import WATER, FakeEncoder, FakeOutputGuard, ScriptedClassifier, small_assistant

QUESTION = "Is tap water clean?"
FIRST = "Tap water is clean in most towns [1]."
LLM_SECONDS = 1.0
SLACK = 3.0  # seconds, for all but the model on a busy machine; far below the `reply_seconds` of 20


class Provider(ThreadingHTTPServer):
    """Speaks OpenAI's protocol, as the requested model's name says."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.closing = threading.Event()
        self.asked: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that went away."""


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        getattr(self, asked["model"])()

    def start(self, status: int = 200, kind: str = "text/event-stream") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()

    def chunk(self, text: str, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        data = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())

    def good(self) -> None:
        self.start()
        self.chunk(FIRST)
        self.chunk("", "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def silent(self) -> None:
        self.server.closing.wait(30)

    def hanging(self) -> None:
        self.start()
        self.chunk("Tap water ")
        self.server.closing.wait(30)

    def trickling(self) -> None:
        self.start()
        while not self.server.closing.wait(0.05):
            self.chunk("very ")

    def failing(self) -> None:
        self.start(503, "application/json")
        self.wfile.write(b'{"error": {"message": "overloaded"}}')

    def refusing(self) -> None:
        self.start(401, "application/json")
        self.wfile.write(b'{"error": {"message": "wrong key"}}')

    def garbage(self) -> None:
        self.start()
        self.wfile.write(b"\x00\xff\xfe data: {{{ \n\ndata: [1, 2\n\n" * 50)

    def page(self) -> None:
        self.start(200, "text/html")
        self.wfile.write(b"<html><body>Welcome</body></html>")

    def nothing(self) -> None:
        self.start()

    def broken(self) -> None:
        self.start()
        self.chunk("Tap water is ")
        self.wfile.write(b'data: {"choices"')

    def endless(self) -> None:
        self.start()
        while not self.server.closing.is_set():
            self.chunk("water " * 1000)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    server = Provider()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def over(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Assistant]:
    """Return an assistant whose drafts come from one of the provider's models."""
    monkeypatch.setattr("askdmt.answering.models._WAIT_SECONDS", 0.01)
    monkeypatch.setattr("askdmt.answering.models._switch_tracing_off", lambda: None)

    def build(name: str) -> Assistant:
        assistant = small_assistant(
            tmp_path, ScriptedClassifier(Decision.ANSWER), FakeEncoder(),
            llm=f"openai:{name}", llm_base_url=provider.url, llm_seconds=LLM_SECONDS,
        )  # fmt: skip
        model = LanguageModel(load_chat_model(assistant.settings), assistant.settings)
        assistant.drafter = Drafter(model, FakeOutputGuard())  # type: ignore[arg-type]
        return assistant

    return build


def test_a_provider_that_works_writes_the_answer(over: Callable[[str], Assistant], provider: Provider) -> None:
    provider.asked.clear()
    assert over("good").reply(QUESTION).body == "Tap water is clean in most towns. [1]"
    (asked,) = provider.asked
    assert (asked["temperature"], asked["stream"]) == (0, True)
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


def _replied(assistant: Assistant) -> Reply:
    return assistant.reply(QUESTION, trace=True)


def _streamed(assistant: Assistant) -> Reply:
    *pieces, reply = assistant.stream(QUESTION, trace=True)
    assert isinstance(reply, Reply)
    assert "".join(map(str, pieces)) == reply.text
    return reply


@pytest.mark.parametrize("ask", [_replied, _streamed])
@pytest.mark.parametrize(
    "name",
    [
        "silent", "hanging", "trickling", "failing", "refusing", "garbage", "page", "nothing", "broken", "endless",
    ],
)  # fmt: skip
def test_a_provider_that_does_not_is_not_waited_for(
    over: Callable[[str], Assistant], name: str, ask: Callable[[Assistant], Reply]
) -> None:
    assistant = over(name)
    started = time.monotonic()
    reply = ask(assistant)
    assert time.monotonic() - started < LLM_SECONDS + SLACK
    assert reply.decision is Decision.ANSWER
    assert reply.body.startswith(WATER)
    assert reply.trace
    assert reply.trace["llm"]["outcome"] in ("error", "timeout", "empty", "truncated", "unsupported")


def test_no_provider_there_at_all(over: Callable[[str], Assistant]) -> None:
    assistant = over("good")
    settings = assistant.settings.model_copy(update={"llm_base_url": "http://127.0.0.1:9/v1"})
    assistant.drafter = Drafter(LanguageModel(load_chat_model(settings), settings), FakeOutputGuard())  # type: ignore[arg-type]
    assert assistant.reply(QUESTION).body.startswith(WATER)
