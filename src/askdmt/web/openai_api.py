"""`POST /v1/chat/completions` and `GET /v1/models`, as OpenAI's clients expect them.

A client's system messages are accepted and not read: nothing that comes over this way changes the rules.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from askdmt.errors import InputError
from askdmt.reply import Reply
from askdmt.sentences import pieces
from askdmt.web.api import EVENT_STREAM, PROBLEMS, Text, address, stream
from askdmt.web.problems import as_response
from askdmt.web.replies import Replies

MODEL = "askdmt"
_STARTED = int(time.time())
_NO_TOKENS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}  # no language model, no tokens
_DONE = format_sse_event(data_str="[DONE]")


class Part(BaseModel):
    """A part of a message; only text can be read."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: Text | None = None


class ChatMessage(BaseModel):
    """One message; only the ones of the role `user` are read."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["user", "assistant", "system", "developer", "tool", "function"]
    content: Text | list[Part] | None = None


class StreamOptions(BaseModel):
    """What a stream ends with."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class OwnOptions(BaseModel):
    """What OpenAI's interface has no field for: `region` is that of the help lines."""

    model_config = ConfigDict(extra="forbid")

    region: Text | None = None


class ChatRequest(BaseModel):
    """A request as OpenAI's clients send it; fields that are not listed here are accepted and not read."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"model": MODEL, "messages": [{"role": "user", "content": "What is DMT?"}]}]},
    )

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    askdmt: OwnOptions = OwnOptions()

    @property
    def said(self) -> list[dict[str, str]]:
        """The messages of the visitor, as the assistant takes them.

        Raises:
            InputError: there is something else than text in one.
        """
        return [{"role": "user", "content": _text(message)} for message in self.messages if message.role == "user"]


def openai_router(replies: Replies) -> APIRouter:
    """Return the routes below `/v1`."""
    router = APIRouter(prefix="/v1", tags=["OpenAI-compatible"])

    @router.get("/models", summary="The one model there is")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model()]}

    @router.get("/models/{name}", summary="One model", responses=_only(404) | {422: PROBLEMS[422]})
    async def model(name: str) -> dict[str, Any]:
        _must_be_ours(name)
        return _model()

    @router.post(
        "/chat/completions",
        summary="Answer a question, as OpenAI's chat completions do",
        response_class=Response,
        responses={200: {"description": "A completion", "content": {"application/json": {}, EVENT_STREAM: {}}}}
        | _only(404)
        | PROBLEMS,
    )
    async def chat_completions(asked: ChatRequest, request: Request) -> Response:
        """Give one completion whose content is the whole reply, disclaimer and all.

        The reply's other fields are under `askdmt`. Of a refusal, the text is in `message.refusal` too.
        """
        _must_be_ours(asked.model)
        answering = await replies.begin(
            asked.said, channel="openai", address=address(request), region=asked.askdmt.region
        )
        if asked.stream:
            chunks = _Chunks(answering.id, usage=bool(asked.stream_options and asked.stream_options.include_usage))
            events = stream(answering, chunks.sentence, chunks.of_reply, failed)
            return StreamingResponse(events, media_type=EVENT_STREAM)
        return JSONResponse(_completion(await answering.reply))

    def failed() -> list[bytes]:
        problem = as_response(replies.desk.unavailable("error"), "/v1/")
        return [format_sse_event(data_str=bytes(problem.body).decode())]

    return router


def _only(status: int) -> dict[int | str, dict[str, Any]]:
    return {status: {**PROBLEMS[422], "description": "There is no such model"}}


def _model() -> dict[str, Any]:
    return {"id": MODEL, "object": "model", "created": _STARTED, "owned_by": MODEL}


def _must_be_ours(name: str) -> None:
    if name != MODEL:
        raise HTTPException(404, f"There is no such model. Ask for '{MODEL}'.")


def _text(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    parts = message.content or []
    if any(part.type != "text" for part in parts):
        raise InputError("A message holds something else than text.", "Send text only.")
    return "\n".join(part.text or "" for part in parts)


def _completion(reply: Reply) -> dict[str, Any]:
    message = {"role": "assistant", "content": reply.text, "refusal": _refusal(reply)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}
    return {**_envelope(reply.id, "chat.completion"), "choices": [choice], "usage": _NO_TOKENS, MODEL: reply.as_dict()}


class _Chunks:
    """A completion as the events of a stream; our own fields come with the last choice."""

    def __init__(self, reply_id: str, *, usage: bool) -> None:
        self._envelope = _envelope(reply_id, "chat.completion.chunk")
        self._usage = usage
        self._begun = False

    def sentence(self, text: str) -> list[bytes]:
        """Return the events of a piece that comes before the reply is whole."""
        return self._events([{"choices": [_delta(delta)]} for delta in self._opened([{"content": text}])])

    def of_reply(self, reply: Reply, sent: str) -> list[bytes]:
        """Return all events that are left; `sent` is the part of the text that has gone out."""
        deltas = self._opened([{"content": text} for text in pieces(reply.text[len(sent) :])])
        if refusal := _refusal(reply):
            deltas.append({"refusal": refusal})
        chunks: list[dict[str, Any]] = [{"choices": [_delta(delta)]} for delta in deltas]
        chunks.append({"choices": [_delta({}, _finish_reason(reply))], MODEL: reply.as_dict()})
        events = self._events(chunks)
        if self._usage:
            events.append(_event({**self._envelope, "choices": [], "usage": _NO_TOKENS}))
        return [*events, _DONE]

    def _opened(self, deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return deltas with the one before them that says who speaks, the first time."""
        opening = [] if self._begun else [{"role": "assistant", "content": ""}]
        self._begun = True
        return [*opening, *deltas]

    def _events(self, chunks: list[dict[str, Any]]) -> list[bytes]:
        usage = {"usage": None} if self._usage else {}
        return [_event({**self._envelope, **chunk, **usage}) for chunk in chunks]


def _delta(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _envelope(reply_id: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{reply_id}", "object": kind, "created": int(time.time()), "model": MODEL}


def _refusal(reply: Reply) -> str | None:
    return reply.body if reply.decision.is_refusal else None


def _finish_reason(reply: Reply) -> str:
    return "content_filter" if reply.decision.is_refusal else "stop"


def _event(data: Mapping[str, Any]) -> bytes:
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False))
