"""Words taken apart or run together: 'd o s e', 'd.o.s.e', 'h o w m u c h', 'ho wmuch', 'howmuchshould'."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from askdmt.guardrails.leet import ADDRESS, READINGS, reading_of
from askdmt.guardrails.vocabulary import SHORT_WORDS, Vocabulary, load_vocabulary

_SIGN = r"[ \t\n.\-_*|/\\~+,:;?=^<>()\[\]{}#&·•\"\u2600-\u27bf\U0001f300-\U0001faff]"
_LETTER = "A-Za-z0-9\u00c0-\u024f\u0370-\u052f"
_SINGLE = rf"[{_LETTER}@$!']"
_APART = re.compile(
    rf"(?<![\w'@$!]){_SINGLE}(?:{_SIGN}{{1,6}}{_SINGLE}(?![{_LETTER}'@$])){{2,}}(?:(?![,:;]){_SIGN}{{1,2}}(?=[,.;:?!](?:\s|$)))?"
)
_PIECES = re.compile(rf"({_SINGLE})({_SIGN}*)", re.DOTALL)
_ABBREVIATIONS = frozenset("eg ie am pm us uk usa phd nb ps ad bc rip aka".split())
_PAIR = re.compile(r"(?<![\w'])([A-Za-z])([.\-_*/|])([A-Za-z])(?![\w'])(?!\2)")
_SPACED_SIGN = re.compile(r" (?=[,.;:?!](?:[\s,.;:?!]|$))")
_CONTRACTED = re.compile(r"'(?:s|t|d|m|ll|re|ve)|$")
_FRAGMENT = re.compile(r"[a-z']+")
_LINE = re.compile(r"[^\n]+")
_ENDING = re.compile(r"[.,;:?!\")]*$")
_MOST_FRAGMENTS = 8
_UNKNOWN_FRAGMENT = 22.0  # nats, beside the known words' negative log probabilities
_RUN_TOGETHER = 9
_SURELY_RUN_TOGETHER = 14
_MANY_WORDS = 5
_LONG_ENOUGH = 20
_LONG_LINE = 2000  # characters; in a line so long, at least some words are left whole
_SOME_LANGUAGE = 0.3
_SHORTER_RUN = re.compile(r"[A-Za-z']{5,}")
_LONG_RUN = re.compile(r"[A-Za-z']{9,}")
_HUMP = re.compile(r"(?<=[a-z,.?!])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SIGN_WITHOUT_SPACE = re.compile(r"([,.?!;:])(?=[A-Za-z'])")


def without_spaced_letters(text: str) -> str:
    """Join letters that stand apart, finding the words where the gaps do not show them."""
    joined = _APART.sub(_together, text)
    return _SPACED_SIGN.sub("", _PAIR.sub(_pair_together, joined)) if joined != text else text


def _pair_together(match: re.Match[str]) -> str:
    word = match[1] + match[3]
    return word if word.lower() in SHORT_WORDS else match[0]


def _together(match: re.Match[str]) -> str:
    run = match[0]
    pairs = [(letter, gap) for letter, gap in _PIECES.findall(run)]
    if run[0] == "'" or 4 * sum(letter.isdigit() for letter, _ in pairs) >= 3 * len(pairs):
        return run
    inside = _commonest_gap(pairs)
    if len(set(inside) - set(" \t\n")) > 1:
        return run
    chunks = _chunks(pairs, inside)
    ends = sum(not gap.strip() for _, gap in chunks[:-1])
    shown = ends > 1 and len(pairs) >= 2 * len(chunks)  # the gaps show where words end
    read = [_read_chunk(letters, shown) for letters, _ in chunks]
    if any(word.replace(" ", "") != letters for (word, _), (letters, _) in zip(read, chunks, strict=True)):
        read = [(reading_of(word, heavy=True) or word, good) for word, good in read]  # the rest is in leet too
    dotted = run[1] == "."
    known = sum(
        len(letters)
        for (letters, _), (_, good) in zip(chunks, read, strict=True)
        if good and not (dotted and letters.lower() in _ABBREVIATIONS)
    )
    certain = (
        (ends > 1 and len(pairs) > 2.5 * len(chunks))
        or (dotted and len(pairs) > 4 * len(chunks))
        or (len(pairs) > 4 and run[1] in "-_*|~")
    )
    if known < (0.3 if shown else 0.6) * len(pairs) and not certain:
        return run
    return "".join(word + gap for (word, _), (_, gap) in zip(read, chunks, strict=True))


def _commonest_gap(pairs: Sequence[tuple[str, str]]) -> str:
    counts = Counter(gap for _, gap in pairs[:-1])
    return min(counts, key=lambda gap: (-counts[gap], len(gap), gap))


def _chunks(pairs: Sequence[tuple[str, str]], inside: str) -> list[tuple[str, str]]:
    """Return the words that the gaps show, each with the gap after it; the commonest gap is inside words."""
    chunks: list[tuple[str, str]] = []
    letters = ""
    for place, (letter, gap) in enumerate(pairs):
        letters += letter
        if gap != inside or place == len(pairs) - 1:
            last = place == len(pairs) - 1
            chunks.append((letters, _gap_to_keep(gap, inside, last)))
            letters = ""
    return chunks


def _gap_to_keep(gap: str, inside: str, last: bool) -> str:
    sign = inside.strip()
    kept = (gap.replace(sign, "") if sign else gap).strip(" \n/|")
    return kept if last else kept + ("\n" if "\n" in gap and inside != "\n" and not kept else " ")


@lru_cache(maxsize=4096)
def _read_chunk(letters: str, shown: bool) -> tuple[str, bool]:
    """Return a chunk's letters as a word or words, and whether they are known."""
    vocabulary = load_vocabulary()
    lower = letters.lower()
    if lower in SHORT_WORDS or (lower in vocabulary and len(lower) > 2):
        return letters, True
    if letters.isdigit():
        return letters, True
    if not lower.isalpha() and (reading := reading_of(letters, heavy=True)) and reading in vocabulary:
        return reading, True
    if shown and len(letters) < _RUN_TOGETHER + 3:
        return letters, False
    for leet in (False, True):
        words = words_of(letters, leet)
        known = sum(len(word) for word in words if _is_word(word, vocabulary))
        least = 0.6 if len(letters) > _SURELY_RUN_TOGETHER else 0.8 if lower.isalpha() else 0.9
        enough = known >= least * len(letters) and (len(letters) > 4 or known == len(letters))
        if enough and 2.2 * len(words) <= len(letters) + 2:
            return " ".join(words), True
    return letters, False


def _is_word(word: str, vocabulary: Vocabulary) -> bool:
    core = _ENDING.sub("", word).lower()
    return core.isdigit() or vocabulary.is_solid(core) or (len(core) > 2 + core.isalpha() and core in vocabulary)


def words_of(run: str, leet: bool = False) -> list[str]:
    """Return letters without spaces, among them apostrophes, digits and signs, cut into the likeliest words.

    A contraction ends a word; `leet` lets digits and signs stand for letters.
    """
    words: list[str] = []
    start = 0
    for match in _CONTRACTED.finditer(run):
        cut = load_vocabulary().segment(run[start : match.end()].replace("'", ""), READINGS if leet else {})
        words += _with_apostrophes(cut, run[start : match.end()])
        start = match.end()
    return words


def _with_apostrophes(words: Sequence[str], run: str) -> list[str]:
    """Return words with the apostrophes that a run has between their letters, and signs beside the word before."""
    whole: list[str] = []
    place = 0
    for word in words:
        letters = ""
        for letter in word:
            while run[place] == "'":
                letters += "'"
                place += 1
            letters += letter
            place += 1
        if whole and not letters[0].isalnum():
            whole[-1] += letters
        else:
            whole.append(letters)
    return whole


def with_mended_words(text: str) -> str:
    """Join words that a space cuts, move spaces that stand one letter off, and part words run together."""
    return _LINE.sub(lambda match: _mended(match[0]), text)


def _mended(line: str) -> str:
    vocabulary = load_vocabulary()
    tokens = [_parted(token) for token in line.split(" ")]
    odd = [_is_fragment(token, vocabulary) for token in tokens]
    if not any(odd) or len(tokens) < 2 or (len(line) > _LONG_LINE and vocabulary.share(line) < _SOME_LANGUAGE):
        return " ".join(tokens)
    words = _moved_spaces(_rejoined(tokens, odd, vocabulary), vocabulary)
    mended = " ".join(words)
    return mended if vocabulary.share(mended) >= 0.8 else " ".join(tokens)


@lru_cache(maxsize=8192)
def _is_fragment(token: str, vocabulary: Vocabulary) -> bool:
    core = _ENDING.sub("", token).lower()
    core = core.lstrip('"(')
    return _FRAGMENT.fullmatch(core) is not None and not (
        core in vocabulary if len(core) > 2 else vocabulary.is_solid(core)
    )


def _rejoined(tokens: Sequence[str], odd: Sequence[bool], vocabulary: Vocabulary) -> list[str]:
    """Return the tokens with fragments joined to known words, the likeliest way."""
    costs = [0.0] + [math.inf] * len(tokens)
    starts = [0] * (len(tokens) + 1)
    for start, token in enumerate(tokens):
        joined = ""
        for end in range(start + 1, min(start + _MOST_FRAGMENTS, len(tokens)) + 1):
            joined += tokens[end - 1]
            several = end > start + 1
            if several and not (_are_fragments(tokens[start:end], odd[start:end]) and _joins(joined, vocabulary)):
                if len(joined) > 24 or not token.lstrip('"(').isalpha() or not tokens[end - 1].isalpha():
                    break
                continue
            cost = costs[start] + (vocabulary.cost(_ENDING.sub("", joined).lower().lstrip('"(')) or _UNKNOWN_FRAGMENT)
            if cost < costs[end]:
                costs[end], starts[end] = cost, start
            if not token.lstrip('"(').isalpha() or (several and not tokens[end - 1].isalpha()):
                break
    return _cut(tokens, starts)


def _cut(tokens: Sequence[str], starts: Sequence[int]) -> list[str]:
    words: list[str] = []
    end = len(tokens)
    while end:
        words.append("".join(tokens[starts[end] : end]))
        end = starts[end]
    return words[::-1]


def _are_fragments(tokens: Sequence[str], odd: Sequence[bool]) -> bool:
    """Whether neighbours may be parts of one word; a lone letter beside a whole word is none."""
    long_odd = any(strange and len(token) > 1 for token, strange in zip(tokens, odd, strict=True))
    return long_odd or (any(odd) and max(map(len, tokens)) < 3)


def _joins(joined: str, vocabulary: Vocabulary) -> bool:
    core = _ENDING.sub("", joined).lower().lstrip('"(')
    return (len(core) > 3 and core in vocabulary) or core == "dmt"


def _moved_spaces(words: list[str], vocabulary: Vocabulary) -> list[str]:
    """Cut neighbouring fragments anew where that makes only frequent words: 'ho wmuch'."""
    mended: list[str] = []
    start = 0
    while start < len(words):
        end = start
        while end < len(words) and words[end].isalpha() and len(words[end]) < 16 and _is_loose(words, end, vocabulary):
            end += 1
        end = max(end, start + 1)
        mended += _cut_anew(words[start:end], vocabulary) or words[start:end]
        start = end
    return mended


def _cut_anew(words: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    if 2 * sum(_is_fragment(word, vocabulary) for word in words) < max(len(words), 3):
        return []
    pieces = vocabulary.segment("".join(words))
    frequent = all(vocabulary.is_solid(piece.lower()) for piece in pieces)
    return pieces if frequent and abs(len(pieces) - len(words)) < 2 and len("".join(words)) > 2.5 * len(pieces) else []


def _is_loose(words: Sequence[str], at: int, vocabulary: Vocabulary) -> bool:
    """A fragment, or a word next to one."""
    return any(_is_fragment(word, vocabulary) for word in words[max(at - 1, 0) : at + 2])


@lru_cache(maxsize=8192)
def _parted(token: str) -> str:
    """Return a token with its long runs of letters cut into words, where they are nothing but frequent words."""
    if len(token) < _RUN_TOGETHER or not token.isascii() or ADDRESS.match(token):
        return token
    humps = _HUMP.split(token)
    if len(humps) > 4 and load_vocabulary().share(" ".join(humps)) >= 0.7:  # HowMuchShouldI
        token = " ".join(humps)
    parted = _LONG_RUN.sub(lambda match: _words_of(match[0]), token)
    if parted == token:
        return token
    return _SIGN_WITHOUT_SPACE.sub(r"\1 ", _SHORTER_RUN.sub(lambda match: _words_of_rest(match[0]), parted))


def _words_of_rest(run: str) -> str:
    """Return as words what stands beside words run together, if all of them are known."""
    vocabulary = load_vocabulary()
    if run.lower() in vocabulary:
        return run
    words = words_of(run)
    return " ".join(words) if all(_is_word(word, vocabulary) for word in words) else run


def _words_of(run: str) -> str:
    vocabulary = load_vocabulary()
    if run.lower() in vocabulary:
        return run
    words = words_of(run)
    return " ".join(words) if len(words) > 2 and _is_plain(words, run, vocabulary) else run


def _is_plain(words: Sequence[str], run: str, vocabulary: Vocabulary) -> bool:
    """Whether a run is safely several words: the shorter it is, the commoner they must be."""
    known = sum(len(word) for word in words if word.lower() in vocabulary)
    if len(run) < 2.7 * len(words):
        return False
    if len(words) >= _MANY_WORDS and len(run) >= _LONG_ENOUGH:
        return known >= 0.7 * len(run)
    if len(run) >= _SURELY_RUN_TOGETHER:
        return all(vocabulary.is_solid(word.lower()) for word in words)
    return all(vocabulary.is_common(word.lower()) or word.lower() in SHORT_WORDS for word in words)
