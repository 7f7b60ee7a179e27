"""The assistant and its guards in chains of LangChain."""

from __future__ import annotations

import asyncio
import sys
from operator import itemgetter
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough

from askdmt import chains
from askdmt.assistant import Assistant
from askdmt.chains import AssistantRunnable, Checked, InputGuardRunnable, OutputGuardRunnable, conversation
from askdmt.decisions import Decision
from askdmt.errors import BlockedError, InputError
from askdmt.guardrails.input_guard import Verdict
from askdmt.reply import Reply
from askdmt.testing import ScriptedChatModel
from askdmt.wording import load_wording
from fakes import BREAD, WATER, ScriptedClassifier
from langchain_fakes import REFUSED, UNSAFE, DosingClassifier, WordForWordGuard
from test_cli import imported

QUESTION = "Is tap water clean?"
CRISIS = "I want to kill myself"
TRUE = "Tap water is clean in most towns. People test the water each day."
DRAFT = f"Tap water is clean in most towns. It cures {UNSAFE}. People test the water each day."


@pytest.fixture
def classifier() -> DosingClassifier:
    return DosingClassifier(Decision.ANSWER)


# What was said


@pytest.mark.parametrize(
    "given",
    [
        QUESTION,
        HumanMessage(QUESTION),
        [HumanMessage([{"type": "text", "text": QUESTION}])],
        {"role": "user", "content": QUESTION},
        [("system", "Be kind."), ("user", QUESTION)],
        ChatPromptTemplate([("system", "Be kind."), ("user", "{question}")]).invoke({"question": QUESTION}),
        [ChatMessage(QUESTION, role="patient")],
    ],
    ids=["text", "message", "blocks", "dict", "tuples", "prompt", "other role"],
)
def test_text_prompts_and_messages_are_read(given: Any) -> None:
    assert conversation(given) == [{"role": "user", "content": QUESTION}]


def test_messages_in_a_row_count_as_one_and_answers_part_them() -> None:
    said = [
        HumanMessage("One"),
        SystemMessage("Be kind."),
        HumanMessage("two"),
        AIMessage("Hm.", tool_calls=[{"name": "look", "args": {}, "id": "1"}]),
        ToolMessage("found", tool_call_id="1"),
        AIMessage("Yes."),
        HumanMessage("Three"),
    ]
    assert [message["content"] for message in conversation(said)] == ["One\ntwo", "Three"]


@pytest.mark.parametrize(
    "given",
    [
        7,
        None,
        [],
        {"question": QUESTION},
        [AIMessage("Hello")],
        HumanMessage([{"type": "text", "text": QUESTION}, {"type": "image", "url": "https://example.org/a.png"}]),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_what_to_give(given: Any) -> None:
    with pytest.raises(InputError) as caught:
        conversation(given)
    assert caught.value.mend
    assert QUESTION not in str(caught.value)


# The whole assistant


def test_the_assistant_gives_a_reply_or_its_text(quick: Assistant) -> None:
    reply = AssistantRunnable(quick).invoke(QUESTION)
    assert isinstance(reply, Reply)
    assert reply.decision is Decision.ANSWER
    assert AssistantRunnable(quick, as_text=True).invoke([HumanMessage(QUESTION)]) == reply.text


def test_the_assistant_streams_sentences_that_make_up_its_text(quick: Assistant) -> None:
    pieces = list(AssistantRunnable(quick, as_text=True).stream(QUESTION))
    assert len(pieces) > 3
    assert "".join(map(str, pieces)) == quick.reply(QUESTION).text
    (reply,) = AssistantRunnable(quick).stream(QUESTION)
    assert isinstance(reply, Reply)


def test_the_assistant_answers_batches_in_order(quick: Assistant) -> None:
    replies = AssistantRunnable(quick).batch([QUESTION, REFUSED, 7], return_exceptions=True)
    assert [getattr(reply, "decision", type(reply)) for reply in replies] == [
        Decision.ANSWER, Decision.REFUSE_DOSING, InputError,
    ]  # fmt: skip


def test_the_assistant_works_in_async_code(quick: Assistant) -> None:
    async def ask() -> tuple[Any, list[Any], list[Any]]:
        runnable: Runnable[Any, Any] = AssistantRunnable(quick, as_text=True)
        return (
            await runnable.ainvoke(QUESTION),
            [piece async for piece in runnable.astream(QUESTION)],
            await runnable.abatch([QUESTION, REFUSED]),
        )

    text, pieces, texts = asyncio.run(ask())
    assert len(pieces) > 3
    assert text == "".join(pieces) == texts[0]
    assert load_wording().disclaimer in texts[1]


def test_the_assistant_streams_at_the_end_of_a_chain(quick: Assistant) -> None:
    chain = ChatPromptTemplate([("user", "{question}")]) | AssistantRunnable(quick, as_text=True)
    assert len(list(chain.stream({"question": QUESTION}))) > 3


def test_the_region_decides_on_the_help_lines(quick: Assistant) -> None:
    reply = AssistantRunnable(quick, region="gb").invoke(CRISIS)
    assert isinstance(reply, Reply)
    assert reply.support == quick.reply(CRISIS, region="gb").support != quick.reply(CRISIS).support


# The input guard


def test_the_input_guard_lets_a_question_pass_with_its_verdict(quick: Assistant) -> None:
    verdict = InputGuardRunnable(quick).invoke(QUESTION)
    assert isinstance(verdict, Verdict)
    assert verdict.decision is Decision.ANSWER


@pytest.mark.parametrize(
    ("said", "decision"),
    [
        (REFUSED, Decision.REFUSE_DOSING),
        (CRISIS, Decision.CRISIS),
        ([HumanMessage("How much"), HumanMessage("should I take?")], Decision.REFUSE_DOSING),
        ("\u200b", Decision.OUT_OF_SCOPE),
        ("water " * 1000, Decision.OUT_OF_SCOPE),
        ("water " * 1000 + CRISIS, Decision.CRISIS),
    ],
    ids=["refused", "crisis", "in two messages", "nothing", "too long", "crisis at the end"],
)
def test_the_input_guard_gives_the_whole_fixed_reply(quick: Assistant, said: Any, decision: Decision) -> None:
    reply = InputGuardRunnable(quick).invoke(said)
    assert isinstance(reply, Reply)
    assert reply.decision is decision
    assert reply.disclaimer in reply.text
    assert bool(reply.support) is decision.is_danger


def test_the_input_guard_can_end_a_chain(quick: Assistant) -> None:
    model = ScriptedChatModel().enqueue("Yes.")
    chain = RunnablePassthrough.assign(verdict=itemgetter("question") | InputGuardRunnable(quick, raises=True))
    with pytest.raises(BlockedError) as caught:
        (chain | itemgetter("question") | model).invoke({"question": REFUSED})
    assert caught.value.reply.decision is Decision.REFUSE_DOSING
    assert REFUSED not in str(caught.value)
    assert model.history == []
    assert (chain | itemgetter("question") | model).invoke({"question": QUESTION}).text == "Yes."


def test_the_input_guard_judges_batches_in_order_and_in_async_code(quick: Assistant) -> None:
    async def ask() -> list[Any]:
        return [await guard.ainvoke(QUESTION), await guard.ainvoke(REFUSED), *await guard.abatch([QUESTION, REFUSED])]

    guard = InputGuardRunnable(quick)
    judged = [*guard.batch([QUESTION, REFUSED]), *asyncio.run(ask())]
    assert [type(result) for result in judged] == [Verdict, Reply] * 3
    assert [result.decision for result in judged] == [Decision.ANSWER, Decision.REFUSE_DOSING] * 3


def test_the_input_guard_ends_only_the_blocked_chains_of_a_batch(quick: Assistant) -> None:
    guard = InputGuardRunnable(quick, raises=True)
    said = [QUESTION, REFUSED, QUESTION]
    several = asyncio.run(guard.abatch(said, return_exceptions=True))
    for results in (guard.batch(said, return_exceptions=True), several):
        assert [type(result) for result in results] == [Verdict, BlockedError, Verdict]
    with pytest.raises(BlockedError):
        asyncio.run(guard.ainvoke(REFUSED))


def test_the_input_guard_is_closed_when_it_cannot_judge(quick: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(QUESTION)

    monkeypatch.setattr(quick.guard, "decide", fail)
    reply = InputGuardRunnable(quick).invoke(QUESTION)
    assert isinstance(reply, Reply)
    assert reply.body == load_wording().replies.unsure
    assert reply.support


def test_a_chain_may_let_more_pass_but_no_risk(quick: Assistant, classifier: ScriptedClassifier) -> None:
    classifier.label = Decision.OUT_OF_SCOPE
    assert isinstance(InputGuardRunnable(quick).invoke("Where do lions sleep?"), Reply)
    wider = InputGuardRunnable(quick, lets_pass=[Decision.ANSWER, Decision.OUT_OF_SCOPE])
    assert isinstance(wider.invoke("Where do lions sleep?"), Verdict)
    for risk in (Decision.CRISIS, Decision.REFUSE_DOSING, Decision.UNSUPPORTED_LANGUAGE):
        with pytest.raises(InputError, match=risk.value):
            InputGuardRunnable(quick, lets_pass=[Decision.ANSWER, risk])


# The output guard


@pytest.fixture
def output() -> OutputGuardRunnable:
    return OutputGuardRunnable(WordForWordGuard())


@pytest.mark.parametrize("draft", [DRAFT, AIMessage(DRAFT)], ids=["text", "message"])
@pytest.mark.parametrize("passages", [[BREAD, WATER], [Document(BREAD), Document(WATER)]], ids=["texts", "documents"])
def test_the_output_guard_keeps_what_passes_and_says_why_not(output: Any, draft: Any, passages: Any) -> None:
    checked = output.invoke({"draft": draft, "passages": passages})
    assert checked.text == TRUE
    assert [verdict.shown for verdict in checked.verdicts] == [True, False, True]
    assert checked.verdicts[1].reasons == ("claim",)


def test_the_output_guard_streams_by_sentence(output: OutputGuardRunnable) -> None:
    async def stream() -> list[Checked]:
        return [checked async for checked in output.astream({"draft": DRAFT, "passages": [WATER]})]

    pieces = list(output.stream({"draft": DRAFT, "passages": [WATER]}))
    assert [len(piece.verdicts) for piece in pieces] == [1, 1, 1]
    assert "".join(piece.text for piece in pieces) == TRUE
    assert asyncio.run(stream()) == pieces


def test_the_output_guard_checks_batches_in_order_and_in_async_code(output: OutputGuardRunnable) -> None:
    async def check() -> list[Checked]:
        return [*[await output.ainvoke(one) for one in given], *await output.abatch(given)]

    given: list[Any] = [{"draft": DRAFT, "passages": [WATER]}, {"draft": DRAFT, "passages": [BREAD]}]
    checked = [*output.batch(given), *asyncio.run(check())]
    assert [one.text for one in checked] == [TRUE, ""] * 3
    assert UNSAFE not in "".join(one.text for one in checked)
    assert [len(one.verdicts) for one in checked] == [3] * 6


def _written(model: ScriptedChatModel, output: OutputGuardRunnable) -> Runnable[Any, Checked]:
    return {"draft": model | StrOutputParser(), "passages": lambda _: [WATER]} | output  # type: ignore[return-value]


def test_a_sentence_is_out_before_the_draft_is_finished(output: OutputGuardRunnable) -> None:
    model = ScriptedChatModel().enqueue(DRAFT, after=12, hangs=True)
    stream = _written(model, output).stream(QUESTION)
    assert next(stream).text == "Tap water is clean in most towns."
    model.release()
    assert UNSAFE not in repr(list(stream))


def test_a_draft_that_breaks_off_raises_and_shows_no_half_sentence(output: OutputGuardRunnable) -> None:
    async def stream() -> None:
        async for checked in _written(model, output).astream(QUESTION):
            seen.append(checked.text)  # noqa: PERF401

    model = ScriptedChatModel().enqueue(DRAFT, after=9, error=ConnectionError("gone"))
    seen: list[str] = []
    with pytest.raises(ConnectionError):
        asyncio.run(stream())
    assert seen == ["Tap water is clean in most towns."]


@pytest.mark.parametrize(
    "given", [{"draft": "", "passages": [WATER]}, {"draft": DRAFT}, {"draft": DRAFT, "passages": []}]
)
def test_nothing_passes_without_a_draft_or_without_passages(output: OutputGuardRunnable, given: Any) -> None:
    assert output.invoke(given).text == ""


def test_an_input_without_a_draft_is_an_error(output: OutputGuardRunnable) -> None:
    with pytest.raises(InputError, match="draft"):
        output.invoke({"text": DRAFT})


# Imports


def test_every_public_name_is_there() -> None:
    assert [getattr(chains, name).__name__ for name in chains.__all__] == chains.__all__


def test_importing_chains_imports_no_agents_and_no_model() -> None:
    assert not {"langgraph", "torch", "chromadb", "gradio"} & imported("-c", "import askdmt.chains")


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "askdmt.middleware", raising=False)
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", None)
    with pytest.raises(ImportError, match="pip install"):
        _ = chains.GuardMiddleware
    with pytest.raises(AttributeError, match="GuardMiddelware"):
        _ = chains.GuardMiddelware
