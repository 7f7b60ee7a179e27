"""Word search: stems, weights and scores."""

from __future__ import annotations

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


def test_only_documents_that_share_a_word_have_a_score() -> None:
    assert LEXICON.scores("is it against the law?").keys() == {"law"}
    assert LEXICON.scores("depression").keys() == {"trial", "sleep"}
    assert LEXICON.scores("the weather") == {}


def test_a_word_that_stands_twice_counts_more() -> None:
    scores = LEXICON.scores("trial people")
    assert scores["trial"] > scores["sleep"] > 0


def test_a_rare_word_weighs_more_than_a_common_one() -> None:
    assert LEXICON.weight("unheard") > LEXICON.weight("law") > LEXICON.weight("depress") > 0


def test_the_score_of_one_document_is_the_one_of_all() -> None:
    assert LEXICON.scores("small trial")["trial"] == LEXICON.score("small trial", "trial")
    assert LEXICON.score("weather", "trial") == 0


def test_coverage_is_the_share_of_the_questions_words() -> None:
    assert LEXICON.coverage("law in countries", "law") == 1
    assert LEXICON.coverage("law in space", "law") == pytest.approx(
        LEXICON.weight("law") / (LEXICON.weight("law") + LEXICON.weight("space"))
    )
    assert LEXICON.coverage("the", "law") == LEXICON.coverage("weather", "law") == 0


@settings(deadline=None, max_examples=100)
@given(question=TEXTS, documents=st.dictionaries(st.sampled_from("abc"), TEXTS, min_size=1))
def test_scores_are_positive_and_coverage_is_a_share(question: str, documents: dict[str, str]) -> None:
    lexicon = Lexicon(documents)
    assert all(score > 0 for score in lexicon.scores(question).values())
    assert all(0 <= lexicon.coverage(question, key) <= 1.000001 for key in documents)


@settings(deadline=None, max_examples=50)
@given(text=TEXTS)
def test_a_document_covers_itself(text: str) -> None:
    assert Lexicon({"a": text, "b": "other"}).coverage(text, "a") == pytest.approx(1 if stems(text) else 0)


def test_an_empty_lexicon_finds_nothing() -> None:
    assert Lexicon({}).scores("anything") == {}
