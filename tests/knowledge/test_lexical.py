"""Word search: stems, weights and scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askdmt.knowledge.lexical import Lexicon, stems

DOCUMENTS = {
    "trial": "The trial treated people with depression. The trial was small.",
    "law": "In many countries the law forbids DMT.",
    "sleep": "People sleep badly when they have depression.",
}
LEXICON = Lexicon(DOCUMENTS)
TEXTS = st.text(max_size=80)


def test_words_of_one_stem_are_the_same() -> None:
    assert stems("treating treats TREATED, treat") == ["treat"] * 4


def test_words_without_meaning_do_not_count() -> None:
    assert stems("What is the use of it?") == ["use"]
    assert stems("") == stems("the of and") == []


def test_a_hyphen_parts_words() -> None:
    assert stems("5-MeO-DMT") == ["5", "meo", "dmt"]


def scored(question: str, lexicon: Lexicon = LEXICON) -> dict[str, float]:
    scores = lexicon.scores(stems(question))
    return {key: float(score) for key, score in zip(lexicon.keys, scores, strict=True) if score}


def test_only_documents_that_share_a_word_have_a_score() -> None:
    assert scored("is it against the law?").keys() == {"law"}
    assert scored("depression").keys() == {"trial", "sleep"}
    assert scored("the weather") == {}


def test_a_word_that_stands_twice_counts_more() -> None:
    scores = scored("trial people")
    assert scores["trial"] > scores["sleep"] > 0


def test_a_word_counts_more_in_a_short_document() -> None:
    scores = scored("rain", Lexicon({"short": "rain falls", "long": "rain falls and snow and hail and sleet"}))
    assert scores["short"] > scores["long"]


def test_the_score_is_that_of_bm25() -> None:
    lexicon = Lexicon({"a": "rain rain wind", "b": "wind"})
    rarity = math.log(1 + 1.5 / 1.5)
    assert scored("rain", lexicon) == {"a": pytest.approx(rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2)))}


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    assert LEXICON.weight("unheard") > LEXICON.weight("law") > LEXICON.weight("depress") > 0


def test_the_best_are_found_and_a_tie_cuts_nobody_off() -> None:
    lexicon = Lexicon({"a": "rain", "b": "rain", "c": "rain rain", "d": "snow"})
    scores = lexicon.scores(["rain"])
    assert lexicon.best(scores, 1) == ["c"]
    assert lexicon.best(scores, 2) == lexicon.best(scores, 9) == ["a", "b", "c"]


def test_coverage_is_the_share_of_the_questions_words() -> None:
    assert LEXICON.coverage(stems("law in countries"), "law") == 1
    assert LEXICON.coverage(stems("law in space"), "law") == pytest.approx(
        LEXICON.weight("law") / (LEXICON.weight("law") + LEXICON.weight("space"))
    )
    assert LEXICON.coverage([], "law") == LEXICON.coverage(stems("weather"), "law") == 0


@settings(deadline=None, max_examples=100)
@given(question=TEXTS, documents=st.dictionaries(st.sampled_from("abc"), TEXTS, min_size=1))
def test_scores_are_positive_and_coverage_is_a_share(question: str, documents: dict[str, str]) -> None:
    lexicon, wanted = Lexicon(documents), stems(question)
    sharing = {key for key, text in documents.items() if set(wanted) & set(stems(text))}
    assert {key for key, score in scored(question, lexicon).items() if score > 0} == sharing
    assert {key for key in documents if lexicon.coverage(wanted, key) > 0} == sharing
    assert all(lexicon.coverage(wanted, key) <= 1.000001 for key in documents)


@settings(deadline=None, max_examples=50)
@given(text=TEXTS)
def test_a_document_covers_itself(text: str) -> None:
    lexicon = Lexicon({"a": text, "b": "other"})
    assert lexicon.coverage(stems(text), "a") == pytest.approx(1 if stems(text) else 0)


def test_an_empty_lexicon_finds_nothing() -> None:
    lexicon = Lexicon({})
    assert lexicon.best(lexicon.scores(["anything"]), 3) == []
