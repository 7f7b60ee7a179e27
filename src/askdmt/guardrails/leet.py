"""Words spelt with digits and signs, letters held down, letters starred out, and signs put between letters."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from askdmt.guardrails.vocabulary import SHORT_WORDS, Vocabulary, load_vocabulary

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
_OPENING = _PUNCTUATION.replace("!", "")
_TOKEN = re.compile(r"\S+")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_ORDINAL = re.compile(r"(\d{1,2})7h")
_HELD_ENDING = re.compile(r"(?<=[A-Za-z]')([stdml])\1{2,}(?![A-Za-z])")
_RUN = re.compile(r"(.)\1*")
_LETTER_RUN = re.compile(r"([A-Za-z])\1*", re.IGNORECASE)
_LATIN_LETTERS = re.compile(r"[A-Za-z]+")
_LATIN_WORD = re.compile(r"[A-Za-z']+")
_STARRED = re.compile(r"[A-Za-z]+[*_]{1,2}[A-Za-z]+")
_SEPARATED = re.compile(r"[A-Za-z0-9@$!]+(?:[-.*_|/\\~+,=^:;<>·•#]+[A-Za-z0-9@$!]+)+")
_SEPARATOR = re.compile(r"[-.*_|/\\~+,=^:;<>·•#]+")
_BETWEEN_WORDS = "._-+/|*~,"
_FEW_WORDS = 4  # joined by one sign, where they are the whole text
_MANY_WORDS = 6
_PICTOGRAM = re.compile("(?<=[\\w,.:;?!])[\u2600-\u27bf\U0001f300-\U0001faff]+(?=\\w)")
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
_SURELY_HEAVY = 3  # words surely in leet
_HEAVY = 0.25  # share of words in leet from which digits are read as letters even where no known word comes out


def without_leet(text: str) -> str:
    """Read digits and signs as letters where that makes a known word; the rest too in a text full of them."""
    tokens = _TOKEN.findall(text)
    suspects = [token for token in tokens if not token.isalpha() and _SIGNS.intersection(token)]
    if not suspects:
        return text
    heavy = _is_heavy(suspects, sum(any(map(str.isalnum, token)) for token in tokens))
    for how in (True, False) if heavy else (False,):
        reading = _TOKEN.sub(lambda match, how=how: _read_token(match[0], how), text)  # type: ignore[misc]
        if load_vocabulary().share(reading) >= _ENGLISH:
            return reading
    return text


def _is_heavy(suspects: Sequence[str], words: int) -> bool:
    """Whether so many of a text's words are in leet that signs which might mean something else are letters too."""
    mixed = [token for token in suspects if _mixes_signs(token)]
    if len(mixed) >= _HEAVY * words and sum(_read_token(token, True) != token for token in mixed) > 1:
        return True
    sure = sum(_read_token(token, False) != token for token in mixed)
    perhaps = sum(_read_token(token, True).lower() in SHORT_WORDS for token in suspects if token not in mixed)
    return sure >= _SURELY_HEAVY or (sure > 0 and sure + perhaps >= max(2, _HEAVY * words))


@lru_cache(maxsize=8192)
def _mixes_signs(token: str) -> bool:
    core = token.rstrip(_PUNCTUATION).lstrip(_OPENING)
    letters = any(map(str.isalpha, core))
    return letters and bool(_SIGNS.intersection(core)) and not (_MEASURE.fullmatch(core) or ADDRESS.match(token))


@lru_cache(maxsize=8192)
def _read_token(token: str, heavy: bool) -> str:
    if token.isalpha() or len(token) > _LONGEST or not _SIGNS.intersection(token) or ADDRESS.match(token):
        return token
    if heavy and len(token) == 1:
        return _SHORT_STEMS.get(token) or reading_of(token, heavy) or token
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
        or (len(reading) < 3 and (lower[0].isalpha() or reading not in SHORT_WORDS))
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
    return any(map(str.isupper, word)) and not any(map(str.islower, word))


def without_separators(text: str) -> str:
    """Drop signs that stand for spaces or between the letters of a known word; restore starred-out letters."""
    if not text.isascii():
        text = _without_pictograms(text)
    if not _SEPARATOR.search(text):
        return text
    least = _FEW_WORDS if len(text.split()) == 1 else _MANY_WORDS
    return _TOKEN.sub(lambda match: _parted(match[0], least) or _joined(match[0]), text)


def _without_pictograms(text: str) -> str:
    """Put a space where the same pictogram stands between words again and again."""
    counts = Counter(_PICTOGRAM.findall(text))
    return _PICTOGRAM.sub(lambda match: " " if counts[match[0]] > 2 else match[0], text)


@lru_cache(maxsize=8192)
def _parted(token: str, least: int) -> str | None:
    """Return at least so many words, most of them common, that one sign joins: 'how.much.should.i.take'."""
    if not _SEPARATOR.search(token) or ADDRESS.match(token):
        return None
    sign = max(_BETWEEN_WORDS, key=token.count)
    if token.count(sign) < least - 1:
        return None
    parted = re.sub(rf"(?<!^){re.escape(sign)}(?!{re.escape(sign)}|$)", " ", token)
    vocabulary = load_vocabulary()
    words = _LATIN_WORD.findall(parted.lower())
    common = sum(word in SHORT_WORDS or vocabulary.is_common(word) for word in words)
    is_list = least > _FEW_WORDS and not SHORT_WORDS.intersection(words)
    enough = len(words) >= least and 3 * common >= len(words) and vocabulary.share(parted) >= 0.75
    return parted if enough and not is_list else None


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
    text = _divided(_HELD_ENDING.sub(lambda match: match[1] * (1 + (match[1] == "l")), text))
    return _LATIN_LETTERS.sub(lambda match: _shortened(match[0]), text)


def _divided(text: str) -> str:
    """Where every letter of a text stands twice, or three times..., write it once."""
    runs = [run[0] for word in _LATIN_LETTERS.findall(text) for run in _RUN.finditer(word.lower())]
    times = math.gcd(*map(len, runs))
    if times < 2 or len(runs) < 3:
        return text
    divided = _LETTER_RUN.sub(lambda match: match[0][: len(match[0]) // times], text)
    return divided if load_vocabulary().share(divided) >= _ENGLISH else text


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
