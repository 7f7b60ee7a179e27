"""`askdmt why` sets the scores beside the thresholds that decided."""

from __future__ import annotations

import pytest

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.guardrails.input_guard import Verdict


@pytest.mark.parametrize(
    ("rule", "text", "table"),
    [
        ("classifier:message", "what is this treatment", "message"),
        ("classifier:window", "what is this treatment", "window"),
        ("classifier:message alone", "what is this treatment", "alone"),
        ("classifier:window", "¿cuánto tiempo dura el efecto de este tratamiento?", "foreign"),
    ],
)
def test_the_table_is_that_which_decided(quick: Assistant, rule: str, text: str, table: str) -> None:
    verdict = Verdict(Decision.REFUSE_DOSING, None, rule, "", deciding_text=text)
    assert quick.guard.deciding_thresholds(quick.guard.read(text), verdict) == getattr(quick.guard.thresholds, table)
