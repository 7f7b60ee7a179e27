"""Conversations: what counts as one, and when the last message leans on those before."""

from __future__ import annotations

from typing import Any

import pytest

from askdmt.conversation import Conversation
from askdmt.errors import InputError


def user(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text} for text in texts]


def test_a_text_is_a_conversation_of_one_message() -> None:
    assert Conversation.of("What is DMT?") == Conversation("What is DMT?", ())


def test_only_what_the_visitor_wrote_counts() -> None:
    messages = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "What is DMT?"},
        {"role": "assistant", "content": "A drug."},
        {"role": "user", "content": "And how long does it last?"},
        {"role": "assistant", "content": "Not long."},
    ]
    assert Conversation.of(messages) == Conversation("And how long does it last?", ("What is DMT?",))


def test_a_tuple_of_messages_and_further_keys_will_do() -> None:
    assert Conversation.of(({"role": "user", "content": "Hi", "name": "x"},)).last == "Hi"


def test_the_last_eight_messages_before_are_remembered() -> None:
    conversation = Conversation.of(user(*(str(number) for number in range(20))))
    assert conversation.last == "19"
    assert conversation.before == tuple(str(number) for number in range(11, 19))


@pytest.mark.parametrize("role", ["tool", "USER", "", None, 1, ["user"]])
def test_an_unknown_role_is_refused(role: Any) -> None:
    with pytest.raises(InputError, match=r"unknown role.*user, assistant, system"):
        Conversation.of([{"role": role, "content": "Hi"}])


@pytest.mark.parametrize("content", [None, 1, b"Hi", ["Hi"], {"type": "text", "text": "Hi"}])
def test_a_content_that_is_no_text_is_refused(content: Any) -> None:
    with pytest.raises(InputError, match="content must be text"):
        Conversation.of([{"role": "user", "content": content}])


@pytest.mark.parametrize("said", [None, 1, 1.5, b"Hi", bytearray(b"Hi"), {"role": "user", "content": "Hi"}, {"Hi"}])
def test_what_is_neither_text_nor_messages_is_refused(said: Any) -> None:
    with pytest.raises(InputError, match="must be text, or a list of messages"):
        Conversation.of(said)


@pytest.mark.parametrize("message", ["Hi", None, [], {}, {"role": "user"}, {"content": "Hi"}])
def test_a_message_without_role_and_content_is_refused(message: Any) -> None:
    with pytest.raises(InputError, match="'role' and 'content'"):
        Conversation.of([message])


@pytest.mark.parametrize("said", [[], [{"role": "assistant", "content": "Hi"}]])
def test_a_conversation_in_which_the_visitor_has_said_nothing_is_refused(said: list[dict[str, str]]) -> None:
    with pytest.raises(InputError, match="no message with the role 'user'"):
        Conversation.of(said)


def test_no_error_quotes_the_visitor() -> None:
    for said in (["my secret"], [{"role": "my secret", "content": ""}], [{"role": "user", "content": ["my secret"]}]):
        with pytest.raises(InputError) as caught:
            Conversation.of(said)  # type: ignore[arg-type]
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "last",
    [
        "and how long does it last?",
        "what about side effects",
        "Why?",
        "how long",
        "is there anything known on whether people who took part felt that it helped them afterwards",
    ],
)
def test_a_follow_up_leans_on_what_came_before(last: str) -> None:
    conversation = Conversation(last, ("What is DMT?",))
    assert conversation.leans_on_before
    assert conversation.standalone() == f"What is DMT? {last}"


def test_a_question_that_stands_by_itself_does_not_lean() -> None:
    assert not Conversation("How did the team measure depression in people of the trial?", ("Hi",)).leans_on_before


def test_a_first_message_never_leans() -> None:
    assert not Conversation("and what about it?").leans_on_before
    assert Conversation("and what about it?").standalone() == "and what about it?"
