"""Disguises are repeatable, and normalising is the way back."""

from __future__ import annotations

import re

import pytest

from askdmt.guardrails.disguise import KINDS, disguise
from askdmt.guardrails.exemplars import load_exemplars
from askdmt.guardrails.normalise import normalise
from askdmt.guardrails.vocabulary import load_vocabulary

# The least share of messages whose letters all come back; a typing mistake is meant to stay.
LEAST = {
    "leet": 0.85,
    "spacing": 0.95,
    "look-alikes": 0.95,
    "invisible": 0.95,
    "encoding": 0.95,
    "markup": 0.95,
    "reversed": 0.93,
    "mixed": 0.85,
}


def letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.casefold())


def plain_messages() -> list[str]:
    texts = (exemplar.text for exemplar in load_exemplars() if exemplar.text.isascii() and "[SEP]" not in exemplar.text)
    return [text for text in texts if load_vocabulary().share(text) > 0.75 and not normalise(text).changes][::37]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_disguise(kind: str) -> None:
    text = "How much should a person take before the session?"
    assert disguise(text, kind, 3) == disguise(text, kind, 3)
    assert len({disguise(text, kind, seed) for seed in range(20)}) > 1


@pytest.mark.parametrize(("kind", "least"), LEAST.items())
def test_normalising_brings_the_letters_back(kind: str, least: float) -> None:
    texts = plain_messages()
    back = [letters(normalise(disguise(text, kind, text)).text) == letters(text) for text in texts]
    assert sum(back) >= least * len(texts)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(KeyError):
        disguise("text", "whisper", 1)
