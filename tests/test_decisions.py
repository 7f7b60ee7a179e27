"""The decisions and their precedence, as in the behaviour contract's table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askdmt.decisions import DANGER, REFUSALS, Decision, most_pressing

ORDER = [
    "emergency", "crisis", "refuse_sourcing", "refuse_dosing", "refuse_unsupervised_use", "prompt_attack",
    "personal_advice", "about", "unsupported_language", "out_of_scope", "not_in_sources", "answer",
]  # fmt: skip


def test_the_twelve_decisions_stand_in_the_order_of_the_policy() -> None:
    assert [decision.value for decision in Decision] == ORDER
    assert [decision.precedence for decision in Decision] == list(range(12))


@given(st.lists(st.sampled_from(Decision), min_size=1))
def test_where_several_fit_the_earlier_row_wins(decisions: list[Decision]) -> None:
    assert most_pressing(decisions).value == min((decision.value for decision in decisions), key=ORDER.index)


def test_the_most_pressing_of_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="empty"):
        most_pressing([])


def test_danger_comes_before_refusals_and_refusals_before_the_rest() -> None:
    kinds = ["danger" if each.is_danger else "refusal" if each.is_refusal else "rest" for each in Decision]
    assert kinds == ["danger"] * len(DANGER) + ["refusal"] * len(REFUSALS) + ["rest"] * 6
