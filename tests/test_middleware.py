"""An agent of LangChain behind the guards: whatever way it streams, nothing leaves it that was not checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState, StateGraph
from pydantic import BaseModel

from askdmt.assistant import Assistant
from askdmt.chains import GuardMiddleware
from askdmt.decisions import Decision
from askdmt.errors import GuardrailError, InputError
from askdmt.middleware import tool_passages
from askdmt.testing import ScriptedChatModel
from askdmt.wording import load_wording
from fakes import ScriptedClassifier
from langchain_fakes import REFUSED, UNSAFE, DosingClassifier, WordForWordGuard

QUESTION = "Is tap water clean?"
CRISIS = "I want to kill myself"
TRUE = "Tap water is clean in most towns."
DRAFT = f"{TRUE} The {UNSAFE} cures it."
MODES: Any = ["messages", "updates", "values", "custom", "debug", "tasks", "checkpoints"]
CALL = ToolCall(name="look_up", args={"word": "water"}, id="1", type="tool_call")

called: list[str] = []


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    called.append(word)
    return f"A note says that {word} is wet."


class ChecksTooLate(AgentMiddleware[Any, Any, Any]):
    """What one would write first: look at the message when the model has finished."""

    def after_model(self, state: Any, runtime: Any) -> dict[str, Any]:  # noqa: ARG002
        return {"messages": [AIMessage("Nothing to show.", id=state["messages"][-1].id)]}


class Spy(AgentMiddleware[Any, Any, Any]):
    """Notes what other middleware gets to read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def before_model(self, state: Any, runtime: Any) -> None:  # noqa: ARG002
        self.read.append(state["messages"][-1].text)


class Listener(BaseCallbackHandler):
    """Hears each token, as the handlers of chat pages do."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_llm_new_token(self, token: str, **_: Any) -> None:  # type: ignore[override]
        self.heard.append(token)


@pytest.fixture
def classifier() -> DosingClassifier:
    return DosingClassifier(Decision.ANSWER)


@pytest.fixture
def model() -> ScriptedChatModel:
    return ScriptedChatModel()


@pytest.fixture
def guard(quick: Assistant) -> GuardMiddleware:
    called.clear()
    return GuardMiddleware(quick, output_guard=WordForWordGuard())


def said(*texts: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text) for text in texts]}


def ask(agent: Any, *texts: str) -> BaseMessage:
    last: BaseMessage = agent.invoke(said(*texts))["messages"][-1]
    return last


def stream(agent: Any, given: Any, **config: Any) -> list[Any]:
    return list(agent.stream(given, config, stream_mode=MODES, subgraphs=True))


def astream(agent: Any, given: Any, **config: Any) -> list[Any]:
    async def run() -> list[Any]:
        return [chunk async for chunk in agent.astream(given, config, stream_mode=MODES, subgraphs=True)]

    return asyncio.run(run())


def events(agent: Any, given: Any, **config: Any) -> list[Any]:
    async def run() -> list[Any]:
        return [event async for event in agent.astream_events(given, config, version="v2")]

    return asyncio.run(run())


def log(agent: Any, given: Any, **config: Any) -> list[Any]:
    async def run() -> list[Any]:
        return [patch async for patch in agent.astream_log(given, config)]

    return asyncio.run(run())


def content_blocks(agent: Any, given: Any, **config: Any) -> list[Any]:
    return list(agent.stream_events(given, config, version="v3"))


WAYS = [stream, astream, events, log, content_blocks]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
Way = Callable[..., list[Any]]


# Nothing unchecked leaves


@ways
def test_no_unchecked_token_leaves(way: Way, model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    model.enqueue(DRAFT)
    seen = repr(way(create_agent(model, middleware=[guard]), said(QUESTION)))
    assert TRUE in seen
    assert UNSAFE not in seen
    assert len(model.history) == 1


@ways
def test_a_check_of_the_finished_message_is_too_late(way: Way, model: ScriptedChatModel) -> None:
    model.enqueue(DRAFT)
    assert UNSAFE in repr(way(create_agent(model, middleware=[ChecksTooLate()]), said(QUESTION)))


@ways
def test_a_check_around_the_model_is_too_late_if_the_run_hears_the_model(
    way: Way, model: ScriptedChatModel, guard: GuardMiddleware, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("askdmt.middleware._unheard", nullcontext)
    model.enqueue(DRAFT)
    assert UNSAFE in repr(way(create_agent(model, middleware=[guard]), said(QUESTION)))


@pytest.mark.parametrize("way", [stream, astream])
def test_no_unchecked_token_leaves_an_agent_inside_another_graph(
    way: Way, model: ScriptedChatModel, guard: GuardMiddleware
) -> None:
    graph = StateGraph(MessagesState).add_node("agent", create_agent(model, middleware=[guard]))
    model.enqueue(DRAFT)
    seen = repr(way(graph.set_entry_point("agent").compile(), said(QUESTION)))
    assert TRUE in seen
    assert UNSAFE not in seen


def test_the_token_stream_of_the_control_leaks_and_ours_has_whole_checked_messages(
    model: ScriptedChatModel, guard: GuardMiddleware
) -> None:
    def tokens(middleware: Any) -> list[str]:
        model.enqueue(DRAFT)
        agent = create_agent(model, middleware=[middleware])
        chunks = agent.stream(said(QUESTION), stream_mode="messages")
        return [message.text for message, _ in chunks if message.text]

    assert "".join(tokens(ChecksTooLate())).startswith(DRAFT)
    (text,) = tokens(guard)
    assert text.startswith(f"{TRUE} [1]\n\n")
    assert load_wording().disclaimer in text


@pytest.mark.parametrize("way", [stream, astream])
def test_callbacks_of_the_run_hear_no_token(way: Way, model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    model.enqueue(DRAFT).enqueue(DRAFT)
    ours, control = Listener(), Listener()
    way(create_agent(model, middleware=[guard]), said(QUESTION), callbacks=[ours])
    way(create_agent(model, middleware=[ChecksTooLate()]), said(QUESTION), callbacks=[control])
    assert ours.heard == []
    assert UNSAFE in "".join(control.heard)


@pytest.mark.parametrize("way", [stream, astream])
def test_a_model_that_fails_midway_has_shown_nothing(
    way: Way, model: ScriptedChatModel, guard: GuardMiddleware
) -> None:
    model.enqueue(f"The {UNSAFE} cures it.", after=2, error=ConnectionError("gone"))
    listener = Listener()
    with pytest.raises(ConnectionError):
        way(create_agent(model, middleware=[guard]), said(QUESTION), callbacks=[listener])
    assert listener.heard == []


def test_nothing_unchecked_is_kept_for_the_next_turn(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    model.enqueue(DRAFT).enqueue(TRUE)
    memory = InMemorySaver()
    agent = create_agent(model, middleware=[guard], checkpointer=memory)
    config: Any = {"configurable": {"thread_id": "1"}}
    agent.invoke(said(QUESTION), config)
    agent.invoke(said(QUESTION), config)
    assert UNSAFE not in repr(list(memory.list(config)))
    assert UNSAFE not in repr(model.history)
    assert len(model.history) == 2


def test_what_a_model_says_beside_a_tool_call_is_dropped(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    model.enqueue(AIMessage(f"Let me ask the {UNSAFE}.", tool_calls=[CALL])).enqueue(TRUE)
    chunks = stream(create_agent(model, [look_up], middleware=[guard]), said(QUESTION))
    assert UNSAFE not in repr(chunks)
    assert called == ["water"]
    assert TRUE in repr(chunks)


def test_a_call_of_a_tool_that_the_agent_lacks_still_ends_with_a_reply(
    quick: Assistant, model: ScriptedChatModel, guard: GuardMiddleware
) -> None:
    model.enqueue(AIMessage(f"The {UNSAFE}.", tool_calls=[CALL]))
    assert ask(create_agent(model, middleware=[guard]), QUESTION).text == quick.reply(QUESTION).text


# What is left of a draft


def test_a_checked_answer_stands_in_the_assistants_frame(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    model.enqueue(f"{TRUE} People test the water each day [7].")
    answer = ask(create_agent(model, middleware=[guard]), QUESTION)
    reply = answer.response_metadata["askdmt"]
    assert reply["body"] == f"{TRUE} [1] People test the water each day. [1]"
    assert [citation["section"] for citation in reply["citations"]] == ["water"]
    assert reply["decision"] == "answer"
    assert answer.text == reply["text"]
    assert answer.usage_metadata is not None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "draft", ["", f"The {UNSAFE} cures it.", f"{TRUE} {UNSAFE}! {UNSAFE}?", f"The {UNSAFE}. {TRUE}"]
)
def test_a_draft_that_does_not_stand_gives_way_to_the_assistants_own_answer(
    quick: Assistant, model: ScriptedChatModel, guard: GuardMiddleware, draft: str
) -> None:
    model.enqueue(draft)
    assert ask(create_agent(model, middleware=[guard]), QUESTION).text == quick.reply(QUESTION).text


def test_a_personal_question_keeps_its_frame(
    model: ScriptedChatModel, guard: GuardMiddleware, classifier: ScriptedClassifier
) -> None:
    classifier.label = Decision.PERSONAL_ADVICE
    model.enqueue(TRUE)
    text = ask(create_agent(model, middleware=[guard]), QUESTION).text
    replies = load_wording().replies
    assert text.startswith(f"{replies.personal_advice['decision']}\n\n{TRUE} [1]\n\n")
    assert replies.personal_advice_ask["decision"] in text


def test_help_lines_stay_after_a_message_of_danger(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    model.enqueue(TRUE)
    agent = create_agent(model, middleware=[guard])
    messages = [HumanMessage(CRISIS), AIMessage("Please call."), HumanMessage(QUESTION)]
    reply = agent.invoke({"messages": messages})["messages"][-1].response_metadata["askdmt"]
    assert reply["body"].startswith(load_wording().replies.after_crisis)
    assert TRUE in reply["body"]
    assert reply["support"]


# Turns that no model sees


@ways
@pytest.mark.parametrize(
    ("question", "decision"),
    [(REFUSED, "refuse_dosing"), (CRISIS, "crisis"), ("Where do lions sleep?", "not_in_sources")],
)
def test_a_turn_that_does_not_pass_ends_with_the_fixed_reply(
    way: Way, quick: Assistant, model: ScriptedChatModel, guard: GuardMiddleware, question: str, decision: str
) -> None:
    spy = Spy()
    agent = create_agent(model, [look_up], middleware=[guard, spy])
    own = quick.reply(question)
    assert own.decision == decision
    assert repr(own.disclaimer)[1:-1] in repr(way(agent, said(question)))
    answer = ask(agent, question)
    assert answer.text == own.text
    assert len(answer.response_metadata["askdmt"]["support"]) == len(own.support)
    assert (model.history, called, spy.read) == ([], [], [])


def test_a_refused_turn_runs_no_tool_that_was_called_before(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    agent = create_agent(model, [look_up], middleware=[guard])
    messages = [HumanMessage(QUESTION), AIMessage("", tool_calls=[CALL]), HumanMessage(REFUSED)]
    last = agent.invoke({"messages": messages})["messages"][-1]
    assert last.response_metadata["askdmt"]["decision"] == "refuse_dosing"
    assert (model.history, called) == ([], [])


def test_a_request_in_two_messages_is_refused(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    answer = ask(create_agent(model, middleware=[guard]), "How much", "should I take?")
    assert answer.response_metadata["askdmt"]["decision"] == "refuse_dosing"
    assert model.history == []


def test_the_model_call_is_guarded_even_where_the_earlier_hook_is_not_run(
    model: ScriptedChatModel, guard: GuardMiddleware
) -> None:
    asked: list[Any] = []

    async def ahandler(request: Any) -> Any:
        asked.append(request)

    request: ModelRequest[Any] = ModelRequest(model=model, messages=[HumanMessage(REFUSED)])
    for response in (
        guard.wrap_model_call(request, asked.append),  # type: ignore[arg-type]
        asyncio.run(guard.awrap_model_call(request, ahandler)),
    ):
        assert response.result[0].response_metadata["askdmt"]["decision"] == "refuse_dosing"
    assert asked == []


def test_a_turn_that_cannot_be_judged_ends_with_the_safe_reply(
    quick: Assistant, model: ScriptedChatModel, guard: GuardMiddleware, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(QUESTION)

    monkeypatch.setattr(quick.guard, "decide", fail)
    reply = ask(create_agent(model, middleware=[guard]), QUESTION).response_metadata["askdmt"]
    assert reply["body"] == load_wording().replies.unsure
    assert "trace" not in reply
    assert model.history == []


@pytest.mark.parametrize("said", ["\u200b", "water " * 1000])
def test_what_is_empty_or_too_long_reaches_no_model(quick: Assistant, model: ScriptedChatModel, said: str) -> None:
    guard = GuardMiddleware(quick, output_guard=WordForWordGuard(), lets_pass=[Decision.ANSWER, Decision.OUT_OF_SCOPE])
    ask(create_agent(model, middleware=[guard]), said)
    assert model.history == []


# Other people's passages


def test_passages_may_be_what_the_tools_return(quick: Assistant, model: ScriptedChatModel) -> None:
    called.clear()
    guard = GuardMiddleware(quick, output_guard=WordForWordGuard(), passages=tool_passages)
    model.enqueue(AIMessage("", tool_calls=[CALL])).enqueue(f"A note says that water is wet. {UNSAFE}!")
    answer = ask(create_agent(model, [look_up], middleware=[guard]), "Where do lions sleep?")
    assert answer.text.startswith("A note says that water is wet.\n\n")
    assert answer.response_metadata["askdmt"]["decision"] == "answer"
    assert called == ["water"]


def test_passages_of_tools_are_those_of_the_last_turn_that_came_without_error() -> None:
    messages = [
        HumanMessage("One"),
        ToolMessage("old", tool_call_id="1"),
        HumanMessage("Two"),
        ToolMessage("new", tool_call_id="2"),
        ToolMessage("broken", tool_call_id="3", status="error"),
    ]
    assert tool_passages(messages) == ["new"]


# Wrong use


def test_a_structured_response_is_an_error(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    class Answer(BaseModel):
        text: str

    agent = create_agent(model, middleware=[guard], response_format=Answer)
    with pytest.raises(GuardrailError, match="response_format"):
        agent.invoke(said(QUESTION))
    assert model.history == []


def test_a_picture_is_an_error(model: ScriptedChatModel, guard: GuardMiddleware) -> None:
    picture = HumanMessage([{"type": "image", "url": "https://example.org/a.png"}])
    with pytest.raises(InputError, match="text"):
        create_agent(model, middleware=[guard]).invoke({"messages": [picture]})
    assert model.history == []


def test_no_risk_may_be_let_pass(quick: Assistant) -> None:
    with pytest.raises(InputError, match="crisis"):
        GuardMiddleware(quick, output_guard=WordForWordGuard(), lets_pass=[Decision.ANSWER, Decision.CRISIS])
