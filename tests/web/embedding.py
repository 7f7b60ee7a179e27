"""Stand-ins for the embed's tests: a server with the embed and `/api/reply`, and a clinic's own website."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from standin import StandIn

from askdmt.reply import Reply
from askdmt.sentences import split_sentences
from askdmt.web.embed import add_embed
from askdmt.web.guarded import Guarded


class EmbedServer:
    """AskDMT's server as the embed sees it; `status` is what `/api/reply` answers with, if not with a reply."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.status = 200
        self.streaming = True
        self.asked: list[dict[str, Any]] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []  # method, path with query, headers
        self.app = FastAPI()
        self.app.add_api_route("/api/reply", self.reply, methods=["POST"])
        add_embed(self.app, standin.settings, standin.support, lambda: standin.knowledge.sections)
        self.app.add_middleware(Guarded, dress=lambda html: html)
        self.app.middleware("http")(self._see)

    async def reply(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if self.status != 200:
            lines = self.standin.safe_reply("error", body.get("region")).as_dict()["support"]
            return JSONResponse(
                {"type": "about:blank", "title": "-", "status": self.status, "detail": "-", "support": lines},
                self.status, {"retry-after": "7"}, "application/problem+json",
            )  # fmt: skip
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
<meta name="viewport" content="width=device-width"><style>{style}</style></head>
<body><main><h1>Riverside Clinic</h1><p>We treat depression. <a href="#contact">Write to us</a>.</p></main>
<script src="{address}/embed.js" {attributes}></script></body></html>"""


class Clinic:
    """A clinic's website, which shows the embed."""

    def __init__(self) -> None:
        self.server = ""
        self.attributes = 'data-region="gb"'
        self.language = "en"
        self.style = ""
        self.policy = ""
        self.app = FastAPI()
        self.app.add_api_route("/", self.home, response_class=HTMLResponse)

    def home(self) -> HTMLResponse:
        headers = {"content-security-policy": self.policy} if self.policy else {}
        html = CLINIC.format(
            address=self.server, attributes=self.attributes, language=self.language, style=self.style
        )
        return HTMLResponse(html, headers=headers)


