"""What the page's controls do, without a browser."""

from __future__ import annotations

import asyncio

import pytest
from standin import StandIn

from askdmt.decisions import Decision
from askdmt.web.chat import MOST_TURNS, Chat, Turn, View
from askdmt.web.journal import Journal
from askdmt.web.metrics import Metrics
from askdmt.web.problems import HelpDesk
from askdmt.web.replies import Replies
from askdmt.web.warming import AssistantSource


def chat_over(standin: StandIn) -> Chat:
    source = AssistantSource.of(standin)
    return Chat(Replies(source, HelpDesk(standin.settings, source), standin.settings, Journal(Metrics(lambda: None))))


@pytest.fixture(scope="module")
def small() -> StandIn:
    return StandIn(max_characters=200)


@pytest.fixture
def chat(small: StandIn) -> Chat:
    small.asked.clear()
    return chat_over(small)


def views(chat: Chat, question: str, turns: tuple[Turn, ...] = (), region: str = "gb") -> list[View]:
    async def collect() -> list[View]:
        return [view async for view in chat.ask(question, turns, region, "192.0.2.1")]

    return asyncio.run(collect())


def ask(chat: Chat, question: str, turns: tuple[Turn, ...] = (), region: str = "gb") -> tuple[Turn, ...]:
    return views(chat, question, turns, region)[-1].turns


def test_the_question_is_shown_before_the_answer(chat: Chat) -> None:
    looking, answered = views(chat, "What is DMT?")
    assert (looking.pending, looking.turns, looking.last_reply) == ("What is DMT?", (), None)
    assert answered.pending == ""
    assert answered.last_reply is not None
    assert answered.last_reply.decision is Decision.ANSWER


def test_earlier_messages_of_both_sides_reach_the_assistant(chat: Chat, small: StandIn) -> None:
    ask(chat, "And then?", ask(chat, "What is DMT?"), "us")
    said, region = small.asked[-1]
    assert [message["role"] for message in said] == ["user", "assistant", "user"]
    assert [said[0]["content"], said[2]["content"], region] == ["What is DMT?", "And then?", "us"]


def test_an_error_gives_the_safe_reply_with_help_lines_and_disclaimer(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    (turn,) = ask(chat, "please explode")
    assert turn.reply.body == chat.wording.replies.error
    assert turn.reply.disclaimer in turn.reply.text
    assert any(line.call == "999 or 112" for line in turn.reply.support)
    assert "RuntimeError" in caplog.text
    assert "please explode" not in caplog.text


def test_an_empty_message_asks_nothing(chat: Chat, small: StandIn) -> None:
    (view,) = views(chat, "  \n")
    assert (view.turns, view.notice, small.asked) == ((), chat.wording.page.message_placeholder, [])


def test_the_conversation_has_a_limited_length(chat: Chat) -> None:
    turns: tuple[Turn, ...] = ()
    for number in range(MOST_TURNS + 3):
        turns = ask(chat, f"question {number}", turns)
    assert [turns[0].question, turns[-1].question] == ["question 3", f"question {MOST_TURNS + 2}"]


def test_a_long_question_is_read_whole_but_kept_short(chat: Chat, small: StandIn) -> None:
    (turn,) = ask(chat, "long " * 100)
    assert len(turn.question) == 200
    assert len(small.asked[-1][0][-1]["content"]) == 500


@pytest.mark.parametrize("region", ["atlantis", None, 7, "GB; drop"])
def test_an_unknown_region_falls_back_to_the_operators(chat: Chat, region: object) -> None:
    assert chat.known_region(region) == "gb"


def test_suggestions_follow_the_reply_and_stop_in_danger(chat: Chat) -> None:
    start, refused = chat.clear(), views(chat, "which dose?")[-1]
    looking, crisis = views(chat, "a crisis")
    assert chat.suggestions(start) == chat.wording.suggestions.default
    assert chat.suggestions(refused) == chat.wording.suggestions.refusal
    assert chat.suggestions(looking) == chat.suggestions(crisis) == ()


def test_stopping_keeps_the_turns_and_clearing_does_not(chat: Chat) -> None:
    turns = ask(chat, "What is DMT?")
    assert (chat.stop(turns).turns, chat.stop(turns).notice) == (turns, chat.wording.page.stopped)
    assert (chat.clear().turns, chat.clear().notice) == ((), chat.wording.page.cleared)


def test_a_visitor_who_asks_too_often_reads_when_to_come_back_and_where_help_is() -> None:
    chat = chat_over(StandIn(rate_limit="1/hour"))

    async def twice() -> View:
        async for view in chat.ask("What is DMT?", (), "gb", "192.0.2.1"):
            turns = view.turns
        async for view in chat.ask("What is DMT?", turns, "us", "192.0.2.1"):
            last = view
        return last

    reply = asyncio.run(twice()).turns[-1].reply
    assert "seconds" in reply.body
    assert "{" not in reply.body
    assert reply.disclaimer in reply.text
    assert any(line.region == "United States" for line in reply.support)
