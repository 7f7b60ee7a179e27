"""The server's life: it listens before it can answer, says when it can, and stops without dropping an answer."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from standin import StandIn
from visitor import Visitor, free_port, serving

from askdmt.assistant import Assistant
from askdmt.errors import ContentError, EncoderError, SettingsError
from askdmt.settings import Settings
from askdmt.web.server import create_app, run
from askdmt.web.warming import AssistantSource
from askdmt.wording import load_wording
from fakes import FakeEncoder, ScriptedClassifier, small_assistant

HERE = Path(__file__).parent
QUESTION = {"messages": [{"role": "user", "content": "Is tap water clean?"}]}


# Starting


class Loading:
    """A served application whose assistant is there once `loaded` is set."""

    def __init__(self, assistant: Assistant, **settings: Any) -> None:
        self.loaded = threading.Event()
        self.assistant = assistant
        self.source = AssistantSource(self._load)
        self.served = serving(create_app(self.source, Settings(region="gb", **settings)))
        self.client = httpx.Client(base_url=self.served.__enter__(), timeout=60)

    def _load(self) -> Assistant:
        assert self.loaded.wait(60)
        return self.assistant

    def close(self) -> None:
        self.served.__exit__(None, None, None)
        self.loaded.set()


@pytest.fixture
def load(quick: Assistant) -> Iterator[Callable[..., Loading]]:
    begun: list[Loading] = []

    def begin(**settings: Any) -> Loading:
        begun.append(Loading(quick, **settings))
        return begun[-1]

    yield begin
    for loading in begun:
        loading.close()


def test_before_the_assistant_is_there_it_is_alive_and_not_ready(load: Callable[..., Loading]) -> None:
    client = load().client
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json(), ready.headers["retry-after"]) == (503, {"status": "starting"}, "5")


@pytest.mark.parametrize("path", ["/api/reply", "/v1/chat/completions"])
def test_a_question_that_comes_too_early_is_told_when_to_come_back(load: Callable[..., Loading], path: str) -> None:
    response = load(warm_up_seconds=0.05).client.post(
        path, json={"model": "askdmt", **QUESTION} if "v1" in path else QUESTION
    )
    problem = response.json()
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert problem["detail"] == load_wording().replies.starting.format(seconds=5)
    assert problem["disclaimer"] == load_wording().disclaimer
    assert any("999" in (line["call"] or "") for line in problem["support"])


def test_the_page_that_comes_too_early_says_so_and_where_help_is(load: Callable[..., Loading]) -> None:
    page = load().client.get("/")
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert 'lang="en"' in page.text
    assert "tel:999" in page.text
    assert load_wording().disclaimer in page.text
    assert load(language="de").client.get("/").text.count('lang="de"') == 1


def test_a_question_waits_for_the_assistant_if_it_comes_in_time(load: Callable[..., Loading]) -> None:
    loading = load(warm_up_seconds=60)
    with ThreadPoolExecutor(1) as visitor:
        asking = visitor.submit(loading.client.post, "/api/reply", json=QUESTION)
        assert loading.client.get("/readyz").status_code == 503
        loading.loaded.set()
        assert asking.result().json()["decision"] == "answer"


def test_it_is_ready_once_assistant_and_page_are_there(load: Callable[..., Loading]) -> None:
    loading = load()
    loading.loaded.set()
    while loading.client.get("/readyz").status_code == 503:
        time.sleep(0.05)
    assert loading.client.get("/readyz").json() == {"status": "ready"}
    assert "gradio-app" in loading.client.get("/").text
    assert loading.assistant.encoder.calls >= 2  # the first question is not a visitor's


def test_what_keeps_the_assistant_from_loading_ends_the_server() -> None:
    def fail() -> Assistant:
        raise ContentError("A file is broken.", "Mend it.")

    with pytest.raises(ContentError, match="Mend it"):
        run(AssistantSource(fail), Settings(port=free_port()))


def test_an_encoder_that_fails_ends_the_server_too(tmp_path: Path, classifier: ScriptedClassifier) -> None:
    assistant = small_assistant(tmp_path, classifier, FakeEncoder())

    class Broken(FakeEncoder):
        def encode(self, *_: object) -> Any:
            raise EncoderError("The weights are broken.", "Install them again.")

    assistant.encoder = Broken()
    with pytest.raises(EncoderError, match="Install them again"):
        run(AssistantSource(lambda: assistant), Settings(port=free_port()))


def test_what_can_be_read_at_once_is_wrong_before_anything_is_loaded() -> None:
    with pytest.raises(SettingsError, match="Known regions"):
        create_app(AssistantSource(lambda: pytest.fail("loaded")), Settings(region="atlantis"))


def test_another_assistant_takes_over_without_a_stop(quick: Assistant) -> None:
    source = AssistantSource.of(StandIn())
    with serving(create_app(source, Settings(region="gb"))) as address:
        before = httpx.post(f"{address}/api/reply", json=QUESTION).json()
        source.replace(quick)
        after = httpx.post(f"{address}/api/reply", json=QUESTION).json()
    assert before["citations"][0]["section"] == "what-dmt-is"
    assert after["citations"][0]["section"] == "water"


# Stopping

HELD = """
import sys
from standin import StandIn
from askdmt.web.server import run

class Held(StandIn):
    def reply(self, said, **named):
        print("asked", flush=True)
        sys.stdin.readline()
        return super().reply(said, **named)

standin = Held(port={port})
run(standin, standin.settings)
"""


@pytest.fixture
def held() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process of its own that answers once it gets a line; with its address."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parents[1] / 'src'}:{HERE}"}
    code = HELD.format(port=port)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=environment,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    assert process.stdout
    assert address in process.stdout.readline()
    yield process, address
    process.kill()
    process.wait()


def stop_while_it_answers(process: subprocess.Popen[str], address: str) -> None:
    """Stop the server while a question is held; let the answer go once nobody can connect any more."""
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)
    host, port = address.removeprefix("http://").split(":")
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except ConnectionRefusedError:
            break
        time.sleep(0.02)
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_an_answer_in_flight_is_finished_before_it_stops(held: tuple[subprocess.Popen[str], str], accept: str) -> None:
    process, address = held
    with ThreadPoolExecutor(1) as visitor:
        asking = visitor.submit(
            httpx.post, f"{address}/api/reply", json=QUESTION, headers={"Accept": accept}, timeout=60
        )
        stop_while_it_answers(process, address)
        assert load_wording().disclaimer in asking.result().text
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def test_an_answer_in_flight_reaches_the_page_before_it_stops(held: tuple[subprocess.Popen[str], str]) -> None:
    process, address = held
    page = httpx.get(f"{address}/").text
    config = json.loads(re.search(r"window\.gradio_config = (\{.*?\});</script>", page)[1])  # type: ignore[index]
    asking = next(event for event in config["dependencies"] if len(event["targets"]) == 2)
    open_page = HTTPConnection(address.removeprefix("http://"), timeout=60)
    open_page.request("GET", "/gradio_api/heartbeat/s1")
    assert open_page.getresponse().status == 200
    sent = {"data": ["What is DMT?", None, "gb"], "fn_index": asking["id"], "session_hash": "s1", "trigger_id": None}
    assert httpx.post(f"{address}/gradio_api/queue/join", json=sent).status_code == 200
    listening = HTTPConnection(address.removeprefix("http://"), timeout=60)
    listening.request("GET", "/gradio_api/queue/data?session_hash=s1")
    events = listening.getresponse()
    stop_while_it_answers(process, address)
    received = events.read().decode()
    assert "process_completed" in received
    assert "not medical advice" in received
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)


# Behind a proxy on a path, and the operator's looks


def taken_off(app: Any) -> Any:
    """Stand for a proxy that takes the path off before it passes a request on."""

    async def proxied(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["path"].startswith("/ask/")
            scope = {**scope, "path": scope["path"].removeprefix("/ask")}
        await app(scope, receive, send)

    return proxied


@pytest.mark.parametrize("proxy", [taken_off, lambda app: app], ids=["path taken off", "path left on"])
def test_behind_a_proxy_on_a_path_everything_has_its_place(proxy: Callable[[Any], Any], browser: Any) -> None:
    standin = StandIn(root_path="/ask")
    with serving(proxy(create_app(standin, standin.settings))) as address:
        assert httpx.post(f"{address}/ask/api/reply", json=QUESTION).json()["decision"] == "answer"
        assert httpx.get(f"{address}/ask/v1/models").status_code == 200
        assert "error" in httpx.get(f"{address}/ask/v1/models/other").json()
        assert httpx.get(f"{address}/ask/openapi.json").json()["servers"] == [{"url": "/ask"}]
        assert httpx.get(f"{address}/ask/gradio_api/info").status_code == 404
        visitor = Visitor(browser.new_context().new_page(), f"{address}/ask/")
        visitor.ask("What is DMT?")
        assert visitor.troubles == []
        assert all(url.startswith((f"{address}/ask/", "data:")) for url in visitor.requests)
        visitor.page.context.close()


def test_the_operators_title_greeting_and_colour_are_on_the_page() -> None:
    standin = StandIn(title="Ask <Riverside>", greeting="Answers from Riverside", colour="#7a1f4b")
    with serving(create_app(standin, standin.settings)) as address:
        page, style = httpx.get(f"{address}/").text, httpx.get(f"{address}/page/page.css").text
    assert "<title>Ask &lt;Riverside&gt;</title>" in page
    assert "Answers from Riverside" in page
    assert "--accent: #7a1f4b;" in style


# The API's page


def test_the_apis_page_tells_of_every_route_and_needs_nothing_from_elsewhere(address: str) -> None:
    page, document = httpx.get(f"{address}/docs"), httpx.get(f"{address}/openapi.json").json()
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert "x-frame-options" not in page.headers
    assert re.findall(r"(?:src|href)=\"([^#][^\"]*)\"", page.text) == ["page/reference.css", "openapi.json"]
    assert {"/api/reply", "/v1/chat/completions", "/v1/models", "/healthz", "/readyz"} <= set(document["paths"])
    assert all(f"{path}</code>" in page.text for path in document["paths"])
    assert all(f'id="{name}"' in page.text for name in document["components"]["schemas"])
    assert "HTTPValidationError" not in page.text
    assert httpx.get(f"{address}/page/reference.css").status_code == 200
