"""What a visitor sees of a reply while it is still being written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from askdmt.reply import Citation


class Shown:
    """What was shown already: checked pieces of the body, which are never taken back, and their citations."""

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.text = ""
        self.citations: tuple[Citation, ...] = ()
        self._tell = tell
        self._lock = threading.Lock()

    def __call__(self, text: str, citations: Sequence[Citation] = ()) -> None:
        """Show some more, unless nobody looks."""
        with self._lock:
            if self._tell:
                self._tell(text)
                self.text += text
                self.citations = tuple(citations)

    def close(self) -> None:
        """Show no more from now on."""
        with self._lock:
            self._tell = None


class Heard:
    """Pieces that one thread says and another waits for."""

    def __init__(self) -> None:
        self._pieces: SimpleQueue[str | None] = SimpleQueue()

    def say(self, piece: str) -> None:
        """Add a piece."""
        self._pieces.put(piece)

    def end(self) -> None:
        """Say that no more will come."""
        self._pieces.put(None)

    def until(self, deadline: float) -> Iterator[str]:
        """Yield the pieces as they come, until the end or, by time.monotonic(), the deadline."""
        while (left := deadline - time.monotonic()) > 0:
            try:
                piece = self._pieces.get(timeout=left)
            except Empty:
                return
            if piece is None:
                return
            yield piece

    def rest(self) -> Iterator[str]:
        """Yield the pieces that came after that."""
        while not self._pieces.empty():
            if piece := self._pieces.get():
                yield piece
