"""Sentences: where they end, and that no word is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askdmt.sentences import split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n\t ", []),
        ("One.", ["One."]),
        ("No full stop", ["No full stop"]),
        ("One. Two! Three? Four…", ["One.", "Two!", "Three?", "Four…"]),
        ('He said "go." Then he went.', ['He said "go."', "Then he went."]),
        ("A line\nand another", ["A line", "and another"]),
        ("windows\r\nlines", ["windows", "lines"]),
        ("Dr. Smith met Mrs. Jones.", ["Dr. Smith met Mrs. Jones."]),
        ("Use it, e.g. in a trial. Or not.", ["Use it, e.g. in a trial.", "Or not."]),
        ("J. Smith wrote it.", ["J. Smith wrote it."]),
        ("It fell by 7.4 points. The rest did not.", ["It fell by 7.4 points.", "The rest did not."]),
        ("lower case. also splits", ["lower case.", "also splits"]),
        ("これは何ですか？ はい。 いいえ", ["これは何ですか？", "はい。", "いいえ"]),
    ],
)
def test_a_text_is_split_at_the_ends_of_its_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


PIECES = st.sampled_from(
    [*"ab.!?…\"') \n\r\t", "Dr. ", "e.g. ", "word ", "A. ", "。", "\u2028", "\x0b", "\x1c", "\x85"]
)


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_no_word_is_lost_added_or_moved(text: str) -> None:
    sentences = split_sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence == sentence.strip() and sentence for sentence in sentences)
    assert [word for sentence in sentences for word in sentence.split()] == text.split()


def test_a_long_text_is_split_in_a_moment() -> None:
    assert len(split_sentences("Dr. A. B. said so. " * 5000)) == 5000
    assert len(split_sentences("." * 50_000)) == 1
