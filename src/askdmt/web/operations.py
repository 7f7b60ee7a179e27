"""What an operator has beside the visitors' pages: figures, log, transcripts, feedback and reloading."""

from __future__ import annotations

import asyncio
import hmac
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from askdmt.transcripts.keeper import Keeper
from askdmt.transcripts.store import Transcripts
from askdmt.web.api import PROBLEMS
from askdmt.web.journal import Journal
from askdmt.web.metrics import Metrics, metrics_router
from askdmt.web.problems import Unavailable
from askdmt.web.reloading import Reloader
from askdmt.web.replies import COME_BACK_SECONDS
from askdmt.web.warming import AssistantSource, in_thread

if TYPE_CHECKING:
    from askdmt.settings import Settings


class Operations:
    """Everything of one server that is the operator's; `journal` is told of each reply."""

    def __init__(self, source: AssistantSource, settings: Settings) -> None:
        """Open the transcripts, if the settings ask for any.

        Raises:
            AskDMTError: their database cannot be opened; names the mend.
        """
        self._settings = settings
        self.metrics = Metrics(lambda: source.current.knowledge if source.current else None)
        transcripts = Transcripts.of(settings)
        keeper = Keeper(transcripts, self.metrics.transcript_failed) if transcripts else None
        self.journal = Journal(self.metrics, keeper)
        self.reloader = Reloader(source, self.metrics)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes that the settings ask for."""
        if self._settings.metrics:
            app.include_router(metrics_router(self.metrics))
        if self._settings.feedback:
            app.include_router(feedback_router(self.journal))
        if token := self._settings.reload_token.get_secret_value():
            app.include_router(reload_router(self.reloader, token))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reload the knowledge on SIGHUP as long as the server runs; then write what waits to be written."""
        can_listen = hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread()
        loop = asyncio.get_running_loop()
        if can_listen:
            loop.add_signal_handler(signal.SIGHUP, lambda: in_thread(self.reloader.reload))
        try:
            yield
        finally:
            if can_listen:
                loop.remove_signal_handler(signal.SIGHUP)
            await asyncio.to_thread(self.journal.close)


class Vote(BaseModel):
    """Whether a reply helped; nothing that a visitor writes."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern="^[0-9a-f]{32}$", description="The reply's `id`.")
    helpful: bool


def _may_answer(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the problems that a route may answer with, for its documentation."""
    own = {401: {"description": "Not the operator's token"}, 409: {"description": "The knowledge has faults"}}
    return {status: {**PROBLEMS[422], **PROBLEMS.get(status, {}), **own.get(status, {})} for status in statuses}


def feedback_router(journal: Journal) -> APIRouter:
    """Return the route by which visitors say whether a reply helped."""
    router = APIRouter(tags=["Feedback"])

    problems = _may_answer(408, 413, 422)

    @router.post("/api/feedback", status_code=204, summary="Say whether a reply helped", responses=problems)
    async def feedback(vote: Vote) -> Response:
        """Take down a vote on a reply, by its `id`. It is counted once."""
        journal.voted(vote.id, helpful=vote.helpful)
        return Response(status_code=204)

    return router


def reload_router(reloader: Reloader, token: str) -> APIRouter:
    """Return the route by which an operator reloads the knowledge."""
    router = APIRouter(tags=["Operation"])

    @router.post("/api/reload", summary="Reload the knowledge", responses=_may_answer(401, 408, 409, 413, 503))
    def reload(authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
        """Check the knowledge on the disk, and answer from it from now on; if it has faults, 409 and the old stays."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
            mend = "Send the setting 'reload_token' as a bearer token."
            raise HTTPException(401, mend, {"WWW-Authenticate": "Bearer"})
        outcome = reloader.reload()
        if outcome is None:
            raise Unavailable("starting", COME_BACK_SECONDS)
        if outcome.result == "refused":
            raise HTTPException(409, outcome.problem)
        knowledge = outcome.knowledge
        return {"result": outcome.result, "knowledge": knowledge.digest[:12], "sections": len(knowledge.sections)}

    return router
