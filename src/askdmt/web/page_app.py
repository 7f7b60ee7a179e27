"""The chat page as an application: Gradio's once it is built; until then, a page that says when to come back."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from askdmt.web import markup
from askdmt.web.asgi import NO_TELEMETRY, App, Message, Receive, Send, route_path
from askdmt.web.replies import COME_BACK_SECONDS, Replies
from askdmt.web.warming import in_thread
from askdmt.wording import Wording

if TYPE_CHECKING:
    from fastapi import FastAPI

_PREVIEWS = re.compile(r'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')  # Gradio's own, with a foreign image
# The operator's colour in place of ours; mixed with white it can be read on dark grounds, with black it stands out.
_COLOURED = """
:root {{
  --accent: {colour};
  --accent-strong: color-mix(in srgb, {colour} 75%, black);
  --tint: color-mix(in srgb, {colour} 8%, white);
}}

@media (prefers-color-scheme: dark) {{
  :root {{
    --accent: color-mix(in srgb, {colour} 45%, white);
    --accent-strong: color-mix(in srgb, {colour} 25%, white);
    --tint: color-mix(in srgb, {colour} 20%, #182325);
  }}
}}
"""
_BUILDING = threading.Lock()  # Gradio notes what is being built in one place for the whole process
_LAST_EVENTS_SECONDS = 1.0  # for finished answers to reach the pages that wait for them


class PageApp:
    """ASGI application for every path that is not the API's."""

    def __init__(self, replies: Replies) -> None:
        self.replies = replies
        self.is_open = asyncio.Event()
        self._app: App | None = None
        self._gradio: Any = None
        self._closing = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request to Gradio, or ask the visitor to come back."""
        if self._app:
            await self._app(scope, receive, send)
        elif route_path(scope) == "/" and scope["method"] in ("GET", "HEAD"):
            await self._waiting()(scope, receive, send)
        else:
            raise HTTPException(404)

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[None]:
        """Build the page in the background, once there is an assistant; close it in the end."""
        task = asyncio.create_task(self._keep_open())
        opened = asyncio.create_task(self.is_open.wait())
        try:
            if self.replies.source.current:  # nothing to wait for but the page itself
                await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
            yield
        finally:
            opened.cancel()
            self._closing.set()
            if not self.is_open.is_set():
                task.cancel()
            await asyncio.wait({task})

    async def let_go(self) -> None:
        """Let open pages go once their answers are there; each holds a connection until then."""
        await self.replies.finished()
        await asyncio.sleep(_LAST_EVENTS_SECONDS)
        if self._gradio:
            self._gradio.stop_event.set()

    def dress(self, html: str) -> str:
        """Turn Gradio's shell into our page: language, style, script, and help lines without scripts."""
        wording = self.replies.desk.wording
        html = _PREVIEWS.sub("", html).replace('lang="en"', f'lang="{wording.language}" dir="{wording.direction}"', 1)
        head = f'{_head(wording)}<script src="page/page.js"></script></head>'
        without_scripts = markup.without_scripts(wording, self.replies.desk.lines())
        return html.replace("</head>", head, 1).replace("<gradio-app", f"{without_scripts}<gradio-app", 1)

    async def _keep_open(self) -> None:
        await self.replies.source.ready()
        app, self._gradio = await asyncio.wrap_future(in_thread(self._build))
        async with app.router.lifespan_context(app):
            self._app = app
            self.is_open.set()
            await self._closing.wait()

    def _build(self) -> tuple[FastAPI, Any]:
        with _BUILDING:
            return self._build_alone()

    def _build_alone(self) -> tuple[FastAPI, Any]:
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
        import gradio as gr
        from fastapi import FastAPI

        from askdmt.web.page import build_page

        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, telemetry=NO_TELEMETRY)
        gr.mount_gradio_app(
            app, build_page(self.replies), path="/", footer_links=[], run_history=False, show_error=False,
            ssr_mode=False, pwa=False, mcp_server=False, enable_monitoring=False, max_file_size=1,
            app_kwargs={"openapi_url": None, "telemetry": NO_TELEMETRY},
            root_path=self.replies.settings.root_path or None,
            theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        )  # fmt: skip
        mounted = (getattr(route, "app", None) for route in app.routes)
        return app, next(inner for inner in mounted if hasattr(inner, "stop_event"))

    def _waiting(self) -> HTMLResponse:
        wording = self.replies.desk.wording
        reply = self.replies.desk.reply("starting", seconds=COME_BACK_SECONDS)
        html = (
            f'<!doctype html><html lang="{wording.language}" dir="{wording.direction}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"{_head(wording)}</head><body>{markup.waiting(reply, wording)}</body></html>"
        )
        return HTMLResponse(html, 503, headers={"Retry-After": str(COME_BACK_SECONDS)})


def page_style(colour: str) -> str:
    """Return the page's style sheet, in the operator's colour where there is one."""
    style = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    return style + _COLOURED.format(colour=colour) if colour else style


def _head(wording: Wording) -> str:
    no_icon = '<link rel="icon" href="data:,">'  # or browsers ask the host's root for one
    return f'<title>{escape(wording.page.title)}</title>{no_icon}<link rel="stylesheet" href="page/page.css">'
