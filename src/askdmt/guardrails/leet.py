"""Words spelt with digits and signs, letters held down, letters starred out, and signs put between letters."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache

from askdmt.guardrails.vocabulary import Vocabulary, load_vocabulary

# What a digit or sign may stand for, the likeliest letter first.
READINGS = {
    "0": "o",
    "1": "il",
    "2": "z",
    "3": "e",
    "4": "a",
    "5": "s",
    "6": "gb",
    "7": "t",
    "8": "b",
    "9": "gq",
    "@": "a",
    "$": "s",
    "!": "il",
    "|": "li",
    "+": "t",
    "(": "c",
    "#": "h",
    "€": "e",
    "£": "l",
    "¢": "c",
    "¥": "y",
    "ß": "b",
}
_SIGNS = frozenset(READINGS)
_ENDINGS = {"5": "s", "$": "s", "7": "t", "+": "t", "11": "ll", "1l": "ll", "l1": "ll", "v3": "ve", "r3": "re"}
_SHORT_STEMS = {"1": "i", "!": "i", "|": "i"}
_DIGITS = str.maketrans("0134578", "oieastb")
_WORDS_OF_DIGITS = frozenset("i a is it to so as at be".split())
# Several signs for one letter, the longest first so that none hides another.
_DRAWN = (
    *(("\\/\\/", "w"), ("|\\/|", "m"), ("/\\/\\", "m"), ("|\\|", "n"), ("|_|", "u"), ("|-|", "h"), ("/\\", "a")),
    *(("\\/", "v"), ("|)", "d"), ("|<", "k"), ("|=", "f"), ("()", "o"), ("><", "x")),
)

ADDRESS = re.compile(
    r"(?:https?://|www\.)|[^\s@]+@[\w-]+\.\w|[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|gov|edu|info|(?:co|ac|nhs|gov)\.uk)\b",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    r"[$£€]?\d[\d.,:/-]*(?:st|nd|rd|th|s|am|pm|mg|mcg|ug|g|kg|ml|l|h|hr|hrs|m|min|mins|x|k|yo|y0|yr|yrs|y|d|w|wk|wks|mo|cm|mm"
    r"|ft|lb|lbs|oz|gb|mb|p|c|f|ish|nm|hz|ma|iu|bn|mph|in|ht|er|ers|mmc|meo|aco|cb|[A-Z]+)?[%+]*",
)
_CODE = re.compile(r"[A-Z]{1,6}-?\d{1,9}[A-Za-z]?|[a-z]+\d+|\d+[a-z]+")
_EDGES = re.compile(r"^([\"'\[{*_~,.;:?(]*)(.*?)([\"'\])}*_~,.;:?!]*)$", re.DOTALL)
_PUNCTUATION = "\"'[]{}*_~,.;:?!()"
_TOKEN = re.compile(r"\S+")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_ORDINAL = re.compile(r"(\d{1,2})7h")
_HELD_ENDING = re.compile(r"(?<=[A-Za-z]')([stdml])\1{2,}(?![A-Za-z])")
_RUN = re.compile(r"(.)\1*")
_LATIN_LETTERS = re.compile(r"[A-Za-z]+")
_LATIN_WORD = re.compile(r"[A-Za-z']+")
_STARRED = re.compile(r"[A-Za-z]+[*_]{1,2}[A-Za-z]+")
_SEPARATED = re.compile(r"[A-Za-z0-9@$!]+(?:[-.*_|/\\~+,=^:;<>·•#]+[A-Za-z0-9@$!]+)+")
_SEPARATOR = re.compile(r"[-.*_|/\\~+,=^:;<>·•#]+")
_PREFIXES = frozenset("re co de pre anti micro non semi multi self ex un over mid sub uh e".split())
_OFTEN_STARRED = (
    *(
        "suicide",
        "suicidal",
        "kill",
        "killing",
        "die",
        "dead",
        "drug",
        "drugs",
        "dose",
        "doses",
        "meth",
        "heroin",
        "rape",
    ),
    *("cocaine", "ketamine", "shit", "fuck", "fucking", "bitch", "cunt", "dick", "bastard"),
)
_LONGEST = 30
_ENGLISH = 0.6  # share of known words in what comes out; some languages are typed with digits for letters
_HEAVY = 0.25  # share of words in leet from which digits are read as letters even where no known word comes out


def without_leet(text: str) -> str:
    """Read digits and signs as letters where that makes a known word; the rest too in a text full of them."""
    tokens = _TOKEN.findall(text)
    suspects = [token for token in tokens if not token.isalpha() and _SIGNS.intersection(token)]
    if not suspects:
        return text
    mixed = [token for token in suspects if _mixes_signs(token)]
    words = sum(any(map(str.isalnum, token)) for token in tokens)
    heavy = len(mixed) >= _HEAVY * words and sum(_read_token(token, True) != token for token in mixed) > 1
    for how in (True, False) if heavy else (False,):
        reading = _TOKEN.sub(lambda match, how=how: _read_token(match[0], how), text)  # type: ignore[misc]
        if load_vocabulary().share(reading) >= _ENGLISH:
            return reading
    return text


@lru_cache(maxsize=8192)
def _mixes_signs(token: str) -> bool:
    core = token.strip(_PUNCTUATION)
    letters = any(map(str.isalpha, core))
    return letters and bool(_SIGNS.intersection(core)) and not (_MEASURE.fullmatch(core) or ADDRESS.match(token))


@lru_cache(maxsize=8192)
def _read_token(token: str, heavy: bool) -> str:
    if token.isalpha() or len(token) > _LONGEST or not _SIGNS.intersection(token) or ADDRESS.match(token):
        return token
    before, core, after = _edges(token)
    if core.isalpha() or core.lower() in load_vocabulary():
        return token
    for start, end in ((before, after), ("", after), (before, ""), ("", "")):
        word = token[len(start) : len(token) - len(end)]
        if reading := reading_of(word, heavy):
            return start + (reading.upper() if _is_upper(word) else reading) + end
    if "-" in core or "/" in core:
        return before + re.sub(r"[^-/]+", lambda match: _read_token(match[0], heavy), core) + after
    return token


def reading_of(word: str, heavy: bool = False) -> str | None:
    """Return the known word that a word in leet stands for; in heavy leet, its plain transcription at worst."""
    lower = word.lower()
    for drawn, letter in _DRAWN:
        lower = lower.replace(drawn, letter)
    if lower.isalpha():
        return lower if lower != word.lower() and lower in load_vocabulary() else None
    if any(not (sign.isalpha() or sign in READINGS or sign == "'") for sign in lower):
        return None
    vocabulary = load_vocabulary()
    if "'" in lower.strip("'"):
        return _contraction(lower, heavy)
    if heavy and (ordinal := _ORDINAL.fullmatch(lower)):
        return ordinal[1] + "th"
    if lower.isdigit():
        return _word_of_digits(lower) if heavy else None
    reading = vocabulary.best_reading([READINGS.get(sign, sign) for sign in lower])
    if reading and _is_believable(word, lower, reading, heavy, vocabulary):
        return reading
    if heavy and any(map(str.isalpha, lower)) and not _MEASURE.fullmatch(lower) and not _is_code(word, vocabulary):
        return "".join(READINGS.get(sign, sign)[0] for sign in lower)
    return None


def _contraction(lower: str, heavy: bool) -> str | None:
    stem, _, ending = lower.partition("'")
    ending = _ENDINGS.get(ending, ending)
    read = stem if stem.isalpha() else reading_of(stem, heavy) or _SHORT_STEMS.get(stem)
    return f"{read}'{ending}" if read and ending.isalpha() else None


def _word_of_digits(digits: str) -> str | None:
    """Numbers stay numbers, even in heavy leet, but for the few that spell a very common word."""
    word = digits.translate(_DIGITS)
    if word in _WORDS_OF_DIGITS:
        return word
    reading = load_vocabulary().best_reading([READINGS[digit] for digit in digits])
    return reading if reading and load_vocabulary().is_common(reading) else None


def _is_believable(word: str, lower: str, reading: str, heavy: bool, vocabulary: Vocabulary) -> bool:
    if heavy:
        return vocabulary.is_solid(reading) or (len(reading) > 2 and any(map(str.isalpha, lower)))
    if (
        "2" in lower
        or len(reading) < 3
        or (lower[0] == "@" and vocabulary.is_solid(lower[1:]))
        or _MEASURE.fullmatch(word)
        or _is_code(word, vocabulary)
    ):
        return False
    letters = sum(map(str.isalpha, lower))
    return 2 * letters >= len(lower) or (len(reading) > 4 and 3 * letters >= len(lower))


def _is_code(word: str, vocabulary: Vocabulary) -> bool:
    """A name with a number, or a number stuck to a word: B12, COMP360, day5, 3days."""
    if not _CODE.fullmatch(word):
        return False
    letters = "".join(filter(str.isalpha, word))
    return word[0].isupper() or (vocabulary.is_solid(letters.lower()) and not _is_short_start(word))


def _is_short_start(word: str) -> bool:
    return len(word) < 4 and word[0].isalpha()


def _edges(token: str) -> tuple[str, str, str]:
    match = _EDGES.match(token)
    return (match[1], match[2], match[3]) if match else ("", token, "")


def _is_upper(word: str) -> bool:
    return sum(map(str.isupper, word)) > 1 and not any(map(str.islower, word))


def without_separators(text: str) -> str:
    """Drop signs put between the letters of a word, and restore starred-out letters, where that makes a known word."""
    return _TOKEN.sub(lambda match: _joined(match[0]), text) if _SEPARATOR.search(text) else text


@lru_cache(maxsize=8192)
def _joined(token: str) -> str:
    if len(token) > 3 * _LONGEST or token.isalpha() or ADDRESS.match(token):
        return token
    return _SEPARATED.sub(_join, token)


def _join(match: re.Match[str]) -> str:
    word = match[0]
    if _STARRED.fullmatch(word) and (unstarred := _unstarred(word)):
        return unstarred
    vocabulary = load_vocabulary()
    parts = _SEPARATOR.split(word.lower())
    letters = "".join(parts)
    if len(letters) < 4 or all(map(vocabulary.is_solid, parts)) or parts[0] in _PREFIXES or letters.isdigit():
        return word
    if len(parts) == 2 and "-" in word and len(parts[0]) == 1 and parts[1] in vocabulary:  # e-mail
        return word
    joined = _SEPARATOR.sub("", word)
    return joined if letters in vocabulary or (not letters.isalpha() and reading_of(letters)) else word


def _unstarred(word: str) -> str | None:
    """Return the word of which one or two letters are starred out; a word that people star out, if it may be one."""
    vocabulary = load_vocabulary()
    if len(word) < 4 or _SEPARATOR.sub("", word.lower()) in vocabulary:
        return None
    pattern = re.compile(re.sub(r"[*_]", "[a-z]", word.lower()))
    usual = next(filter(pattern.fullmatch, _OFTEN_STARRED), None)
    if usual:
        return usual
    reading = vocabulary.best_reading(["aeiou" if sign in "*_" else sign for sign in word.lower()])
    return reading if reading and vocabulary.is_solid(reading) else None


def without_repeated_letters(text: str) -> str:
    """Shorten letters held down, and unknown words with their letters doubled: 'pleeease', 'ddoossee'."""
    text = _HELD_ENDING.sub(lambda match: match[1] * (1 + (match[1] == "l")), text)
    return _LATIN_LETTERS.sub(lambda match: _shortened(match[0]), text)


@lru_cache(maxsize=8192)
def _shortened(word: str) -> str:
    runs = [match[0] for match in _RUN.finditer(word.lower())]
    longest = max(map(len, runs))
    vocabulary = load_vocabulary()
    doubled = sum(len(run) > 1 for run in runs)
    if len(runs) == 1:
        return word[0] if longest > (2 if word[0] == "a" else 3) and word[0] in "aIi" else word
    if (
        longest < 2
        or len(word) > 3 * _LONGEST
        or word.lower() in vocabulary
        or (longest < 3 and (doubled < 3 or 2 * doubled < len(runs)))
    ):
        return word
    reading = _shortest_known(runs, vocabulary)
    if reading is None and (longest < 3 or len(word) > _LONGEST // 2):
        return word
    return _cased_like(reading or _REPEATED.sub(r"\1", word.lower()), word)


def _shortest_known(runs: list[str], vocabulary: Vocabulary) -> str | None:
    """Return the most frequent known word among those with each run of a letter once or twice."""
    if sum(len(run) > 1 for run in runs) > 12:
        return None
    candidates = [""]
    for run in runs:
        candidates = [start + run[:count] for start in candidates for count in range(1, min(len(run), 2) + 1)][:512]
    known = [word for word in candidates if word in vocabulary]
    return min(known, key=lambda word: vocabulary.cost(word) or math.inf, default=None)


def _cased_like(reading: str, word: str) -> str:
    if word.isupper():
        return reading.upper()
    return reading.capitalize() if word[0].isupper() else reading


def without_twins(text: str) -> str:
    """Read a capital I as l, and 'rn' and 'vv' as m and w, where only that makes a known word."""
    return _LATIN_WORD.sub(lambda match: _without_twins(match[0]), text)


@lru_cache(maxsize=8192)
def _without_twins(word: str) -> str:
    if word.lower() in load_vocabulary() or len(word) < 3:
        return word
    readings: list[Callable[[str], str]] = [
        lambda word: word if word.isupper() else word[0] + word[1:].replace("I", "l"),
        lambda word: word.replace("rn", "m"),
        lambda word: word.replace("vv", "w"),
    ]
    for read in readings:
        if (reading := read(word)) != word and load_vocabulary().is_solid(reading.lower()) and len(reading) > 3:
            return reading
    return word
