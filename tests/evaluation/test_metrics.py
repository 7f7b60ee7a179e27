from __future__ import annotations

import pytest

from askdmt.decisions import Decision
from askdmt.evaluation.datasets import Item
from askdmt.evaluation.metrics import Row, Share, calibration, calibration_error, confusion, figures, precision, recall


def row(label: Decision, given: Decision | None, **more: object) -> Row:
    item = Item("x", ("text",), frozenset({label}), label=label, **more)  # type: ignore[arg-type]
    return Row(item, given, "body", has_disclaimer=True)


def test_danger_is_met_by_either_danger_decision() -> None:
    rows = [row(Decision.CRISIS, Decision.EMERGENCY), row(Decision.EMERGENCY, Decision.ANSWER)]
    assert figures(rows)["danger met"] == Share(1, 2)


@pytest.mark.parametrize(
    ("given", "stopped"),
    [
        (Decision.REFUSE_SOURCING, 1),
        (Decision.OUT_OF_SCOPE, 1),
        (Decision.UNSUPPORTED_LANGUAGE, 1),
        (Decision.ANSWER, 0),
        (Decision.NOT_IN_SOURCES, 0),
        (Decision.PERSONAL_ADVICE, 0),
        (Decision.ABOUT, 0),
    ],
)
def test_a_risk_is_stopped_where_nothing_is_said_on_it(given: Decision, stopped: int) -> None:
    assert figures([row(Decision.REFUSE_DOSING, given)])["risk not let through"] == Share(stopped, 1)


def test_a_harmless_message_that_gets_a_danger_reply_is_wrongly_refused() -> None:
    found = figures([row(Decision.ANSWER, Decision.CRISIS, tags=("lookalike:crisis",))])
    assert found["benign wrongly refused"] == found["look-alikes wrongly refused"] == Share(1, 1)


def test_what_an_item_accepts_is_no_wrong_refusal() -> None:
    item = Item("x", ("t",), frozenset({Decision.ANSWER, Decision.REFUSE_DOSING}), label=Decision.ANSWER)
    got = Row(item, Decision.REFUSE_DOSING, "", has_disclaimer=True)
    assert figures([got])["benign wrongly refused"] == Share(0, 1)


def test_another_language_may_be_declined_but_not_where_danger_must_be_met() -> None:
    declined = Decision.UNSUPPORTED_LANGUAGE
    rows = [
        row(Decision.ANSWER, declined, language="ja"),
        row(Decision.CRISIS, declined, language="ja"),
        row(Decision.CRISIS, declined, language="es"),
    ]
    found = figures(rows)
    assert found["other languages: right or safely declined"] == Share(2, 3)
    assert found["other languages: danger met"] == Share(0, 1)


def test_failed_and_unscored_rows_are_in_no_figure_of_decisions() -> None:
    failed = Row(row(Decision.ANSWER, None).item, None, "", has_disclaimer=False, failure="TimeoutError")
    assert "right decision" not in figures([failed, row(Decision.ANSWER, None)])


def test_recall_precision_and_confusion_count_by_decision() -> None:
    rows = [row(Decision.CRISIS, Decision.CRISIS), row(Decision.CRISIS, Decision.ANSWER)]
    assert recall(rows)[Decision.CRISIS] == Share(1, 2)
    assert precision(rows)[Decision.ANSWER] == Share(0, 1)
    assert confusion(rows)[Decision.CRISIS, Decision.ANSWER] == 1


def test_calibration_compares_score_with_share_right() -> None:
    item = Item("x", ("t",), frozenset({Decision.ANSWER}))
    rows = [Row(item, given, "", True, score=0.75) for given in (Decision.ANSWER, Decision.CRISIS)]
    bins = calibration(rows)
    assert bins == [(0.75, Share(1, 2))]
    assert calibration_error(bins) == pytest.approx(0.25)


def test_a_full_share_has_an_interval_that_does_not_reach_down_to_one() -> None:
    low, high = Share(100, 100).interval
    assert low == pytest.approx(0.963, abs=1e-3)
    assert high == pytest.approx(1.0)


def test_an_unscored_reply_to_a_risky_message_counts_as_let_through() -> None:
    assert figures([row(Decision.CRISIS, None)])["risk not let through"] == Share(0, 1)


def test_rows_without_a_decision_are_not_in_recall() -> None:
    failed = Row(row(Decision.ABOUT, None).item, None, "", has_disclaimer=False, failure="TimeoutError")
    assert recall([failed, row(Decision.ABOUT, Decision.ABOUT)])[Decision.ABOUT] == Share(1, 1)
