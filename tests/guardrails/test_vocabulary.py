"""The words that count as language."""

from __future__ import annotations

from pathlib import Path

import pytest

from askdmt.errors import GuardrailError
from askdmt.guardrails.vocabulary import Vocabulary, load_vocabulary


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("howmuch", ["how", "much"]),
        ("HowMuchDmt", ["How", "Much", "Dmt"]),
        ("killmyself", ["kill", "myself"]),
        ("takexqzv", ["take", "xqzv"]),
        ("", []),
    ],
)
def test_letters_are_cut_into_the_likeliest_words(run: str, words: list[str]) -> None:
    assert load_vocabulary().segment(run) == words


def test_share_counts_letters_in_known_words() -> None:
    vocabulary = Vocabulary({"dose": 50})
    assert vocabulary.share("dose") == 1.0
    assert vocabulary.share("dose xqzv") == 0.5
    assert vocabulary.share("") == 0.0


def test_the_most_frequent_word_is_read() -> None:
    vocabulary = Vocabulary({"dose": 50, "dote": 9})
    assert vocabulary.best_reading(["d", "o", "st", "e"]) == "dose"
    assert vocabulary.best_reading(["x", "o"]) is None


def test_rot13_and_fragments_are_no_words() -> None:
    vocabulary = load_vocabulary()
    assert not [word for word in ("ubj", "zhpu", "ose", "esod", "ing", "que") if word in vocabulary]


@pytest.mark.parametrize("content", ["dose\n", "dose many\n"])
def test_a_broken_file_is_named_with_the_mend(content: str, tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.txt"
    path.write_text(content)
    with pytest.raises(GuardrailError, match=r"vocabulary\.txt"):
        load_vocabulary(path)


def test_a_missing_file_is_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(GuardrailError, match=r"missing\.txt"):
        load_vocabulary(tmp_path / "missing.txt")
