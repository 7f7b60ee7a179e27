"""The web server: the chat page at `/`, the API, and what tells whether it is alive and ready."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from askdmt import __version__
from askdmt.errors import ServeError
from askdmt.web.api import api_router
from askdmt.web.asgi import NO_TELEMETRY, App, Message, Receive, Rooted, Send, route_path
from askdmt.web.connections import allow_many, impatient
from askdmt.web.embed import embed_router
from askdmt.web.guarded import Guarded
from askdmt.web.limits import BodyLimit
from askdmt.web.logs import configure_logging
from askdmt.web.openai_api import openai_router
from askdmt.web.operations import Operations
from askdmt.web.page_app import PageApp, page_style
from askdmt.web.problems import HelpDesk, add_problems, as_response
from askdmt.web.reference import POLICY as REFERENCE_POLICY
from askdmt.web.reference import reference_page
from askdmt.web.replies import COME_BACK_SECONDS, Replies
from askdmt.web.warming import AssistantSource

if TYPE_CHECKING:
    from askdmt.assistant import Assistant
    from askdmt.settings import Settings

_HERE = Path(__file__).parent
_FILES = {"page.js": "text/javascript", "reference.css": "text/css"}
_ABOUT = (
    "General information on DMT-assisted therapy for depression. Each reply carries its disclaimer: show `text` whole, "
    "or `body`, `support` and `disclaimer` together. There are no keys; questions are counted by address."
)
_LAST_SECONDS = 5  # that a stop waits beyond the longest reply


def check_port(host: str, port: int) -> None:
    """Make sure that the server can listen, before anything is loaded.

    Raises:
        ServeError: the port is taken, or the address is not this machine's.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            if os.name == "posix":  # elsewhere this option would share a port that is taken
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or "the address does not fit"
        mend = "Stop the other program, or choose another port with --port or ASKDMT_PORT."
        raise ServeError(f"Cannot listen on {host}:{port}: {reason}.", mend) from None


def create_app(source: Assistant | AssistantSource, settings: Settings) -> FastAPI:
    """Return the web application; it answers `/healthz` before there is an assistant.

    Raises:
        AskDMTError: the texts or help lines cannot be read, or a setting does not fit; names the mend.
    """
    source = source if isinstance(source, AssistantSource) else AssistantSource.of(source)
    desk = HelpDesk(settings, source)
    operations = Operations(source, settings)
    replies = Replies(source, desk, settings, operations.journal)
    page = PageApp(replies)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with page.opening(), operations.running():
            yield

    app = FastAPI(
        title="AskDMT",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )
    app.state.page = page

    @app.get("/healthz", summary="Whether the process is alive", tags=["State"])
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether index, encoder and page are loaded", tags=["State"])
    async def readyz() -> Response:
        if page.is_open.is_set():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "starting"}, 503, headers={"Retry-After": str(COME_BACK_SECONDS)})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(reference_page(app.openapi()), headers={"Content-Security-Policy": REFERENCE_POLICY})

    @app.get("/page/page.css", include_in_schema=False)
    async def style() -> Response:
        return Response(page_style(settings.colour), media_type="text/css")

    @app.get("/page/{name}", response_model=None, include_in_schema=False)
    async def page_file(name: str) -> Response:
        return FileResponse(_HERE / name, media_type=_FILES[name]) if name in _FILES else Response(status_code=404)

    def failed(scope: Message) -> App:
        return as_response(desk.unavailable("error"), route_path(scope))

    app.include_router(api_router(replies))
    app.include_router(openai_router(replies))
    app.include_router(embed_router(settings, desk, source))
    operations.add_to(app)
    app.router.default = page
    add_problems(app, desk)
    # The last one added is the first to see a request.
    app.add_middleware(BodyLimit, desk=desk)
    app.add_middleware(_ApiCors, allow_origins=settings.allowed_origins)
    app.add_middleware(Guarded, dress=page.dress, failed=failed)
    app.add_middleware(Rooted, root_path=settings.root_path)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app


class _ApiCors:
    """Lets the listed sites read the API's answers, and nothing else."""

    def __init__(self, app: App, allow_origins: Sequence[str]) -> None:
        self.app = app
        self.api = CORSMiddleware(
            app, allow_origins=allow_origins, allow_methods=("GET", "POST"), allow_headers=("*",),
            expose_headers=("Retry-After",),
        )  # fmt: skip

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        of_api = scope["type"] == "http" and route_path(scope).startswith(("/api/", "/v1/"))
        await (self.api if of_api else self.app)(scope, receive, send)


def run(source: Assistant | AssistantSource, settings: Settings) -> None:
    """Serve until the process is stopped; prints the address once it listens. Of requests, only replies are logged.

    Raises:
        AskDMTError: the assistant cannot be loaded; names the mend.
    """
    import typer
    import uvicorn

    source = source if isinstance(source, AssistantSource) else AssistantSource.of(source)
    configure_logging(settings)
    app = create_app(source, settings)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                typer.echo(f"AskDMT listens on http://{settings.host}:{settings.port}{settings.root_path}")

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            letting_go = asyncio.create_task(app.state.page.let_go())
            await super().shutdown(sockets)
            letting_go.cancel()

    longest = settings.reply_seconds + settings.request_seconds + _LAST_SECONDS
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, access_log=False, log_level="warning", server_header=False,
        proxy_headers=False, log_config=None, ws="none", http=impatient(settings.request_seconds),
        timeout_graceful_shutdown=round(longest),
    )  # fmt: skip
    server = Server(config)
    allow_many()
    loading = source.start()
    loading.add_done_callback(lambda done: setattr(server, "should_exit", server.should_exit or bool(done.exception())))
    try:
        server.run()
    except KeyboardInterrupt:
        return
    if loading.done() and (error := loading.exception()):
        raise error
