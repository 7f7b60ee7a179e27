"""The reading grade: its formula, its words and its syllables."""

from __future__ import annotations

import pytest

from askdmt.knowledge.readability import grade, syllables, word_count

EASY = "The trial was small. Only a few people took part. Most of them felt better."
HARD = (
    "Serotonergic hallucinogens administered alongside psychotherapeutic accompaniment demonstrably attenuate "
    "depressive symptomatology in pharmacologically unresponsive individuals."
)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("trial", 2), ("dose", 1), ("people", 2), ("little", 2), ("medicine", 3), ("treatment", 2), ("about", 2),
        ("many", 2), ("serotonin", 4), ("placebo", 3), ("psilocybin", 4), ("depression", 3), ("antidepressant", 5),
        ("reached", 1), ("treated", 2), ("times", 1), ("doses", 2), ("changes", 2), ("safely", 2), ("anxiety", 4),
        ("experience", 4), ("usual", 3), ("being", 2), ("patients", 2), ("weeks", 1), ("million", 2), ("serious", 3),
        ("people's", 2), ("created", 3), ("somebody", 3), ("rhythm", 1), ("the", 1),
    ],
)  # fmt: skip
def test_syllables_are_those_that_are_heard(word: str, count: int) -> None:
    assert syllables(word) == count


def test_parts_of_a_joined_word_are_counted_one_by_one() -> None:
    assert syllables("talk-based") == 2
    assert syllables("hard-to-treat") == 3


@pytest.mark.parametrize("word", ["34", "7.4", "DMT", "0.02"])
def test_a_figure_or_abbreviation_is_one_syllable(word: str) -> None:
    assert syllables(word) == 1


def test_the_grade_follows_the_published_formula() -> None:
    text = "The cat sat on the mat. The dog ran."  # 9 words, 2 sentences, 9 syllables
    assert grade(text) == pytest.approx(0.39 * 9 / 2 + 11.8 * 9 / 9 - 15.59)


def test_hard_text_has_a_higher_grade_than_easy_text() -> None:
    assert grade(EASY) < 4 < 16 < grade(HARD)


@pytest.mark.parametrize("text", ["", "   ", "... !"])
def test_a_text_without_words_has_grade_zero_and_no_words(text: str) -> None:
    assert grade(text) == 0.0
    assert word_count(text) == 0


def test_words_are_counted_with_figures_and_joined_words_as_one_each() -> None:
    assert word_count("In 2026, 34 people’s hard-to-treat scores fell by 7.4 points.") == 10


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    assert grade("She saw Dr. Green and went home.") == grade("She saw Doc Green and went home.")
