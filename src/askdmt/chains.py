"""AskDMT for other people's LangChain programs: the assistant and its two guards as Runnables.

`GuardMiddleware`, for agents, is loaded when it is asked for: LangChain's agents take seconds to import.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain, groupby
from operator import add
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    FunctionMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import run_in_executor

from askdmt.conversation import Conversation
from askdmt.decisions import DANGER, REFUSALS, Decision
from askdmt.errors import BlockedError, InputError
from askdmt.reply import Reply

if TYPE_CHECKING:
    from askdmt.assistant import Assistant
    from askdmt.guardrails.input_guard import Verdict
    from askdmt.guardrails.output_guard import OutputGuard, SentenceVerdict
    from askdmt.middleware import GuardMiddleware

__all__ = ["AssistantRunnable", "Checked", "GuardMiddleware", "InputGuardRunnable", "OutputGuardRunnable"]

log = logging.getLogger(__name__)

MAY_BE_ASKED = frozenset({Decision.ANSWER, Decision.PERSONAL_ADVICE})  # turns that a language model may see
_NEVER_ASKED = DANGER | REFUSALS | {Decision.UNSUPPORTED_LANGUAGE}
_NOT_SAID = (SystemMessage, ToolMessage, FunctionMessage, RemoveMessage)  # by a visitor, or to one

T = TypeVar("T")


def __getattr__(name: str) -> Any:
    if name == "GuardMiddleware":
        try:
            from askdmt.middleware import GuardMiddleware
        except ModuleNotFoundError as error:
            raise ImportError(
                f"GuardMiddleware needs LangChain's agents ({error.name} is missing): pip install 'langchain>=1.0,<2'"
            ) from error
        return GuardMiddleware
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class AssistantRunnable(Runnable[Any, Reply | str]):
    """The whole assistant: a text, a prompt or messages in, its Reply out.

    With `as_text` it gives the reply's text instead, and streams it by sentences, each already checked.
    """

    def __init__(self, assistant: Assistant, *, as_text: bool = False, region: str | None = None) -> None:
        self.assistant = assistant
        self.as_text = as_text
        self.region = region

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Reply | str:  # noqa: A002
        """Return the reply, or its text.

        Raises:
            InputError: the input is neither text nor messages.
        """
        return self._call_with_config(self._reply, input, config)

    def stream(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Iterator[Reply | str]:  # noqa: A002
        """Yield the text by sentences; the Reply comes in one piece."""
        return self._transform_stream_with_config(iter([input]), self._pieces, config)

    async def astream(
        self,
        input: Any,  # noqa: A002
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> AsyncIterator[Reply | str]:
        """Do the same without blocking the event loop."""
        async for piece in self._atransform_stream_with_config(_alone(input), self._apieces, config):
            yield piece

    def _reply(self, given: Any) -> Reply | str:
        reply = self.assistant.reply(conversation(given), region=self.region)
        return reply.text if self.as_text else reply

    def _pieces(self, inputs: Iterator[Any]) -> Iterator[Reply | str]:
        for given in inputs:
            for piece in self.assistant.stream(conversation(given), region=self.region):
                if isinstance(piece, str) is self.as_text:
                    yield piece

    async def _apieces(self, inputs: AsyncIterator[Any]) -> AsyncIterator[Reply | str]:
        async for given in inputs:
            async for piece in _in_thread(self._pieces(iter([given]))):
                yield piece


class InputGuardRunnable(Runnable[Any, "Verdict | Reply"]):
    """The input guard: a message in; out comes its verdict where a model may be asked, else the whole fixed Reply.

    With `raises`, the fixed reply comes in a BlockedError, so that a chain ends there. `lets_pass` has the decisions at
    which a model may be asked; danger, refusals and languages that cannot be judged are not among them.
    """

    def __init__(
        self, assistant: Assistant, *, raises: bool = False, lets_pass: Collection[Decision] = MAY_BE_ASKED,
        region: str | None = None,
    ) -> None:  # fmt: skip
        self.assistant = assistant
        self.raises = raises
        self.lets_pass = without_risks(lets_pass)
        self.region = region

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Verdict | Reply:  # noqa: A002
        """Judge a message, given the ones before it; what cannot be judged does not pass.

        Raises:
            BlockedError: no model may be asked, and `raises` is set; it has the reply to show.
            InputError: the input is neither text nor messages.
        """
        return self._call_with_config(self._screen, input, config)

    def _screen(self, given: Any) -> Verdict | Reply:
        said = conversation(given)
        try:
            verdict = self._judge(Conversation.of(said))
        except Exception as error:
            log.error("judging failed: %s", type(error).__name__)  # the type only: a message may quote the visitor
            reply = self.assistant.safe_reply("unsure", self.region)
        else:
            if verdict and verdict.decision in self.lets_pass:
                return verdict
            reply = self.assistant.reply(said, region=self.region)
        if self.raises:
            raise BlockedError(reply)
        return reply

    def _judge(self, said: Conversation) -> Verdict | None:
        """Return the guard's verdict; None where there is nothing to read, or too much."""
        guard, limit = self.assistant.guard, self.assistant.settings.max_characters
        if len(said.last) > limit:
            return None
        before = [message[:limit] for message in said.before]
        reading = guard.read(said.last, before, asked_if_safe=said.asked_if_safe)
        return guard.decide(reading, guard.encoder.encode(reading.texts)) if reading.message.text else None


@dataclass(frozen=True, slots=True)
class Checked:
    """What may be shown of a draft, and the verdict on each of its sentences; what a stream yields can be added up."""

    text: str = ""
    verdicts: tuple[SentenceVerdict, ...] = ()

    def __add__(self, other: Checked) -> Checked:
        return Checked(self.text + other.text, self.verdicts + other.verdicts)


class OutputGuardRunnable(Runnable[Mapping[str, Any], Checked]):
    """The output guard: `{"draft", "passages"}` in, Checked out; streams sentence by sentence, as each has passed.

    A draft is a text or a message, and may itself arrive as a stream; passages are texts or documents. The model before
    it is not kept from being heard: show what this Runnable yields, and no events of the chain.
    """

    def __init__(self, guard: OutputGuard | None = None, *, links: Collection[str] = ()) -> None:
        """Use this guard or the shipped one; `links` are the addresses that a draft may name."""
        if guard is None:
            from askdmt.guardrails.output_guard import OutputGuard

            guard = OutputGuard()
        self.guard = guard
        self.links = links

    def invoke(self, input: Mapping[str, Any], config: RunnableConfig | None = None, **_: Any) -> Checked:  # noqa: A002
        """Check a whole draft.

        Raises:
            InputError: the input has no draft.
        """
        return self._call_with_config(lambda given: reduce(add, self._check(iter([given])), Checked()), input, config)

    def stream(
        self,
        input: Mapping[str, Any],  # noqa: A002
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> Iterator[Checked]:
        """Yield a Checked for each sentence."""
        return self.transform(iter([input]), config)

    def transform(
        self,
        input: Iterator[Mapping[str, Any]],  # noqa: A002
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> Iterator[Checked]:
        """Do the same for a draft that arrives in pieces; nothing is yielded before the passages are there."""
        return self._transform_stream_with_config(input, self._check, config)

    async def astream(
        self,
        input: Mapping[str, Any],  # noqa: A002
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> AsyncIterator[Checked]:
        """Do what `stream` does without blocking the event loop."""
        async for checked in self.atransform(_alone(input), config):
            yield checked

    async def atransform(
        self,
        input: AsyncIterator[Mapping[str, Any]],  # noqa: A002
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> AsyncIterator[Checked]:
        """Do what `transform` does without blocking the event loop."""
        async for checked in self._atransform_stream_with_config(input, self._acheck, config):
            yield checked

    def _check(self, chunks: Iterator[Mapping[str, Any]]) -> Iterator[Checked]:
        passages: list[str] | None = None
        early: list[str] = []
        for chunk in chunks:
            early.append(_token(chunk))
            if (passages := _passages(chunk)) is not None:
                break
        tokens = chain(early, map(_token, chunks))
        spacing = _Spacing()
        for verdict in self.guard.check_stream(tokens, passages or [], self.links):
            yield spacing.checked(verdict)

    async def _acheck(self, chunks: AsyncIterator[Mapping[str, Any]]) -> AsyncIterator[Checked]:
        passages: list[str] | None = None
        early: list[str] = []
        async for chunk in chunks:
            early.append(_token(chunk))
            if (passages := _passages(chunk)) is not None:
                break

        async def tokens() -> AsyncIterator[str]:
            for token in early:
                yield token
            async for chunk in chunks:
                yield _token(chunk)

        spacing = _Spacing()
        async for verdict in self.guard.acheck_stream(tokens(), passages or [], self.links):
            yield spacing.checked(verdict)


class _Spacing:
    """Puts a space between the sentences that are shown."""

    def __init__(self) -> None:
        self._begun = False

    def checked(self, verdict: SentenceVerdict) -> Checked:
        text = verdict.text if verdict.shown else ""
        space = " " if text and self._begun else ""
        self._begun = self._begun or bool(text)
        return Checked(space + text, (verdict,))


def conversation(given: Any) -> list[dict[str, str]]:
    """Return what the visitor has said, as `{"role", "content"}`.

    Messages in a row count as one, so that a request cannot be split to slip past. What is neither an answer, nor a
    system's, nor a tool's counts as the visitor's.

    Raises:
        InputError: it is neither text nor messages, a visitor's message is not all text, or there is none.
    """
    heard = [message for message in _messages(given) if not isinstance(message, _NOT_SAID)]
    runs = groupby(heard, key=lambda message: isinstance(message, AIMessage))
    said = ["\n".join(map(_text, messages)) for is_answer, messages in runs if not is_answer]
    if not said:
        raise InputError("There is no message of the visitor.", "Add a HumanMessage.")
    return [{"role": "user", "content": text} for text in said]


def without_risks(decisions: Collection[Decision]) -> frozenset[Decision]:
    """Return decisions at which a model may be asked.

    Raises:
        InputError: there is one at which none may.
    """
    if risks := sorted(_NEVER_ASKED.intersection(decisions)):
        raise InputError(f"A turn that is '{risks[0]}' must not reach a language model.", "Leave it out of lets_pass.")
    return frozenset(decisions)


def _messages(given: Any) -> list[BaseMessage]:
    several = isinstance(given, PromptValue | Sequence) and not isinstance(given, str)
    try:
        return convert_to_messages(given if several else [given])
    except (KeyError, NotImplementedError, TypeError, ValueError):
        mend = 'Give text, or messages such as {"role": "user", "content": "…"}.'
        raise InputError("The input is neither text nor messages.", mend) from None


def _text(message: BaseMessage) -> str:
    blocks = message.content if isinstance(message.content, list) else []
    if any(isinstance(block, dict) and block.get("type") != "text" for block in blocks):
        raise InputError("A message's content must be text.", "Send attachments as text, or leave them out.")
    return str(message.text)


def _token(chunk: Any) -> str:
    """Return what a piece of the input adds to the draft."""
    if not isinstance(chunk, Mapping) or not {"draft", "passages"} & set(chunk):
        raise InputError("There is no draft to check.", 'Give {"draft": "…", "passages": ["…"]}.')
    draft = chunk.get("draft") or ""
    return str(draft.text) if isinstance(draft, BaseMessage) else str(draft)


def _passages(chunk: Mapping[str, Any]) -> list[str] | None:
    """Return the texts of the passages, where this piece of the input has them."""
    if chunk.get("passages") is None:
        return None
    return [passage if isinstance(passage, str) else passage.page_content for passage in chunk["passages"]]


async def _alone(given: T) -> AsyncIterator[T]:
    yield given


async def _in_thread(items: Iterator[T]) -> AsyncIterator[T]:
    """Yield what an iterator yields, waiting for each item in a thread."""
    end = object()
    while (item := await run_in_executor(None, next, items, end)) is not end:
        yield item  # type: ignore[misc]
