"""Words that count as language when a disguise is undone."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from askdmt.errors import ContentError, GuardrailError
from askdmt.resources import GUARDRAIL_DATA, read_text

FILE = GUARDRAIL_DATA / "vocabulary.txt"  # one 'word count' a line; made by `make train`, see `write_vocabulary`

PAIRS_FILE = GUARDRAIL_DATA / "word_pairs.txt"  # 'first second' a line; made by `make train` too

_LEAST_PAIRS = 4  # times that two words must stand together
_MOST_TURNED = 0.2  # and how often at most, beside that, the other way round
COMMON_WORDS = 26_000
_COMMON_SCALE = 1600  # divides the common list's counts, so that a word of our own exemplars weighs more
OWN_SCALE = 3
_LEAST_SEEN_BY_LENGTH = {3: 4500, 4: 600}  # short words must be frequent: nearly any letters are a rare short word
_LEAST_SEEN = 250
_FOREIGN = ("es", "fr", "de", "pt", "it", "nl")
_FOREIGN_FACTOR = 3.0  # a word this many times more frequent in another language is that language's

SHORT_WORDS = frozenset(
    "a i am an as at be by do go he hi if im in is it me my no of oh ok on or so to up us we uk gp mg dr".split()
)
_LONGEST = 24
_SOLID = 20  # count from which a word is no rarity
_COMMON = 150  # and from which it is one of the commonest
_UNKNOWN_LETTER = 9.0  # nats; dearer than a letter of any known word
_SIGN = 6.0  # nats; a digit or sign that stands for itself
_MOST_READINGS = 400
_WORDS = re.compile(r"[a-z']+")
_CONTRACTED = re.compile(r"(?:n't|'(?:s|d|m|ll|re|ve))$")
_SAMPLE = 4000  # characters that show well enough whether a text is language


class Vocabulary:
    """Known words with how often they were seen."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts
        self._total = sum(counts.values()) or 1

    def __contains__(self, word: str) -> bool:
        return word in self._counts or ("'" in word and self._is_contracted(word))

    def _is_contracted(self, word: str) -> bool:
        stem = _CONTRACTED.sub("", word)
        return stem != word and (stem in self._counts if len(stem) > 2 else stem in SHORT_WORDS)

    def __len__(self) -> int:
        return len(self._counts)

    def is_solid(self, word: str) -> bool:
        """Whether a word is known and no rarity; of one and two letters, only the plainest words are."""
        return word in SHORT_WORDS if len(word) < 3 else self._counts.get(word, 0) >= _SOLID

    def is_common(self, word: str) -> bool:
        """Whether a word of three letters or more is one of the commonest."""
        return len(word) > 2 and self._counts.get(word, 0) >= _COMMON

    def cost(self, word: str) -> float | None:
        """Return a known word's negative log probability."""
        return self._costs.get(word)

    def share(self, text: str) -> float:
        """Return the share of the letters a-z of a text that stand in known words."""
        words = _WORDS.findall(text[:_SAMPLE].lower())
        known = sum(len(word) for word in words if (word in SHORT_WORDS if len(word) < 3 else word in self))
        return known / max(sum(map(len, words)), 1)

    def best_reading(self, options: Sequence[str]) -> str | None:
        """Return the most frequent word that takes one of the given letters at each place, if there is one."""
        beginnings = [""]
        for letters in options:
            beginnings = [
                start + letter for start in beginnings for letter in letters if start + letter in self._starts
            ]
            if not beginnings or len(beginnings) > _MOST_READINGS:
                return None
        known = [word for word in beginnings if word in self._counts]
        return max(known, key=lambda word: self._counts[word], default=None)

    def segment(self, run: str, readings: Mapping[str, str] = MappingProxyType({})) -> list[str]:
        """Return characters without spaces cut into the likeliest words; unknown letters between them stay together.

        `readings` are the letters that a digit or sign may stand for besides itself.
        """
        last = self._cheapest_path([sign + readings.get(sign, "") for sign in run.lower()])
        pieces: list[str] = []
        end = len(run)
        while end:
            word = last[end]
            start = end - len(word)
            pieces.append(run[start:end] if run[start:end].lower() == word else word)
            end = start
        return self._joined_unknown(pieces[::-1])

    def _cheapest_path(self, places: Sequence[str]) -> list[str]:
        """Return, for each place, the last of the likeliest words up to there; any of a place's characters may be."""
        costs = [0.0] + [math.inf] * len(places)
        last = [""] * (len(places) + 1)
        for start, signs in enumerate(places):
            steps = [(signs[0], _UNKNOWN_LETTER if signs[0].isalpha() else _SIGN)]
            heads = [""]
            for letters in places[start : start + _LONGEST]:
                heads = [head + letter for head in heads for letter in letters if head + letter in self._starts]
                if not heads or len(heads) > _MOST_READINGS:
                    break
                steps += [(head, self._costs[head]) for head in heads if head in self._costs]
            for word, cost in steps:
                if costs[start] + cost < costs[start + len(word)]:
                    costs[start + len(word)], last[start + len(word)] = costs[start] + cost, word
        return last

    def _joined_unknown(self, pieces: Sequence[str]) -> list[str]:
        words: list[str] = []
        last_known = True
        for piece in pieces:
            known = piece.lower() in self._costs
            if piece.isdigit() and words and words[-1].isdigit():
                words[-1] += piece
            elif known or last_known or piece.isdigit() or words[-1].isdigit():
                words.append(piece)
            else:
                words[-1] += piece
            last_known = known
        return self._with_endings(words)

    def _with_endings(self, words: list[str]) -> list[str]:
        """Give one or two unknown letters to the word before them: 'reek', 's'."""
        whole: list[str] = []
        for word in words:
            is_odd = word.lower() not in self._costs and not word.isdigit()
            if whole and len(word) < 3 and is_odd and len(whole[-1]) > 2 and not whole[-1].isdigit():
                whole[-1] += word
            else:
                whole.append(word)
        return whole

    @cached_property
    def _costs(self) -> dict[str, float]:
        """What each word costs when letters are cut into words: its negative log probability."""
        return {
            word: -math.log(count / self._total)
            for word, count in self._counts.items()
            if len(word) > 2 or word in SHORT_WORDS
        }

    @cached_property
    def _starts(self) -> frozenset[str]:
        return frozenset(word[:end] for word in self._counts for end in range(1, len(word) + 1))


@cache
def load_vocabulary(path: Path = FILE) -> Vocabulary:
    """Read the known words.

    Raises:
        GuardrailError: the file is missing or broken.
    """
    try:
        pairs = (line.split() for line in read_text(path).splitlines())
        return Vocabulary({word: int(count) for word, count in pairs})
    except (ContentError, ValueError) as error:
        raise GuardrailError(f"The vocabulary {path} cannot be read.", "Run: make train") from error


@cache
def load_pairs(path: Path = PAIRS_FILE) -> frozenset[tuple[str, str]]:
    """Read the pairs of words that hardly ever stand the other way round: they tell which way a text runs.

    Raises:
        GuardrailError: the file is missing or broken.
    """
    try:
        return frozenset((first, second) for first, second in (line.split() for line in read_text(path).splitlines()))
    except (ContentError, ValueError) as error:
        raise GuardrailError(f"The pairs of words {path} cannot be read.", "Run: make train") from error


def forward_pairs(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of words of English texts that hardly ever stand the other way round, the commonest first."""
    counts = Counter(pair for text in texts for pair in pairwise(_WORDS.findall(text.lower())))
    kept = [
        pair
        for pair, count in counts.items()
        if count >= _LEAST_PAIRS and counts[pair[::-1]] <= _MOST_TURNED * count and pair[0] != pair[1]
    ]
    return sorted(kept, key=lambda pair: (-counts[pair], pair))


def common_words() -> dict[str, int]:
    """Return common English words with a weight each, for the vocabulary that ships.

    They are the word list of the package pyspellchecker (MIT licence), which only training needs. Words that belong
    to another language, and short words that are rare, are left out: they would make language of any letters.
    """
    from spellchecker import SpellChecker

    english = _frequencies(SpellChecker(language="en"))
    foreign = [_frequencies(SpellChecker(language=language)) for language in _FOREIGN]
    most = {word: max(frequencies.get(word, 0.0) for frequencies in foreign) for word in english}
    kept = [word for word in english if most[word] < _FOREIGN_FACTOR * english[word] and _is_common(word)]
    counts = SpellChecker(language="en").word_frequency.dictionary
    kept = [word for word in kept if counts[word] >= _LEAST_SEEN_BY_LENGTH.get(len(word), _LEAST_SEEN)]
    kept.sort(key=lambda word: (-counts[word], word))
    return {word: max(1, counts[word] // _COMMON_SCALE) for word in kept[:COMMON_WORDS]}


def _is_common(word: str) -> bool:
    return word in SHORT_WORDS or (len(word) > 2 and word.isascii() and word.isalpha())


def _frequencies(checker: object) -> dict[str, float]:
    counts: dict[str, int] = checker.word_frequency.dictionary  # type: ignore[attr-defined]
    total = sum(counts.values())
    return {word: count / total for word, count in counts.items()}
