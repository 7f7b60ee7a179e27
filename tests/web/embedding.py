"""Stand-ins for the embed's tests: a server with the embed and `/api/reply`, and a clinic's own website."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from playwright.sync_api import ConsoleMessage, Frame, Page
from standin import StandIn

from askdmt.reply import Reply
from askdmt.sentences import split_sentences
from askdmt.web.embed import add_embed
from askdmt.web.guarded import Guarded
from datasets import ROOT

EXAMPLE = ROOT / "examples" / "clinic"

PROBLEMS = {"rate-limited": 429, "error": 500, "too-long": 413}


class EmbedServer:
    """AskDMT's server as the embed sees it; `problem` is what `/api/reply` answers with, if not with a reply."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.problem = ""
        self.sections = standin.knowledge.sections
        self.streaming = True
        self.asked: list[dict[str, Any]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []  # method, path with query, headers
        self.app = FastAPI()
        self.app.add_api_route("/api/reply", self.reply, methods=["POST"])
        add_embed(self.app, standin.settings, lambda: standin.support, lambda: self.sections)
        self.app.add_middleware(Guarded, dress=lambda html: html)
        self.app.middleware("http")(self._see)

    async def reply(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if self.problem:
            lines = self.standin.safe_reply("error", body.get("region")).as_dict()["support"]
            status = PROBLEMS[self.problem]
            told = {"type": f"urn:askdmt:problem:{self.problem}", "status": status, "detail": "-", "support": lines}
            return JSONResponse(told, status, {"retry-after": "7"}, "application/problem+json")
        if self.streaming and "text/event-stream" in request.headers["accept"]:
            return StreamingResponse(self._events(body), media_type="text/event-stream")
        return JSONResponse((await self._ask(body)).as_dict())

    async def _ask(self, body: dict[str, Any]) -> Reply:
        def ask() -> Reply:
            return self.standin.reply(body["messages"], region=body["region"])

        return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)

    async def _events(self, body: dict[str, Any]) -> AsyncIterator[str]:
        yield ": heartbeat\n\n"
        reply = await self._ask(body)
        for sentence in split_sentences(reply.body):
            yield f"event: sentence\ndata: {json.dumps({'text': sentence + ' '})}\n\n"
        yield f"event: reply\r\ndata: {json.dumps(reply.as_dict())}\r\n\r\n"

    async def _see(self, request: Request, call_next: Any) -> Response:
        self.seen.append((request.method, str(request.url), dict(request.headers)))
        return await call_next(request)  # type: ignore[no-any-return]


CLINIC = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>Riverside Clinic</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>{style}</style></head>
<body><main><h1>Riverside Clinic</h1><p>We treat depression. <a href="#contact">Write to us</a>.</p></main>
<script src="{address}/embed.js" {attributes}></script></body></html>"""


class Clinic:
    """A clinic's website, which shows the embed."""

    def __init__(self) -> None:
        self.as_first("")
        self.app = FastAPI()
        self.app.add_api_route("/", self.home, response_class=HTMLResponse)
        self.app.add_api_route("/example/{name:path}", self.example)

    def as_first(self, server: str) -> None:
        """Show the AskDMT of `server` on a plain page."""
        self.server = server
        self.attributes = 'data-region="gb"'
        self.language = "en"
        self.style = ""
        self.policy = ""

    def example(self, name: str = "") -> Response:
        """A file of the example clinic, whose AskDMT is the one of the test."""
        path = EXAMPLE / (name or "index.html")
        text = path.read_text(encoding="utf-8").replace("http://127.0.0.1:7860", self.server)
        return Response(text, media_type={".html": "text/html", ".css": "text/css"}[path.suffix])

    def home(self) -> HTMLResponse:
        headers = {"content-security-policy": self.policy} if self.policy else {}
        html = CLINIC.format(address=self.server, attributes=self.attributes, language=self.language, style=self.style)
        return HTMLResponse(html, headers=headers)


class Guest:
    """Somebody on the clinic's website who uses the embed."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.troubles: list[str] = []  # errors, dialogs, uncaught exceptions
        self.warnings: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("dialog", self._dialog)
        page.goto(address)
        self.launcher = page.locator("askdmt-embed button")
        self.panel = page.locator("askdmt-embed [role=dialog]")
        self.inside = page.frame_locator("askdmt-embed iframe, body > iframe[src]")
        self.box = self.inside.locator("#box")
        self.answers = self.inside.locator("article.answer:not(.working)")
        self.status = self.inside.locator("#status")
        self.problem = self.inside.locator("#problem")

    @property
    def frame(self) -> Frame:
        """The embed's own document."""
        return next(frame for frame in self.page.frames if "/embed?" in frame.url)

    def open(self) -> Guest:
        """Open the panel and wait until the cursor is in the box."""
        self.launcher.click()
        self.box.wait_for()
        self.inside.locator("#box:focus").wait_for()
        return self

    def send(self, question: str) -> None:
        """Type a question and send it with Enter."""
        self.box.fill(question)
        self.box.press("Enter")

    def ask(self, question: str) -> None:
        """Send a question and wait for the answer."""
        before = self.answers.count()
        self.send(question)
        self.answers.nth(before).wait_for()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.troubles.append(message.text)
        elif message.type == "warning":
            self.warnings.append(message.text)

    def _dialog(self, dialog: Any) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()
