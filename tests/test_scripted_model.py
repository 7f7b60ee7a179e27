"""The scripted chat model of the public test kit."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.tools import tool

from askdmt.testing import ScriptedChatModel

TEXT = "The trial was small.\n\nIt had two parts. "


@pytest.fixture
def model() -> ScriptedChatModel:
    return ScriptedChatModel()


def test_answers_come_in_the_order_they_were_put_in(model: ScriptedChatModel) -> None:
    model.enqueue("One.").enqueue(AIMessage("Two."))
    assert [model.invoke("a").text, model.invoke("b").text] == ["One.", "Two."]
    with pytest.raises(AssertionError, match="enqueue"):
        model.invoke("c")


def test_history_has_what_each_call_was_asked(model: ScriptedChatModel) -> None:
    model.enqueue("One.").enqueue("Two.")
    model.batch(["a", "b"], {"max_concurrency": 1})
    assert model.history == [[HumanMessage("a")], [HumanMessage("b")]]


def test_tokens_stream_one_by_one_and_make_up_the_text(model: ScriptedChatModel) -> None:
    model.enqueue(TEXT).enqueue(["The tri", "al"])
    tokens = [chunk.text for chunk in model.stream("a") if chunk.text]
    assert tokens[:3] == ["The", " trial", " was"]
    assert "".join(tokens) == TEXT
    assert [chunk.text for chunk in model.stream("b") if chunk.text] == ["The tri", "al"]


def test_tokens_stream_in_async_code_too(model: ScriptedChatModel) -> None:
    async def tokens() -> list[str]:
        return [chunk.text async for chunk in model.astream("a") if chunk.text]

    model.enqueue(TEXT)
    assert "".join(asyncio.run(tokens())) == TEXT
    model.enqueue("Again.")
    assert asyncio.run(model.ainvoke("b")).text == "Again."


def test_an_error_comes_at_once_or_in_the_middle(model: ScriptedChatModel) -> None:
    model.enqueue(TimeoutError("slow")).enqueue(TEXT, after=2, error=ConnectionError("gone"))
    with pytest.raises(TimeoutError):
        model.invoke("a")
    seen = []
    with pytest.raises(ConnectionError):  # noqa: PT012
        for chunk in model.stream("b"):
            seen.append(chunk.text)  # noqa: PERF401
    assert seen == ["The", " trial"]


def test_an_answer_cut_short_says_so(model: ScriptedChatModel) -> None:
    model.enqueue(TEXT, after=2).enqueue(TEXT)
    cut, whole = model.invoke("a"), model.invoke("b")
    assert (cut.text, cut.response_metadata["finish_reason"]) == ("The trial", "length")
    assert (whole.text, whole.response_metadata["finish_reason"]) == (TEXT, "stop")
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["input_tokens"] == 1
    assert whole.usage_metadata["output_tokens"] == len(TEXT.split()) + 1  # the last white space


def test_a_call_hangs_until_it_is_released(model: ScriptedChatModel) -> None:
    model.enqueue(TEXT, after=2, hangs=True)
    stream = model.stream("a")
    assert [next(stream).text, next(stream).text] == ["The", " trial"]
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(list, stream)
        with pytest.raises(TimeoutError):
            rest.result(timeout=0.05)
        model.release()
        assert rest.result(timeout=10)[-1].response_metadata["finish_reason"] == "stop"


def test_a_call_may_be_released_before_it_hangs(model: ScriptedChatModel) -> None:
    model.enqueue(TEXT, hangs=True)
    model.release()
    assert model.invoke("a").text == TEXT


def test_a_hanging_call_can_be_cancelled(model: ScriptedChatModel) -> None:
    async def give_up() -> None:
        async with asyncio.timeout(0.05):
            await model.ainvoke("a")

    model.enqueue("", hangs=True)
    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    model.release()


def test_it_takes_tools_and_calls_those_of_the_script(model: ScriptedChatModel) -> None:
    @tool
    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    call = ToolCall(name="look_up", args={"word": "trial"}, id="1", type="tool_call")
    model.enqueue(AIMessage("One moment.", tool_calls=[call])).enqueue("Done.")
    answer = model.bind_tools([look_up]).invoke("a")
    assert (answer.text, answer.tool_calls) == ("One moment.", [call])
