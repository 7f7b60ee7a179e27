"""One slip of the pen in a word of an English danger rule does not hide the danger."""

from __future__ import annotations

import pytest

from askdmt.guardrails.rules import matching_rules


@pytest.mark.parametrize(
    "sentence",
    ["i want to kill myslef", "she wont wkae up", "she won't wkae up", "he isnt breahting", "i took an overdsoe"],
)
def test_a_misspelt_word_is_met(sentence: str) -> None:
    assert any(rule.decision.is_danger for rule in matching_rules([sentence]))


@pytest.mark.parametrize(
    "sentence", ["what is DMT's halflife", "the breathng exercise was calming", "is psilocibin legal"]
)
def test_a_harmless_misspelling_is_no_danger(sentence: str) -> None:
    assert not matching_rules([sentence])
