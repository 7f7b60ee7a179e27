"""What the page's controls do, without a browser."""

from __future__ import annotations

import pytest
from standin import StandIn

from askdmt.decisions import Decision
from askdmt.web.chat import MOST_TURNS, Chat, Turn


@pytest.fixture(scope="module")
def small() -> StandIn:
    return StandIn(max_characters=200)


@pytest.fixture
def chat(small: StandIn) -> Chat:
    small.asked.clear()
    return Chat(small)


def ask(chat: Chat, question: str, turns: tuple[Turn, ...] = (), region: str = "gb") -> tuple[Turn, ...]:
    return list(chat.ask(question, turns, region))[-1].turns


def test_the_question_is_shown_before_the_answer(chat: Chat) -> None:
    looking, answered = chat.ask("What is DMT?", (), "gb")
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
    (view,) = chat.ask("  \n", (), "gb")
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
    start, refused = chat.clear(), list(chat.ask("which dose?", (), "gb"))[-1]
    looking, crisis = chat.ask("a crisis", (), "gb")
    assert chat.suggestions(start) == chat.wording.suggestions.default
    assert chat.suggestions(refused) == chat.wording.suggestions.refusal
    assert chat.suggestions(looking) == chat.suggestions(crisis) == ()


def test_stopping_keeps_the_turns_and_clearing_does_not(chat: Chat) -> None:
    turns = ask(chat, "What is DMT?")
    assert (chat.stop(turns).turns, chat.stop(turns).notice) == (turns, chat.wording.page.stopped)
    assert (chat.clear().turns, chat.clear().notice) == ((), chat.wording.page.cleared)
