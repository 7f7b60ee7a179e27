"""The web server: the chat page at `/`, and `/healthz`."""

from __future__ import annotations

import os
import re
import socket
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from askdmt.errors import ServeError
from askdmt.web import markup
from askdmt.web.guarded import Dress, Guarded
from askdmt.wording import load_wording

if TYPE_CHECKING:
    from fastapi import FastAPI

    from askdmt.assistant import Assistant

_HERE = Path(__file__).parent
_FILES = {"page.css": "text/css", "page.js": "text/javascript"}
_PREVIEWS = re.compile(r'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')  # Gradio's own, with a foreign image


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


def create_app(assistant: Assistant) -> FastAPI:
    """Return the web application."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    import gradio as gr
    from fastapi import FastAPI, Response
    from fastapi.responses import FileResponse

    from askdmt.web.page import build_page

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/page/{name}", response_model=None)
    def page_file(name: str) -> Response:
        return FileResponse(_HERE / name, media_type=_FILES[name]) if name in _FILES else Response(status_code=404)

    gr.mount_gradio_app(
        app, build_page(assistant), path="/", footer_links=[], run_history=False, show_error=False, ssr_mode=False,
        pwa=False, mcp_server=False, enable_monitoring=False, max_file_size=1, app_kwargs={"openapi_url": None},
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
    )  # fmt: skip
    app.add_middleware(Guarded, dress=_dress(assistant))
    return app


def run(assistant: Assistant) -> None:
    """Serve until the process is stopped; prints the address once it listens. No request is logged."""
    import typer
    import uvicorn

    settings = assistant.settings
    app = create_app(assistant)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                typer.echo(f"AskDMT listens on http://{settings.host}:{settings.port}")

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for route in app.routes:  # open pages hold a connection each until Gradio is told to let go
                if stop := getattr(getattr(route, "app", None), "stop_event", None):
                    stop.set()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, access_log=False, log_level="warning", server_header=False,
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    try:
        Server(config).run()
    except KeyboardInterrupt:
        return


def _dress(assistant: Assistant) -> Dress:
    """Return what turns Gradio's shell into our page: language, style, script, and help lines without scripts."""
    wording = load_wording(assistant.settings.language)
    lines = assistant.support.lines(assistant.settings.region, wording.support)
    head = (
        f'<title>{escape(wording.page.title)}</title><link rel="stylesheet" href="page/page.css">'
        '<script src="page/page.js"></script></head>'
    )
    without_scripts = markup.without_scripts(wording, lines)

    def dress(html: str) -> str:
        html = _PREVIEWS.sub("", html).replace('lang="en"', f'lang="{wording.language}" dir="{wording.direction}"', 1)
        return html.replace("</head>", head, 1).replace("<gradio-app", f"{without_scripts}<gradio-app", 1)

    return dress
