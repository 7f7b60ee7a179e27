"""Splits text into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A sentence ends at . ! or ? (with closing quotes) before white space and something that can open the next one,
# or at a line break; an abbreviation or a single initial does not end one.
_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|[\r\n]+")
_ABBREVIATION = re.compile(r"(?:\b(?:dr|mr|mrs|ms|prof|st|vs|e\.g|i\.e|etc|approx)\.|\b[A-Z]\.)$", re.IGNORECASE)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text in order, without surrounding white space."""
    sentences: list[str] = []
    begun = ""
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        piece = begun + text[start:end]
        start = end
        if is_abbreviation(piece.rstrip()) and not piece.endswith("\n"):
            begun = piece
            continue
        begun = ""
        if piece.strip():
            sentences.append(piece.strip())
    if begun.strip():
        sentences.append(begun.strip())
    return sentences


def is_abbreviation(text: str) -> bool:
    """Whether a text ends in an abbreviation, whose full stop ends no sentence."""
    return bool(_ABBREVIATION.search(text))


def pieces(text: str) -> Iterator[str]:
    """Yield a text sentence by sentence, with the white space before each; joined, they are the text up to its end."""
    position = 0
    for sentence in split_sentences(text):
        end = text.index(sentence, position) + len(sentence)
        yield text[position:end]
        position = end
