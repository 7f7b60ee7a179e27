"""A Reply cannot exist without its disclaimer, and its JSON keeps the contract."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askdmt import Decision, Reply
from askdmt.reply import Citation, SupportLine
from askdmt.wording import languages, load_wording

BODIES = st.text(min_size=1, max_size=300).filter(str.strip)
CITATION = Citation(1, "water", "Water", "Town report", "https://example.org", date(2026, 11, 1), "Tap water is clean.")
LINE = SupportLine("Samaritans", "United Kingdom", call="116 123", hours="24 hours a day")


@settings(deadline=None, max_examples=60)
@given(decision=st.sampled_from(Decision), body=BODIES, language=st.sampled_from(languages()))
def test_every_reply_that_is_built_ends_with_the_disclaimer_of_its_language(
    decision: Decision, body: str, language: str
) -> None:
    wording = load_wording(language)
    reply = wording.reply(decision, body, citations=[CITATION], support=[LINE])
    assert reply.disclaimer == wording.disclaimer
    assert reply.text.endswith(wording.disclaimer)
    assert reply.text.startswith(body)
    assert reply.language == language


@settings(deadline=None, max_examples=60)
@given(decision=st.sampled_from(Decision), body=BODIES, disclaimer=st.text(max_size=80))
def test_a_text_without_the_disclaimer_makes_no_reply(decision: Decision, body: str, disclaimer: str) -> None:
    without = body.replace(disclaimer, "") if disclaimer else body
    if disclaimer in without and disclaimer.strip():
        return  # taking it out has joined another
    with pytest.raises(ValueError, match="a reply"):
        Reply(decision, without, without, disclaimer)


@pytest.mark.parametrize("disclaimer", ["", " ", "\n\t"])
def test_an_empty_disclaimer_makes_no_reply(disclaimer: str) -> None:
    with pytest.raises(ValueError, match="needs its disclaimer"):
        Reply(Decision.ANSWER, f"Body. {disclaimer}", "Body.", disclaimer)


@pytest.mark.parametrize("body", ["", " \n"])
def test_an_empty_body_makes_no_reply(body: str) -> None:
    with pytest.raises(ValueError, match="needs a body"):
        load_wording().reply(Decision.ANSWER, body)


def test_a_copy_with_another_text_is_checked_again() -> None:
    reply = load_wording().reply(Decision.ANSWER, "Body.")
    with pytest.raises(ValueError, match="must contain"):
        replace(reply, text="Body.")
    with pytest.raises(AttributeError):
        reply.text = "Body."  # type: ignore[misc]


def test_the_text_holds_body_sources_help_lines_and_disclaimer_in_this_order() -> None:
    wording = load_wording()
    text = wording.reply(Decision.ANSWER, "The body. [1]", citations=[CITATION], support=[LINE]).text
    parts = (
        "The body. [1]",
        wording.citations.heading,
        "[1] Water",
        wording.support.heading,
        "116 123",
        wording.disclaimer,
    )
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_the_json_has_the_keys_of_the_contract_in_their_order() -> None:
    reply = load_wording().reply(Decision.ANSWER, "The body.", citations=[CITATION], support=[LINE])
    data = json.loads(json.dumps(reply.as_dict()))
    assert list(data) == [
        "id", "decision", "text", "body", "disclaimer", "citations", "support", "suggestions", "language",
    ]  # fmt: skip
    assert list(data["citations"][0]) == ["n", "section", "title", "source", "url", "reviewed", "passage", "signed"]
    assert list(data["support"][0]) == ["name", "region", "call", "text", "chat", "hours"]
    kinds = {key: type(value) for key, value in data.items()}
    assert {kinds.pop(key) for key in ("citations", "support", "suggestions")} == {list}
    assert set(kinds.values()) == {str}
    assert data["decision"] == "answer"
    assert data["citations"][0]["reviewed"] == "2026-11-01"
    assert data["citations"][0]["n"] == 1
    assert data["support"][0]["text"] is None


def test_a_citation_that_nobody_has_reviewed_has_no_date() -> None:
    reply = load_wording().reply(Decision.ANSWER, "The body.", citations=[replace(CITATION, reviewed=None)])
    assert reply.as_dict()["citations"][0]["reviewed"] is None


def test_the_trace_travels_only_where_there_is_one() -> None:
    wording = load_wording()
    assert "trace" not in wording.reply(Decision.ANSWER, "The body.").as_dict()
    assert wording.reply(Decision.ANSWER, "The body.", trace={"rule": "x"}).as_dict()["trace"] == {"rule": "x"}


def test_each_reply_has_an_id_of_its_own() -> None:
    wording = load_wording()
    assert len({wording.reply(Decision.ANSWER, "The body.").id for _ in range(50)}) == 50
