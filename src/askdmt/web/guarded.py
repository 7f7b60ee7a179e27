"""What stands around every response: security headers, closed routes, and a page without third parties."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable

from askdmt.web.asgi import App, Message, Receive, Send, route_path

log = logging.getLogger(__name__)

Dress = Callable[[str], str]

# Gradio's own routes that the page needs. Uploads, files, runs, monitoring and the rest stay shut.
_NEEDED = re.compile(r"/gradio_api/(queue/(join|data)|app_id|cancel|reset|startup-events|heartbeat/[^/]+|theme\.css)/?")
_GRADIO = re.compile(r"/(gradio_api|monitoring|config|login|logout|svelte|pwa_icon|manifest\.json)(/.*)?")
_SCRIPT = re.compile(r"<script\b")

_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()",
}
# Gradio fills its HTML components with `new Function` ('unsafe-eval') and sets styles on elements. Its inline scripts
# run by the nonce; a handler or a javascript: address in markup never runs.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-eval' 'nonce-{nonce}'; script-src-attr 'none'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; frame-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)


class Guarded:
    """ASGI middleware around the whole application.

    `dress` finishes the HTML of the page; `failed` gives what is answered when a request fails.
    """

    def __init__(self, app: App, dress: Dress, failed: Callable[[Message], App]) -> None:
        self.app = app
        self.dress = dress
        self.failed = failed

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; of what fails, only the error's type is logged."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        path = route_path(scope)
        response = _Response(send, self.dress if path == "/" and scope["method"] == "GET" else None)
        if _GRADIO.fullmatch(path) and not _NEEDED.fullmatch(path):
            await response.plain(404)
            return
        if response.dress:  # the page is changed below, so it must come uncompressed
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]}
        try:
            await self.app(scope, receive, response)
        except Exception as error:
            log.error("a request failed: %s", type(error).__name__)
            if not response.started:
                response.dress = None
                await self.failed(scope)(scope, receive, response)


class _Response:
    """A `send` that adds the headers, and holds the page back until it is whole and dressed."""

    def __init__(self, send: Send, dress: Dress | None) -> None:
        self.send = send
        self.dress = dress
        self.started = False
        self.nonce = secrets.token_urlsafe(16)
        self.start: Message = {}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = {**message, "headers": self._headers(message["headers"])}
            if not self._is_page():
                self.dress = None
                await self._begin()
        elif not self.dress:
            await self.send(message)
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_page(self.dress)

    async def plain(self, status: int) -> None:
        """Send a response without content."""
        self.dress = None
        await self({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await self({"type": "http.response.body", "body": b""})

    async def _begin(self) -> None:
        self.started = True
        await self.send(self.start)

    async def _send_page(self, dress: Dress) -> None:
        html = _SCRIPT.sub(f'<script nonce="{self.nonce}"', dress(self.body.decode()))
        body = html.encode()
        kept = [pair for pair in self.start["headers"] if pair[0] != b"content-length"]
        self.start["headers"] = [*kept, (b"content-length", str(len(body)).encode())]
        await self._begin()
        await self.send({"type": "http.response.body", "body": body})

    def _is_page(self) -> bool:
        kind = dict(self.start["headers"]).get(b"content-type", b"")
        return self.dress is not None and self.start["status"] == 200 and kind.startswith(b"text/html")

    def _headers(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Add the headers; a route that brings a content security policy of its own knows which others it needs."""
        names = {name.lower() for name, _ in given}
        own = {**_HEADERS, "content-security-policy": _POLICY.format(nonce=self.nonce)}
        added = {name.encode(): value.encode() for name, value in own.items()}
        if b"content-security-policy" in names:
            added = {name: value for name, value in added.items() if name not in names | {b"x-frame-options"}}
        return [*((name, value) for name, value in given if name.lower() not in added), *added.items()]
