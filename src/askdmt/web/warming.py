"""The assistant in use: loaded in the background while the server already listens, and replaced while it runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from askdmt.wording import load_wording

if TYPE_CHECKING:
    from askdmt.assistant import Assistant

T = TypeVar("T")


class AssistantSource:
    """Gives the assistant in use: `current` is None until it is loaded, and another one after `replace`."""

    def __init__(self, load: Callable[[], Assistant]) -> None:
        self.current: Assistant | None = None
        self._load = load
        self._first: Future[Assistant] | None = None

    @classmethod
    def of(cls, assistant: Assistant) -> AssistantSource:
        """Return a source of an assistant that is there already."""
        source = cls(lambda: assistant)
        source.current = assistant
        return source

    def start(self) -> Future[Assistant]:
        """Begin to load, once; the result is the assistant, or the error that kept it from being loaded."""
        if self._first is None:
            self._first = in_thread(self._warm)
        return self._first

    def replace(self, assistant: Assistant) -> None:
        """Let questions from now on be answered by another assistant; those in flight keep theirs."""
        self.current = assistant

    async def ready(self, seconds: float | None = None) -> Assistant:
        """Wait until there is an assistant.

        Raises:
            TimeoutError: there is none after so many seconds.
            Exception: whatever kept it from being loaded.
        """
        if self.current is None:
            done, _ = await asyncio.wait({asyncio.wrap_future(self.start())}, timeout=seconds)
            if not done:
                raise TimeoutError
            await done.pop()
        assert self.current
        return self.current

    def _warm(self) -> Assistant:
        """Load, and answer one question, so that no visitor waits for what is loaded at first use."""
        assistant = self.current or self._load()
        if self.current is None:
            question = load_wording(assistant.settings.language).suggestions.default[0]
            assistant.encoder.encode([question])  # by itself, since an assistant hides that its encoder fails
            assistant.reply(question)
            self.current = assistant
        return assistant


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Run `work` in a thread of its own that keeps no process from ending."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # who stops waiting for it does not stop it

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="askdmt-warming", daemon=True).start()
    return future
