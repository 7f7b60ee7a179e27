"""Names for ASGI's parts, and where a request goes once the proxy's path is taken off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# FastAPI can report requests, what is wrong with them and every exception's text to OpenTelemetry.
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def route_path(scope: Message) -> str:
    """Return a request's path below the path under which a proxy shows the server."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


class Rooted:
    """ASGI middleware for a server shown under a path, whether the proxy takes that path off or leaves it on."""

    def __init__(self, app: App, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Give a request the path that ASGI asks for: root and all."""
        if scope["type"] == "http":
            path = scope["path"]
            below = path if not path.startswith(f"{self.root_path}/") else path.removeprefix(self.root_path)
            scope = {**scope, "root_path": self.root_path, "path": self.root_path + below}
        await self.app(scope, receive, send)
