"""Rules that are looked up by what they need are those that match: none is missed."""

from __future__ import annotations

import re
import sys

import pytest

from askdmt.guardrails.exemplars import load_exemplars
from askdmt.guardrails.needs import NeedsIndex, folded, needs_of
from askdmt.guardrails.rules import load_rules

EVERY = 20  # of the exemplars, one in so many is read


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        (r"\b(?:can't|cannot) wake (?:him|her)", {" WAKE H"}),
        (r"kill(?:ing|ed)? my\s?self", {"KILL"}),
        (r"(?:want|need|wish){1,2}", {"WANT", "NEED", "WISH"}),
        (r"over(?=\w)dosed\b(?! of)", {"OVERDOSED"}),
        (r"(?i:straße)", {"STRASSE"}),
        (r"suicid(?:e|al)|(?:end it)?", set()),
        (r"[ab]c?.*\d", set()),
    ],
)
def test_a_pattern_needs_its_rarest_literals(pattern: str, needs: set[str]) -> None:
    assert needs_of(pattern) == needs


def test_a_pattern_that_needs_nothing_may_match_any_text() -> None:
    index = NeedsIndex([(needs_of("dose"), 1), (needs_of("pill"), 2), (needs_of(r"\d"), 3)])
    assert index.possible("a Dose") == [1, 3]
    assert index.possible("") == [3]


def test_letters_that_a_pattern_takes_for_the_same_are_folded_alike() -> None:
    for letter in filter(str.isalpha, map(chr, range(sys.maxunicode + 1))):
        for other in {letter.lower(), letter.upper(), letter.title(), letter.casefold(), letter.upper().lower()}:
            if len(other) == 1 and re.fullmatch(letter, other, re.IGNORECASE):
                assert folded(letter) == folded(other)
    assert folded("ılaç") == folded("İLAÇ")


def test_no_rule_that_matches_is_missed() -> None:
    rules = load_rules()
    index = NeedsIndex((needs_of(pattern), rule) for rule in rules for pattern in rule.patterns)
    for exemplar in load_exemplars()[::EVERY]:
        assert {rule for rule in rules if rule.matches(exemplar.text)} <= set(index.possible(exemplar.text))
