"""A marked question, asked of a whole server in every channel, is nowhere afterwards; nor if the code raises."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser
from test_page_server import ask as ask_on_the_page
from visitor import Visitor, free_port

HERE = Path(__file__).parent
MARK = "zanzibarlighthouse"
FAILING = ["breakencoder", "breakguard", "breakcomposing", "breakjournal", "breakslow"]

# A server whose parts quote what they were given when they fail, as careless libraries do, and whose loggers all talk.
CARELESS = """
import logging, sys, time
sys.argv = ["replica.py", sys.argv[1]]
import askdmt.assistant, askdmt.web.journal, askdmt.web.markup, fakes
from askdmt.assistant import Assistant
from askdmt.guardrails.input_guard import InputGuard

def breaking(word, function):
    def careless(*given, **named):
        if word in repr(given) + repr([getattr(one, "__dict__", "") for one in given]):
            logging.getLogger("careless.library").error("cannot read %s", given)
            message = f"cannot read {given} {named}"
            raise RuntimeError(message)
        return function(*given, **named)
    return careless

def slow(self, texts, encode=fakes.FakeEncoder.encode):
    if "breakslow" in repr(texts):
        time.sleep(3)
    return encode(self, texts)

fakes.FakeEncoder.encode = breaking("breakencoder", slow)
InputGuard.decide = breaking("breakguard", InputGuard.decide)
Assistant._body = breaking("breakcomposing", Assistant._body)
askdmt.web.journal.Journal._take_down = breaking("breakjournal", askdmt.web.journal.Journal._take_down)
askdmt.web.markup.conversation = breaking("breakpage", askdmt.web.markup.conversation)
getLogger = logging.getLogger
def talkative(*name):
    logger = getLogger(*name)
    logger.setLevel(logging.DEBUG)
    return logger
logging.getLogger = talkative
exec(compile(open("REPLICA").read(), "replica.py", "exec"))
"""


class Server:
    """The careless server as a process, and the folders that it may write in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folders = {name: home / name for name in ("here", "temporary", "home")}
        for folder in self.folders.values():
            folder.mkdir()
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.log = home / "log"
        environment = {
            **os.environ, "PYTHONPATH": f"{HERE.parents[1] / 'src'}:{HERE.parent}:{HERE}",
            "TMPDIR": str(self.folders["temporary"]), "HOME": str(self.folders["home"]), "ASKDMT_PORT": str(port),
            "ASKDMT_LOG_LEVEL": "debug", "ASKDMT_REPLY_SECONDS": "2", "ASKDMT_RATE_LIMIT": "off",
            "ASKDMT_FEEDBACK": "true", "OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console",
        }  # fmt: skip
        environment.pop("ASKDMT_CACHE", None)
        code = CARELESS.replace("REPLICA", str(HERE / "replica.py"))
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "ignore", "-c", code, str(home / "small")],
            stdout=self.log.open("wb"), stderr=subprocess.STDOUT, env=environment, cwd=self.folders["here"],
        )  # fmt: skip
        while not self.is_ready():
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def post(self, path: str, content: object) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", json=content, timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("careless"))
    yield server
    server.process.kill()
    server.process.wait()


def said(*words: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Is tap water clean? {MARK} {' '.join(words)}"}]


def holding(mark: str, files: Sequence[Path]) -> list[Path]:
    return [file for file in files if mark.encode() in file.read_bytes() or mark in file.name]


@pytest.mark.browser
def test_a_question_is_in_no_log_metric_trace_address_file_or_error(server: Server, browser: Browser) -> None:
    replies = []
    for word in ["", *FAILING]:
        replies.append(server.post("/api/reply", {"messages": said(word)}))
        replies.append(server.post("/v1/chat/completions", {"model": "askdmt", "messages": said(word)}))
        events = {"Accept": "text/event-stream"}
        replies.append(
            httpx.post(f"{server.address}/api/reply", json={"messages": said(word)}, headers=events, timeout=60)
        )
        assert "process_completed" in ask_on_the_page(server.address, said(word)[0]["content"])
    replies += [
        server.post("/api/reply", {"messages": MARK, MARK: MARK}),
        server.post("/v1/chat/completions", {"model": "askdmt", "messages": [{"role": MARK, "content": [MARK]}]}),
        server.post("/api/feedback", {"id": MARK, "helpful": MARK}),
        httpx.post(f"{server.address}/api/reply", content=f"{{{MARK}", timeout=60),
    ]
    server.post("/api/reply", {"text": MARK, "region": MARK})  # the answer names the unknown region; the log must not
    visitor = Visitor(browser.new_context().new_page(), server.address)
    visitor.ask(f"Is tap water clean? {MARK}")
    visitor.box.fill(f"breakpage {MARK}")
    visitor.box.press("Enter")
    server_log_grows(server, "careless.library")
    visitor.page.context.close()

    assert [reply.status_code for reply in replies if reply.status_code >= 500] == []
    assert [reply.text for reply in replies if MARK in reply.text] == []
    assert [url for url in visitor.requests if MARK in url] == []
    assert MARK not in httpx.get(f"{server.address}/metrics").text
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)
    server.process.send_signal(signal.SIGINT)
    server.process.wait(timeout=60)
    log = server.log.read_text()
    assert [line for line in log.splitlines() if MARK in line] == []
    assert "Traceback" not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert {line["failure"] for line in lines if "failure" in line} == {"encode", "guard", "compose", "timeout"}
    assert any(line["logger"] == "careless.library" for line in lines)
    assert any(line["event"] == "an error was printed" for line in lines)  # that of the page
    assert {line["channel"] for line in lines if line["event"] == "replied"} == {"api", "openai", "page"}
    assert holding(MARK, [file for file in server.home.rglob("*") if file.is_file()]) == []


def server_log_grows(server: Server, word: str) -> None:
    """Wait until the page's own failure has been logged."""
    before = server.log.read_text().count(word)
    end = time.monotonic() + 30
    while server.log.read_text().count(word) == before and time.monotonic() < end:
        time.sleep(0.05)
