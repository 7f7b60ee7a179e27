"""Numbers, units, dates, names and negations that a sentence may only take from its passages."""

from __future__ import annotations

import pytest

from askdmt.errors import GuardrailError
from askdmt.guardrails import particulars
from askdmt.guardrails.particulars import not_borne_out

TRIAL = (
    "Researchers at Imperial College London gave DMT or placebo to 34 adults. Symptoms eased within one week, and 40 "
    "per cent were better at three months. Nature Medicine published the phase IIa trial in February 2026. The effects "
    "last about 20 to 30 minutes. DMT is not approved in most countries."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "Thirty-four adults had DMT or placebo.",
        "Fewer than forty people took part.",
        "More than thirty adults took part.",
        "At least 34 adults took part.",
        "Symptoms eased in no more than seven days.",
        "Symptoms eased within days.",
        "Two fifths were better after three months.",
        "Four in ten were better at three months.",
        "The effects last about half an hour.",
        "The trial was published in 2026.",
        "The phase 2a trial came out in Nature Medicine.",
        "The Imperial trial had adults only.",
        "Dimethyltryptamine isn't approved in most countries.",
        "No one in most countries can have it as an approved treatment.",
        "It was one of two treatments.",
        "From day to day, little is known.",
    ],
)
def test_what_the_passage_has_in_other_words_is_borne_out(sentence: str) -> None:
    assert not_borne_out(sentence, [TRIAL]) == ()


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Forty-three adults took part.", "number"),
        ("Fewer than thirty people took part.", "number"),
        ("More than 40 adults took part.", "number"),
        ("Nine in ten were better at three months.", "number"),
        ("50% were better at three months.", "number"),
        ("One in two were better at three months.", "number"),
        ("Thousands of people took part.", "number"),
        ("The effects last about 20 to 30 seconds.", "unit"),
        ("The effects last for years.", "unit"),
        ("Symptoms eased after three weeks.", "unit"),
        ("The trial was published in 2024.", "date"),
        ("The trial was published in March 2026.", "date"),
        ("The phase III trial had 34 adults.", "number"),
        ("Researchers at Oxford ran the trial.", "name"),
        ("The trial came out in Nature.", "name"),
        ("The FDA has looked at it.", "name"),
        ("The adults were given ketamine.", "name"),
        ("Psilocybin is not approved in most countries.", "name"),
        ("DMT is approved in most countries.", "negation"),
    ],
)
def test_what_the_passage_does_not_have_is_held_against_the_sentence(sentence: str, reason: str) -> None:
    assert reason in not_borne_out(sentence, [TRIAL])


def test_what_one_of_several_passages_has_is_borne_out() -> None:
    assert not_borne_out("It lasts several hours in 34 adults.", ["A session takes several hours.", TRIAL]) == ()


def test_most_bears_out_a_half_but_no_figure() -> None:
    assert not_borne_out("More than half of the adults were better.", ["Most adults were better."]) == ()
    assert not_borne_out("More than 50% of the adults were better.", ["Most adults were better."]) == ("number",)


def test_a_sum_is_left_to_the_trained_check() -> None:
    assert not_borne_out("Five of the 17 did not take an SSRI.", ["There were 17 people, 12 of them on an SSRI."]) == ()


def test_a_broken_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(particulars, "FILE", particulars.FILE.with_name("nowhere.yaml"))
    particulars._data.cache_clear()
    try:
        with pytest.raises(GuardrailError, match=r"nowhere\.yaml"):
            particulars._data()
    finally:
        particulars._data.cache_clear()
