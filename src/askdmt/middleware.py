"""Middleware that puts AskDMT's guards around an agent of LangChain.

LangGraph streams a model's tokens through the callbacks of the run, the moment they come: a hook that looks at the
finished message (`after_model`) is too late. So the model is asked where no callback of the run hears it.
"""

from __future__ import annotations

import re
from asyncio import to_thread
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse, hook_config
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.runtime import Runtime

from askdmt.answering.extractive import Composed, cite
from askdmt.chains import MAY_BE_ASKED, conversation, without_risks
from askdmt.decisions import Decision
from askdmt.errors import GuardrailError
from askdmt.reply import Citation, Reply
from askdmt.wording import load_wording

if TYPE_CHECKING:
    from askdmt.assistant import Assistant
    from askdmt.guardrails.output_guard import OutputGuard, SentenceVerdict
    from askdmt.knowledge.sections import Knowledge

_MARK = re.compile(r"\s*\[\d+(?:\s*[,;]\s*\d+)*\]")

_PASSAGES = 4  # of those found, that may bear a draft out

Passages = Callable[[Sequence[BaseMessage]], Sequence[str]]


class GuardMiddleware(AgentMiddleware[AgentState[Any], Any, Any]):
    """Lets a model see only turns that the input guard lets pass, and the visitor only sentences that are checked.

    A turn that does not pass ends with AskDMT's own reply: no model is asked and no tool called. Of a draft, the
    sentences up to the first that fails are kept, in AskDMT's frame of citations, help lines and disclaimer; where that
    is less than half, AskDMT's own reply takes its place. What a model says beside a tool call is dropped.

    List it first: middleware before it may show or change what this one has checked.
    """

    def __init__(
        self, assistant: Assistant, *, output_guard: OutputGuard | None = None, passages: Passages | None = None,
        lets_pass: Collection[Decision] = MAY_BE_ASKED, region: str | None = None,
    ) -> None:  # fmt: skip
        """Use this assistant, itself without a language model, and this output guard or the shipped one.

        `passages` says what bears a draft out, given the messages (`tool_passages`: what the tools have returned);
        without it, that is what the assistant finds for the question. `lets_pass`: see `InputGuardRunnable`.
        """
        super().__init__()
        if output_guard is None:
            from askdmt.guardrails.output_guard import OutputGuard

            output_guard = OutputGuard()
        self.assistant = assistant
        self.output_guard = output_guard
        self.region = region
        self._passages = passages
        own_sources = {Decision.NOT_IN_SOURCES} if passages else set()
        self._lets_pass = without_risks(lets_pass) | own_sources
        self._links = {source.address for source in assistant.knowledge.sources.values() if source.address}

    @hook_config(can_jump_to=["end"])
    def before_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:  # noqa: ARG002
        """End a turn that must not reach a model, before other middleware has a model read it."""
        messages = state["messages"]
        if messages and isinstance(messages[-1], ToolMessage):
            return None  # the model is asked again in the same turn; wrap_model_call judges it all the same
        turn = self._turn(messages)
        return None if turn.may_ask else {"messages": [_message(turn.reply)], "jump_to": "end"}

    @hook_config(can_jump_to=["end"])
    async def abefore_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Do the same without blocking the event loop."""
        return await to_thread(self.before_model, state, runtime)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Ask the model unheard, and let out what is checked.

        Raises:
            GuardrailError: the agent has a `response_format`, which cannot be checked.
            InputError: there is no message of the visitor, or it is not all text.
        """
        turn = self._admitted(request)
        if not turn.may_ask:
            return ModelResponse(result=[_message(turn.reply)])
        with _unheard():
            response = handler(request)
        return self._checked(turn, request, response)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Do the same without blocking the event loop."""
        turn = await to_thread(self._admitted, request)
        if not turn.may_ask:
            return ModelResponse(result=[_message(turn.reply)])
        with _unheard():
            response = await handler(request)
        return await to_thread(self._checked, turn, request, response)

    def _admitted(self, request: ModelRequest[Any]) -> _Turn:
        if request.response_format is not None:
            raise GuardrailError("A structured response cannot be checked.", "Leave out the agent's response_format.")
        return self._turn(request.messages)

    def _turn(self, messages: Sequence[BaseMessage]) -> _Turn:
        """Let the assistant answer by itself: that judges the turn, and finds the passages and what to fall back on."""
        reply = self.assistant.reply(conversation(messages), region=self.region, trace=True)
        trace = reply.trace or {}
        judged = "judged" in trace  # not so where a stage failed, or there was nothing to judge
        found = tuple(passage for passage, _ in trace.get("passages", ()))
        may_ask = judged and reply.decision in self._lets_pass
        return _Turn(replace(reply, trace=None), trace.get("variant"), found, may_ask)

    def _checked(self, turn: _Turn, request: ModelRequest[Any], response: ModelResponse[Any]) -> ModelResponse[Any]:
        result = [
            self._safe(turn, request, message) if isinstance(message, AIMessage) else message
            for message in response.result
        ]
        return ModelResponse(result=result)

    def _safe(self, turn: _Turn, request: ModelRequest[Any], draft: AIMessage) -> AIMessage:
        """Return a draft as it may be seen; nothing is kept of it but checked text, tool calls and counts of tokens."""
        if draft.tool_calls and request.tools:  # without tools, the turn would end with this message
            return AIMessage("", name=draft.name, tool_calls=draft.tool_calls, usage_metadata=draft.usage_metadata)
        composed = self._standing(turn, request.messages, _MARK.sub("", str(draft.text)))
        return _message(_framed(turn, composed) if composed else turn.reply, draft)

    def _standing(self, turn: _Turn, messages: Sequence[BaseMessage], draft: str) -> Composed | None:
        """Return a draft's sentences up to the first that fails; None if that is less than half of them."""
        knowledge = self.assistant.knowledge
        found = () if self._passages else turn.found[:_PASSAGES]
        passages = self._passages(messages) if self._passages else [knowledge.passages[key].text for key in found]
        verdicts = list(self.output_guard.check_stream([draft], passages, self._links))
        standing = list(takewhile(lambda verdict: verdict.shown, verdicts))
        if not standing or 2 * len(standing) < len(verdicts):
            return None
        return _cited(standing, found, knowledge)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What AskDMT makes of a turn by itself."""

    reply: Reply
    variant: str | None
    found: tuple[str, ...]  # ids of passages, best first
    may_ask: bool


def tool_passages(messages: Sequence[BaseMessage]) -> list[str]:
    """Return what tools have returned since the visitor's last message, one text a call."""
    passages: list[str] = []
    for message in messages:
        if isinstance(message, HumanMessage):
            passages = []
        elif isinstance(message, ToolMessage) and message.status == "success":
            passages.append(str(message.text))
    return passages


def _cited(sentences: Sequence[SentenceVerdict], found: Sequence[str], knowledge: Knowledge) -> Composed:
    """Join sentences, each with a mark of the passage that bears it out, numbered as they come."""
    body: list[str] = []
    citations: dict[int, Citation] = {}
    for verdict in sentences:
        place = verdict.grounding.passage if verdict.grounding else -1
        if not 0 <= place < len(found):
            body.append(verdict.text)
            continue
        citation = citations.setdefault(place, cite(knowledge, found[place], len(citations) + 1))
        body.append(f"{verdict.text} [{citation.n}]")
    return Composed(" ".join(body), tuple(citations.values()))


def _framed(turn: _Turn, answer: Composed) -> Reply:
    """Return the assistant's reply with a checked answer in place of its own."""
    wording = load_wording(turn.reply.language)
    decision = turn.reply.decision
    parts = [answer.body]
    if decision is Decision.PERSONAL_ADVICE:
        asks = wording.replies.personal_advice_ask
        parts = [wording.fixed(decision, turn.variant), *parts, asks.get(turn.variant or "") or asks["decision"]]
    if turn.reply.body.startswith(wording.replies.after_crisis):
        parts.insert(0, wording.replies.after_crisis)
    return wording.reply(
        Decision.ANSWER if decision is Decision.NOT_IN_SOURCES else decision,
        "\n\n".join(parts),
        citations=answer.citations,
        support=turn.reply.support,
    )


def _message(reply: Reply, draft: AIMessage | None = None) -> AIMessage:
    """Return a reply as an agent's message; the Reply as data is in `response_metadata["askdmt"]`."""
    return AIMessage(
        reply.text,
        name=draft.name if draft else None,
        usage_metadata=draft.usage_metadata if draft else None,
        response_metadata={"askdmt": reply.as_dict()},
    )


@contextmanager
def _unheard() -> Iterator[None]:
    """Keep the run's callbacks from what runs inside: through them tokens would leave, by whatever way of streaming."""
    config = var_child_runnable_config.get() or RunnableConfig()
    token = var_child_runnable_config.set({**config, "callbacks": None})
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)
