"""How hard a text is to read: the Flesch–Kincaid grade."""

from __future__ import annotations

import re
from functools import cache

from askdmt.sentences import split_sentences

_WORD = re.compile(r"[^\W_]+(?:['’.,%/-][^\W_]+)*")  # "20", "7.4", "people's", "talk-based"
_VOWELS = re.compile(r"[aeiouy]+")
# Vowels that are written and not heard: at the end ("dose", "times", "reached") and before an ending ("safely").
_SILENT_END = re.compile(r"(?<=[^aeiouyl])e$|(?<=[aeiouy]l)e$|(?<=[^aeiouycgsxz])(?<![cs]h)es$|(?<=[^aeiouytd])ed$")
_SILENT_MIDDLE = re.compile(r"(?<=[^aeiouyl])e(?=(?:ly|ments?|ful|less|ness|ty|works?|body|thing|one|where)$)")
# Vowels side by side that are heard apart: "tri-al", "anxi-ety", "be-ing", "usu-al", "cre-ate".
_APART = re.compile(
    r"(?<![ctsgx])(?<!ll)i[aou]|iat|(?<!t)ie(?=nc|nt)|ie(?=r$|rs$|st$|ty)|[aeiouy](?=ing)|(?<![gq])ua(?=l)|uou"
    r"|eo(?=[nslg]|ch)|yo(?=n$)|(?<=cr)ea(?=t)|sm(?=s?$)"
)


def grade(text: str) -> float:
    """Return the school grade (US) that a text asks for; 0 for a text without words.

    Source: Kincaid, Fishburne, Rogers and Chissom, 1975, Naval Technical Training Command, report 8-75.
    """
    words = _WORD.findall(text)
    if not words:
        return 0.0
    sentences = max(len(split_sentences(text)), 1)
    return 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def word_count(text: str) -> int:
    """Return how many words a text has; a figure is one word."""
    return len(_WORD.findall(text))


@cache
def syllables(word: str) -> int:
    """Return the syllables of an English word by its vowel groups, at least one.

    Agrees with the CMU dictionary on 99 of 100 running words of `knowledge/`; hyphenation (pyphen) reached 93, since
    it never parts a single letter ("a-bout", "ma-ny"). Figures and abbreviations count as one, as is usual.
    """
    parts = re.split(r"[-/.,]", re.sub(r"['’]s$", "", word.lower()))
    return max(sum(map(_heard, parts)), 1)


def _heard(part: str) -> int:
    letters = re.sub(r"[^a-z]", "", part)
    if not letters:
        return 0
    said = _SILENT_END.sub("", _SILENT_MIDDLE.sub("", letters))
    return max(len(_VOWELS.findall(said)) + len(_APART.findall(said)), 1)
