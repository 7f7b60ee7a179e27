"""What the embed's tests need: the server on a stand-in for the assistant, a clinic's own website, and a guest."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from playwright.sync_api import ConsoleMessage, Frame, Page
from standin import StandIn

from askdmt.web.asgi import Message, Receive, Send
from askdmt.web.problems import HelpDesk, Reason, as_response
from askdmt.web.server import create_app
from askdmt.web.warming import AssistantSource
from datasets import ROOT

EXAMPLE = ROOT / "examples" / "clinic"


class EmbedServer:
    """AskDMT's server over a stand-in for the assistant; `problem` is what `/api/reply` gives in place of a reply."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.problem: Reason | None = None
        self.streaming = True
        self.seen: list[tuple[str, str, dict[str, str]]] = []  # method, path with query, headers
        self._desk = HelpDesk(standin.settings, AssistantSource.of(standin))
        self._app = create_app(standin, standin.settings)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append((scope["method"], f"{scope['path']}?{scope['query_string'].decode()}", headers))
        if scope["path"] == "/api/reply" and self.problem:
            told = self._desk.unavailable(self.problem, seconds=7)
            await as_response(told, headers={"Retry-After": "7"})(scope, receive, send)
            return
        if not self.streaming:
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept"]
        await self._app(scope, receive, send)


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
        self.panel = page.locator("askdmt-embed div")
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
