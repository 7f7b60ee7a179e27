"""Limits: how often a visitor may ask, and how large and how slow a request may be."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
import math
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from askdmt.errors import SettingsError
from askdmt.web.asgi import App, Message, Receive, Send, route_path
from askdmt.web.problems import HelpDesk, Reason, as_response

if TYPE_CHECKING:
    from limits.aio.strategies import MovingWindowRateLimiter

    from askdmt.settings import Settings

log = logging.getLogger(__name__)

_STORE_SECONDS = 1.0  # how long Redis may take to answer
_IPV6_NETWORK = 64  # bits of an IPv6 address that belong to one household


class RateLimit:
    """Counts questions by visitor, in memory or in Redis; if Redis does not answer, in memory until it does."""

    def __init__(self, settings: Settings, today: Callable[[], str] | None = None) -> None:
        """Open the store.

        Raises:
            SettingsError: the store's address or its client library does not fit.
        """
        self._limit = None
        if settings.rate_limit == "off":
            return
        import limits

        self._limit = limits.parse(settings.rate_limit)
        self._secret = settings.rate_limit_secret.get_secret_value().encode() or secrets.token_bytes(32)
        self._today = today or _today
        self._memory = _counter("memory://")
        shared = settings.rate_limit_storage
        self._shared = None if shared == "memory://" else _counter(shared)

    async def seconds_to_wait(self, address: str) -> int:
        """Count one question; return 0 if it may be asked, else the seconds until another may be."""
        if self._limit is None:
            return 0
        key = self._key(address)
        if self._shared:
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    return await self._count(self._shared, key)
            except Exception as error:
                log.error("the rate limit's store failed: %s", type(error).__name__)
        return await self._count(self._memory, key)

    async def _count(self, counter: MovingWindowRateLimiter, key: str) -> int:
        assert self._limit
        if await counter.hit(self._limit, key):
            return 0
        window = await counter.get_window_stats(self._limit, key)
        return max(1, math.ceil(window.reset_time - time.time()))

    def _key(self, address: str) -> str:
        """Return a hash that tells visitors apart for a day and cannot be turned back without the secret."""
        return hmac.new(self._secret, f"{self._today()} {_household(address)}".encode(), hashlib.sha256).hexdigest()


def _counter(storage: str) -> MovingWindowRateLimiter:
    from limits.aio.strategies import MovingWindowRateLimiter
    from limits.errors import ConfigurationError
    from limits.storage import storage_from_string

    options: dict[str, Any] = (
        {} if storage == "memory://" else {"implementation": "redispy", "socket_timeout": _STORE_SECONDS}
    )
    try:
        return MovingWindowRateLimiter(storage_from_string(f"async+{storage}", **options))
    except ConfigurationError:
        mend = "Install its client with: pip install 'askdmt[redis]'."
        raise SettingsError("The setting 'rate_limit_storage' needs Redis's client.", mend) from None
    except ValueError as error:
        raise SettingsError("The setting 'rate_limit_storage' does not fit.", "Give redis://host:port/0.") from error


def _household(address: str) -> str:
    """Return what stands for one visitor: an IPv4 address, or the network that an IPv6 address is from."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((int(known), _IPV6_NETWORK), strict=False))


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


class BodyLimit:
    """ASGI middleware that takes in a request's body, up to a size and a time, before anything else sees it."""

    def __init__(self, app: App, desk: HelpDesk) -> None:
        self.app = app
        self.desk = desk

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on with its whole body, or turn it away."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.desk.settings.request_seconds):
                body = await self._read(scope, receive)
        except TimeoutError:
            await self._refuse("timeout", scope, receive, send)
        except _TooLarge:
            await self._refuse("too_long", scope, receive, send)
        except _Gone:
            return
        else:
            await self.app(scope, _again(body, receive), send)

    async def _read(self, scope: Message, receive: Receive) -> bytes:
        most = self.desk.settings.max_body_bytes
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > most:
            raise _TooLarge
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            body += bytes(message.get("body", b""))
            if len(body) > most:
                raise _TooLarge
            if not message.get("more_body"):
                return body

    async def _refuse(self, reason: Reason, scope: Message, receive: Receive, send: Send) -> None:
        response = as_response(self.desk.unavailable(reason), route_path(scope), {"Connection": "close"})
        await response(scope, receive, send)


class _TooLarge(Exception):  # noqa: N818
    """The body is larger than may be."""


class _Gone(Exception):  # noqa: N818
    """The client left before its body was there."""


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that hands out the body, and then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
