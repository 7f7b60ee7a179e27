"""Tools of the page's tests: a server on a free port, and a visitor in a browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from playwright.sync_api import Page


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def serving(app: Any, **options: Any) -> Iterator[str]:
    """Serve an application in a thread, with uvicorn's options; give its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        usual = {"access_log": False, "log_level": "warning", "proxy_headers": False, "timeout_graceful_shutdown": 1}
        config = uvicorn.Config(app, **usual, **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)


class Visitor:
    """Somebody who uses the page."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.troubles: list[str] = []  # errors in the console, dialogs, uncaught exceptions
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda said: self.troubles.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("dialog", self._dialog)
        page.goto(address)
        self.box = page.locator("#askdmt-box textarea")
        self.answers = page.locator("article.answer:not(.working)")
        self.status = page.locator("#askdmt-status [role=status]")
        self.box.wait_for()

    def ask(self, question: str) -> None:
        """Type a question, send it with Enter, and wait for the answer."""
        before = self.answers.count()
        self.box.fill(question)
        self.box.press("Enter")
        self.wait_for_answer(before + 1)

    def wait_for_answer(self, number: int) -> None:
        self.answers.nth(number - 1).wait_for()

    def has_focus(self, selector: str) -> bool:
        """Whether the focus is in `selector`, now or within a second."""
        try:
            self.page.wait_for_function("s => document.activeElement?.matches(s)", arg=selector, timeout=1000)
        except Exception:
            return False
        return True

    def _dialog(self, dialog: Any) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()
