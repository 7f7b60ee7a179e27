"""Writes transcripts beside the answering, and deletes the old ones while the server runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import date
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from askdmt.reply import Reply
    from askdmt.transcripts.store import Transcripts

log = logging.getLogger(__name__)

_MOST_WAITING = 1000  # transcripts that wait while the database is slow; further ones are lost
_PURGE_SECONDS = 3600.0
_LAST_SECONDS = 10.0  # that a stop waits for what is still to be written


class Keeper:
    """A thread of its own before the database, so that no visitor waits for it or notices that it fails."""

    def __init__(
        self,
        transcripts: Transcripts,
        failed: Callable[[], None],
        today: Callable[[], date] = date.today,
        purge_seconds: float = _PURGE_SECONDS,
    ) -> None:
        self._transcripts = transcripts
        self._failed = failed
        self._today = today
        self._purge_seconds = purge_seconds
        self._jobs: Queue[Callable[[], None] | None] = Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="askdmt-transcripts", daemon=True)
        self._thread.start()

    def keep(self, question: str, reply: Reply, channel: str) -> None:
        """Have a question and its reply kept."""
        self._have_done(lambda: self._transcripts.keep(question, reply, channel, self._today()))

    def vote(self, reply_id: str, *, helpful: bool) -> None:
        """Have it noted whether a reply helped."""
        self._have_done(lambda: self._transcripts.vote(reply_id, helpful=helpful))

    def close(self) -> None:
        """Write what waits, and let go of the database."""
        self._jobs.put(None)
        self._thread.join(_LAST_SECONDS)
        self._transcripts.close()

    def _have_done(self, job: Callable[[], None]) -> None:
        try:
            self._jobs.put_nowait(job)
        except Full:
            log.error("a transcript was lost, since too many wait for the database")
            self._failed()

    def _work(self) -> None:
        purge_at = time.monotonic()
        while True:
            if time.monotonic() >= purge_at:
                self._do(self._purge)
                purge_at = time.monotonic() + self._purge_seconds
            try:
                job = self._jobs.get(timeout=max(0.0, purge_at - time.monotonic()))
            except Empty:
                continue
            if job is None:
                return
            self._do(job)

    def _purge(self) -> None:
        if deleted := self._transcripts.purge(self._today()):
            log.info("%d transcripts were older than the retention and are deleted", deleted)

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception as error:
            # the type only: the message may hold the question
            log.error("transcripts failed: %s", type(error).__name__)
            self._failed()
