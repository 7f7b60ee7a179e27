"""Properties that hold for any text."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from askdmt.guardrails.disguise import KINDS, disguise
from askdmt.guardrails.exemplars import load_exemplars
from askdmt.guardrails.normalise import normalise

SENTENCES = [exemplar.text for exemplar in load_exemplars() if exemplar.text.isascii()][::7]
WORDS = "how much the people in a trial felt better after one session of therapy and what doctors say about it".split()


@given(st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text).text
    assert normalise(once).text == once


@given(st.sampled_from(SENTENCES), st.sampled_from(sorted(KINDS)), st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_so_it_is_for_disguised_text(text: str, kind: str, seed: int) -> None:
    once = normalise(disguise(text, kind, seed)).text
    assert normalise(once).text == once


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=20), st.sampled_from(["", ".", "?", "!"]))
@settings(max_examples=200, deadline=None)
def test_plain_words_stay(words: list[str], end: str) -> None:
    text = " ".join(words) + end
    assert normalise(text).text == text


@given(st.text(st.characters(categories=("Lo", "So", "Nd", "Zs"), min_codepoint=0x0590, max_codepoint=0xD7A3)))
@settings(max_examples=150, deadline=None)
def test_letters_of_other_scripts_stay(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)  # some letters exist only as a letter and a mark
    kept = [letter for letter in composed if "\u0590" <= letter < "\u1000"]
    assert [letter for letter in normalise(text).text if "\u0590" <= letter < "\u1000"] == kept
