"""Cuts a draft into sentences while it arrives, and makes what it writes plain: citations, markup, links.

A sentence is whole when the next one has begun, so that a citation after the full stop still belongs to it. No more is
kept in memory than the sentence that is being written, and of that no more than `LONGEST` characters.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator

from askdmt.sentences import is_abbreviation

LONGEST = 1_000  # characters
_CITED = r"\[\d[\d,;\s–-]*\]"
# A full stop with what closes it and its citations, then white space and something that is no unfinished citation; or a
# line break. Atomic, so that no citation is given back to the next sentence.
_END = re.compile(rf"(?>[.!?…。！？][\"'”’)*_]*(?:\s*{_CITED})*)(?=\s+(?!\[[\d,;\s–-]*$)\S)|\n+")
_MARKER = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|[-*+•–]|#{1,6})$")
# "Yes." or "No." before a sentence answers a question that the passages do not know; it goes with what follows it.
_YES_OR_NO = re.compile(
    r"^\s*(?:(?:yes|no|not really|not quite|not yet|sort of|absolutely|indeed|correct)\s*[.,:;!–—]+\s*)+", re.IGNORECASE
)
_BULLET = re.compile(r"^\s*(?:#{1,6}\s+|[-*+•–]\s+|\(?\d{1,2}[.)]\s+|>\s*)+")
_CITATION = re.compile(_CITED)
_NUMBERS = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1")
_MARKDOWN_LINK = re.compile(r"(!?)\[([^\]\n]*)\]\(\s*<?([^)\s>]*)>?[^)]*\)")
_TOP_LEVEL = "com|org|net|io|co|uk|eu|info|onion|ru|me|shop|xyz|ly|gg"
_DOT = r"(?:\.|\s+\.\s*|\s+dot\s+|\s*[\[({]\s*(?:dot|\.)\s*[\])}]\s*)"  # as it is written, and as it is spelt out
_ADDRESS = re.compile(
    rf"(?:https?://|www\.)[^\s<>\"')\]]+|\b[\w-]+(?:{_DOT}[\w-]+)*{_DOT}(?:{_TOP_LEVEL})\b(?:/\S*)?", re.IGNORECASE
)
_SCHEME = re.compile(r"\b(?:javascript|data|vbscript|file|mailto|tel|sms|ftp|intent|blob)\s*:(?=\S)", re.IGNORECASE)
_TAG = re.compile(r"<\s*[/!?a-zA-Z]|&(?:#\w+|[a-z]+);|<\||\|>", re.IGNORECASE)
_LEFT_OVER = re.compile(r"```|~~~|\]\(|!\[|\[\[|^\s*\|.*\|\s*$|^\s*\[[^\]]+\]:\s|\$\$|\\\(|\\\[|\\[a-z]+\{")
_HIDDEN = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")  # fmt: skip  # noqa: E501


class Sentences:
    """Takes a draft bit by bit and gives its sentences as soon as each is whole."""

    def __init__(self) -> None:
        self._begun = ""
        self._overflows = False

    def feed(self, token: str) -> Iterator[str]:
        """Yield the sentences that this bit makes whole; of one that is too long, `LONGEST` characters and one more."""
        for start in range(0, len(token), LONGEST):
            self._begun += token[start : start + LONGEST]
            yield from self._whole()

    def rest(self) -> str:
        """Return what is left when the draft has ended; empty where nothing is."""
        rest, self._begun = "" if self._overflows else self._begun.strip(), ""
        return rest

    def _whole(self) -> Iterator[str]:
        start = searched = 0
        while found := _END.search(self._begun, searched):
            searched = found.end()
            piece = self._begun[start:searched].strip()
            if _MARKER.match(piece) or _is_only_yes_or_no(piece) or (is_abbreviation(piece) and "\n" not in found[0]):
                continue
            start = searched
            if self._overflows:
                self._overflows = False  # the end of what was too long
            elif piece:
                yield piece
        self._begun = self._begun[start:]
        if len(self._begun) > LONGEST:
            if not self._overflows:
                yield self._begun[: LONGEST + 1]
            self._overflows = True
            self._begun = self._begun[-10:]  # enough to see where it ends


def citations(sentence: str) -> tuple[int, ...]:
    """Return the numbers that a sentence cites, each once, in order; [1-3] stands for all three."""
    numbers: list[int] = []
    for mark in _CITATION.findall(sentence):
        for first, last in _NUMBERS.findall(mark):
            numbers += range(int(first), min(int(last or first), int(first) + 20) + 1)
    return tuple(dict.fromkeys(numbers))


def without_citations(sentence: str) -> str:
    """Return a sentence without its citation marks."""
    return re.sub(r"\s+([.,;:!?])", r"\1", _CITATION.sub("", sentence)).strip()


def plain(sentence: str, links: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return a sentence without bullets and emphasis, and what in it runs or leads out: "markup", "link".

    An address that is one of `links` stands as text.
    """
    faults = []
    text = _BULLET.sub("", sentence)
    text = _MARKDOWN_LINK.sub(lambda found: f"{found[2]} ({found[3]})" if not found[1] else found[0], text)
    for _ in range(3):  # emphasis within emphasis
        text = _EMPHASIS.sub(r"\2", text)
    unescaped = html.unescape(html.unescape(text))
    if any(_TAG.search(form) or _LEFT_OVER.search(form) for form in (text, unescaped)) or _HIDDEN.search(text):
        faults.append("markup")
    allowed = {_bare(link) for link in links}
    if _SCHEME.search(unescaped) or any(_bare(found) not in allowed for found in addresses(unescaped)):
        faults.append("link")
    return " ".join(text.split()), tuple(faults)


def without_yes_or_no(sentence: str) -> str:
    """Return a sentence without a "Yes" or "No" that stands before a comma or full stop at its start."""
    if not (found := _YES_OR_NO.match(sentence)):
        return sentence
    rest = sentence[found.end() :]
    return rest[:1].upper() + rest[1:]


def addresses(text: str) -> list[str]:
    """Return the addresses of the web that stand in a text."""
    return _ADDRESS.findall(text)


def without_addresses(text: str) -> str:
    """Return a text without addresses and what brackets they stood in."""
    return " ".join(re.sub(r"\(\s*\)", "", _ADDRESS.sub("", text)).split())


def is_finished(sentence: str) -> bool:
    """Whether a sentence ends as one, or is an item of a list: what broke off in the middle is not to be shown."""
    return bool(_BULLET.match(sentence) or re.search(r"[.!?…。！？][\"'”’)*_]*$", without_citations(sentence)))


def _is_only_yes_or_no(piece: str) -> bool:
    return bool(_YES_OR_NO.fullmatch(piece))


def _bare(address: str) -> str:
    return re.sub(r"^(?:https?://)?(?:www\.)?", "", address.lower()).rstrip("/.,;:!?")
