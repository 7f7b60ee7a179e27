"""`POST /api/reply`: a conversation in, a Reply out, as JSON or as server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from askdmt.reply import Reply
from askdmt.sentences import pieces
from askdmt.web.metrics import Channel
from askdmt.web.problems import MEDIA_TYPE, PROBLEM_SCHEMA
from askdmt.web.replies import Answering, Replies

HEARTBEAT_SECONDS = 15.0
EVENT_STREAM = "text/event-stream"

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
    for status, description in {
        408: "The body took too long to arrive",
        413: "The body is too large",
        422: "The request does not fit; `detail` says what to correct",
        429: "Too many questions from one visitor; `Retry-After` says when to come back",
        503: "Starting or busy; `Retry-After` says when to come back",
    }.items()
}


def _whole(value: object) -> object:
    """Replace halves of characters, which a browser may send where it cut a text."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_whole)]


class Message(BaseModel):
    """One message; what the assistant said before is accepted and not read."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Text


class Question(BaseModel):
    """What is asked: `text`, or `messages` with what was said before, oldest first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"messages": [{"role": "user", "content": "What is DMT?"}], "region": "gb"}]},
    )

    messages: list[Message] | None = Field(None, min_length=1)
    text: Text | None = None
    region: Text | None = Field(None, description="Region of the help lines; left out, the operator's.")

    @model_validator(mode="after")
    def _either(self) -> Question:
        if (self.messages is None) == (self.text is None):
            raise ValueError("give either 'messages' or 'text'")
        return self

    @property
    def said(self) -> list[dict[str, str]]:
        """The messages as the assistant takes them."""
        if self.messages is None:
            return [{"role": "user", "content": self.text or ""}]
        return [message.model_dump() for message in self.messages]


def api_router(replies: Replies) -> APIRouter:
    """Return the route of the API."""
    router = APIRouter(tags=["Reply"])

    def failed() -> list[bytes]:
        return [_event("problem", replies.desk.unavailable("error"))]

    @router.post(
        "/api/reply",
        summary="Answer a question",
        response_class=Response,
        responses={200: {"model": Reply, "description": "The reply", "content": {EVENT_STREAM: {}}}, **PROBLEMS},
    )
    async def reply(question: Question, request: Request) -> Response:
        """Give one reply to the last message, read with the ones before it.

        With `Accept: text/event-stream` it comes as events: `sentence` with `{"text": …}` for each piece of the body,
        where a language model writes as soon as it is checked, then `reply` with the whole reply; `problem` if that
        fails.
        """
        answering = await replies.begin(
            question.said, channel=_channel(request), address=address(request), region=question.region
        )
        if EVENT_STREAM in request.headers.get("accept", ""):
            return StreamingResponse(stream(answering, _sentence, _events, failed), media_type=EVENT_STREAM)
        return JSONResponse((await answering.reply).as_dict())

    return router


async def stream(
    answering: Answering,
    sentence: Callable[[str], list[bytes]],
    events: Callable[[Reply, str], list[bytes]],
    failed: Callable[[], list[bytes]],
) -> AsyncIterator[bytes]:
    """Yield a sentence's events as soon as it may be seen, a comment after 15 silent seconds, at last the reply's.

    `events` is given the reply and the part of its body that was sent already.
    """
    sent = ""
    async for piece in answering.pieces(HEARTBEAT_SECONDS):
        for event in sentence(piece) if piece else [KEEPALIVE_COMMENT]:
            yield event
        sent += piece or ""
    task = answering.reply
    for event in failed() if task.cancelled() or task.exception() else events(task.result(), sent):
        yield event


def address(request: Request) -> str:
    """Return the visitor's address, as far as the proxies in front can be believed."""
    return request.client.host if request.client else ""


def _sentence(text: str) -> list[bytes]:
    return [_event("sentence", {"text": text})]


def _events(reply: Reply, sent: str) -> list[bytes]:
    sentences = [event for text in pieces(reply.body[len(sent) :]) for event in _sentence(text)]
    return [*sentences, _event("reply", reply.as_dict())]


def _event(name: str, data: Any) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))


def _channel(request: Request) -> Channel:
    """Tell our own embedded page, whose browser says that it is on our origin, from a program."""
    return "embed" if request.headers.get("sec-fetch-site") == "same-origin" else "api"
