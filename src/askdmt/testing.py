"""A chat model for tests: it says what it was told to say, token by token, and breaks where it was told to break.

::

    model = ScriptedChatModel()
    model.enqueue("The trial was small.")
    model.enqueue("The trial was small.", after=2)  # cut short, as by a limit on tokens
    model.enqueue("The trial was small.", after=2, error=ConnectionError("gone"))
    model.enqueue("", hangs=True)  # until release()
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Self

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr

LONGEST_HANG = 60.0  # seconds; a test that forgets release() fails instead of standing still
_TOKEN = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True, slots=True)
class _Answer:
    tokens: tuple[str, ...]
    tool_calls: Sequence[Any]
    cut: bool
    released: Future[None] | None  # None: it does not hang
    error: Exception | None


class ScriptedChatModel(BaseChatModel):
    """Gives the answers of `enqueue`, one a call, in order; `history` has the messages of each call.

    It streams, with and without `async`, and takes tools. Its tokens are words with the white space before them.
    """

    history: list[list[BaseMessage]] = Field(default_factory=list)
    _answers: deque[_Answer] = PrivateAttr(default_factory=deque)
    _hangs: list[Future[None]] = PrivateAttr(default_factory=list)

    def enqueue(
        self, answer: str | Sequence[str] | AIMessage | Exception, *, after: int | None = None,
        error: Exception | None = None, hangs: bool = False,
    ) -> Self:  # fmt: skip
        """Add an answer: a text, its tokens one by one, a message (for tool calls), or an error to raise at once.

        `after` that many tokens it raises `error`, or hangs until `release`; with neither, it is cut short there and
        its `finish_reason` is "length". Without `after`, that happens when all tokens are out.
        """
        if isinstance(answer, Exception):
            return self.enqueue("", error=answer)
        text = answer.text if isinstance(answer, AIMessage) else answer
        tokens = tuple(_TOKEN.findall(text) if isinstance(text, str) else text)
        calls = answer.tool_calls if isinstance(answer, AIMessage) else ()
        cut = after is not None and not error and not hangs
        released: Future[None] | None = Future() if hangs else None
        self._hangs += [released] if released else []
        self._answers.append(_Answer(tokens[:after], () if cut else calls, cut, released, error))
        return self

    def release(self) -> None:
        """Let every call that hangs go on, or one that has still to come to that."""
        while self._hangs:
            released = self._hangs.pop()
            if not released.done():  # it is where the call was cancelled
                released.set_result(None)

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], *,
        tool_choice: str | None = None, **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:  # fmt: skip
        """Take tools as any model does; which one it calls is for the script to say."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], tool_choice=tool_choice, **kwargs)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _play(self, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk | Future[None]]:
        """Yield the next answer's chunks; a future stands for a hang, and is to be waited for."""
        self.history.append(messages)
        if not self._answers:
            raise AssertionError("ScriptedChatModel has no answer left. Call enqueue() once more.")
        answer = self._answers.popleft()
        for token in answer.tokens:
            yield ChatGenerationChunk(message=AIMessageChunk(content=token))
        if answer.released:
            yield answer.released
        if answer.error:
            raise answer.error
        yield ChatGenerationChunk(message=_ending(answer, messages))

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for step in self._play(messages):
            if isinstance(step, Future):
                step.result(timeout=LONGEST_HANG)
            else:
                yield step

    async def _astream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        for step in self._play(messages):
            if isinstance(step, Future):
                await asyncio.wait_for(asyncio.wrap_future(step), LONGEST_HANG)
            else:
                yield step

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return generate_from_stream(self._stream(messages))

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages))


def _ending(answer: _Answer, messages: list[BaseMessage]) -> AIMessageChunk:
    """Return the last chunk, which has the tool calls, why it ended, and what was used (tokens are words)."""
    read, written = sum(len(message.text.split()) for message in messages), len(answer.tokens)
    return AIMessageChunk(
        content="",
        tool_call_chunks=[
            tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=number)
            for number, call in enumerate(answer.tool_calls)
        ],
        response_metadata={"finish_reason": "length" if answer.cut else "stop"},
        usage_metadata=UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written),
        chunk_position="last",
    )
