"""Puts a message into disguise, for training and evaluation; `normalise` is the way back.

The same text, kind and seed give the same disguise.
"""

from __future__ import annotations

import base64
import codecs
import html
import random
import re
import urllib.parse
from collections.abc import Callable, Mapping
from types import MappingProxyType

Chance = random.Random
Disguise = Callable[[str, Chance], str]

_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "l": "1", "b": "8", "g": "9"}
_LEET_PLAIN = str.maketrans("aeiost", "431057")
_CYRILLIC = {
    "a": "а",
    "c": "с",
    "e": "е",
    "i": "і",
    "j": "ј",
    "o": "о",
    "p": "р",
    "s": "ѕ",
    "x": "х",
    "y": "у",
    "d": "ԁ",
}
_GREEK = {"a": "α", "e": "ε", "i": "ι", "k": "κ", "n": "η", "o": "ο", "p": "ρ", "t": "τ", "u": "υ", "v": "ν", "w": "ω"}
_SMALL_CAPITALS = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))
_ACCENTS = {"a": "áàâãäå", "c": "ç", "e": "éèêë", "i": "íìîï", "n": "ñ", "o": "óòôõö", "u": "úùûü", "y": "ýÿ"}
_UPSIDE_DOWN = dict(zip("abcdefghijklmnopqrstuvwxyz?!", "ɐqɔpǝɟƃɥıɾʞlɯuodbɹsʇnʌʍxʎz¿¡", strict=True))
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u200e"
_ZALGO = "".join(map(chr, range(0x0300, 0x0339)))
_MORSE = ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.."
_LETTER = re.compile(r"[A-Za-z]")
_WORD = re.compile(r"[A-Za-z]+")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}")
_TYPOS = 20  # characters for each typing mistake


def disguise(text: str, kind: str, seed: int | str) -> str:
    """Return the text in one of `KINDS` of disguise.

    Raises:
        KeyError: there is no such kind.
    """
    chance = Chance(f"{kind} {seed}")
    return chance.choice(KINDS[kind])(text, chance)


def _each(pattern: re.Pattern[str], change: Callable[[str], str], text: str) -> str:
    return pattern.sub(lambda match: change(match[0]), text)


def _swapped(table: Mapping[str, str], share: float) -> Disguise:
    """Replace letters by one of those that a table names, each with a probability of `share`."""

    def swap(text: str, chance: Chance) -> str:
        return "".join(
            chance.choice(table[letter.lower()]) if letter.lower() in table and chance.random() < share else letter
            for letter in text
        )

    return swap


def _moved(first: str, size: int = 26) -> Disguise:
    """Replace letters by a styled alphabet that starts at a character, in the alphabet's order."""
    styled = {chr(ord("a") + place): chr(ord(first) + place) for place in range(size)}
    return _swapped(styled, 1.0)


def _typos(text: str, chance: Chance) -> str:
    """As a hurried thumb types: letters swapped, dropped, doubled, or their neighbour hit."""
    letters = list(text if chance.random() < 0.5 else text.lower().replace("'", ""))
    for _ in range(max(1, len(letters) // _TYPOS)):
        at = chance.randrange(max(len(letters) - 1, 1))
        if "".join(letters[at : at + 1]).isalpha():
            _mistype(letters, at, chance)
    return "".join(letters)


def _mistype(letters: list[str], at: int, chance: Chance) -> None:
    kind = chance.choice(("swap", "drop", "double", "neighbour"))
    if kind == "swap" and at + 1 < len(letters):
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    elif kind == "drop":
        letters[at] = ""
    elif kind == "double":
        letters[at] *= 2
    else:
        letters[at] = _neighbour(letters[at], chance)


def _neighbour(letter: str, chance: Chance) -> str:
    for row in ("qwertyuiop", "asdfghjkl", "zxcvbnm"):
        place = row.find(letter)
        if place >= 0:
            return row[max(place - 1, 0) if chance.random() < 0.5 else min(place + 1, len(row) - 1)]
    return letter


def _plain_leet(text: str, _: Chance) -> str:
    return text.lower().translate(_LEET_PLAIN)


def _apart(between: str, words: str) -> Disguise:
    """Set all letters apart; `words` stands between words."""
    return lambda text, _: words.join(between.join(word) for word in text.split())


def _long_words_apart(text: str, chance: Chance) -> str:
    """Set the letters of the longer words apart, as people do who fear a filter."""
    between = chance.choice(" .-_*")
    return _each(_LONG_WORD, lambda word: between.join(word) if chance.random() < 0.6 else word, text)


def _cut_words(text: str, chance: Chance) -> str:
    """Put one space or sign inside longer words."""
    sign = chance.choice((" ", ".", "-", "*", "/"))

    def cut(word: str) -> str:
        at = chance.randrange(1, len(word))
        return word[:at] + sign + word[at:] if chance.random() < 0.5 else word

    return _each(_LONG_WORD, cut, text)


def _run_together(text: str, _: Chance) -> str:
    return re.sub(r"\s+", "", text)


def _held_letters(text: str, chance: Chance) -> str:
    def hold(word: str) -> str:
        at = chance.randrange(len(word))
        return word[:at] + word[at] * chance.randint(3, 6) + word[at + 1 :] if chance.random() < 0.4 else word

    return _each(_WORD, hold, text)


def _inserted(signs: str, share: float, most: int = 1) -> Disguise:
    """Put signs after letters."""

    def insert(text: str, chance: Chance) -> str:
        return _each(
            _LETTER,
            lambda letter: (
                letter + "".join(chance.choices(signs, k=chance.randint(1, most) if chance.random() < share else 0))
            ),
            text,
        )

    return insert


def _base64(text: str, _: Chance) -> str:
    return base64.b64encode(text.encode()).decode()


def _hexadecimal(text: str, chance: Chance) -> str:
    return text.encode().hex(" ") if chance.random() < 0.5 else text.encode().hex()


def _binary(text: str, _: Chance) -> str:
    return " ".join(f"{byte:08b}" for byte in text.encode())


def _rot13(text: str, _: Chance) -> str:
    return codecs.encode(text, "rot13")


def _morse(text: str, _: Chance) -> str:
    signs = dict(zip("abcdefghijklmnopqrstuvwxyz", _MORSE.split(), strict=True))
    words = (" ".join(signs[letter] for letter in word.lower()) for word in _WORD.findall(text.replace("'", "")))
    return " / ".join(words)


def _percent(text: str, _: Chance) -> str:
    return urllib.parse.quote(text, safe="")


def _string_escapes(text: str, chance: Chance) -> str:
    return "".join(f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 and chance.random() < 0.8 else sign for sign in text)


def _entities(text: str, chance: Chance) -> str:
    form = chance.choice(("&#{};", "&#x{:x};"))
    return "".join(form.format(ord(sign)) if sign.isalpha() else html.escape(sign) for sign in text)


def _tags(text: str, chance: Chance) -> str:
    """Put tags round letters inside words."""
    tag = chance.choice(("b", "i", "em", "span", "font"))
    return _each(_LETTER, lambda letter: f"<{tag}>{letter}</{tag}>" if chance.random() < 0.3 else letter, text)


def _comments(text: str, chance: Chance) -> str:
    def split(word: str) -> str:
        at = chance.randrange(1, len(word))
        return word[:at] + chance.choice(("<!-- -->", "<!--x-->", "/**/")) + word[at:]

    return _each(_LONG_WORD, split, text)


def _backwards(text: str, _: Chance) -> str:
    return text[::-1]


def _words_backwards(text: str, _: Chance) -> str:
    return _each(_WORD, lambda word: word[::-1], text)


def _tokens_backwards(text: str, _: Chance) -> str:
    return " ".join(token[::-1] for token in text.split())


def _words_in_reverse(text: str, _: Chance) -> str:
    """Show backwards what is stored backwards, by a direction mark."""
    return f"\u202e{text[::-1]}\u202c" if "\n" not in text else text[::-1]


def _upside_down(text: str, _: Chance) -> str:
    return "".join(_UPSIDE_DOWN.get(letter, letter) for letter in reversed(text.lower()))


def _mixed(text: str, chance: Chance) -> str:
    """One disguise upon another that leaves the first to be read."""
    inner, outer = chance.choice(_PAIRS)
    return chance.choice(outer)(chance.choice(inner)(text, chance), chance)


_LEETS = (_plain_leet, _swapped(_LEET, 0.4), _swapped(_LEET, 0.8))
_SPACINGS = (
    _apart(" ", "  "),
    _apart(" ", " "),
    _apart(".", " "),
    _apart("-", " "),
    _long_words_apart,
    _cut_words,
    _run_together,
    _held_letters,
)
_ALIKES = (_swapped(_CYRILLIC, 0.6), _swapped(_CYRILLIC | _GREEK, 0.5), _swapped(_SMALL_CAPITALS, 1.0))
_STYLES = (_moved("\uff41"), _moved("\U0001d41a"), _moved("\u24d0"), _moved("\U0001f170"))
_HIDDEN = (_inserted(_INVISIBLE, 0.4), _inserted(_INVISIBLE, 0.9, 2))
_BYTES = (_base64, _hexadecimal, _binary)
_ESCAPES = (_percent, _string_escapes, _entities)
_PAIRS = (
    (_LEETS, _ALIKES[:1]),
    (_LEETS, _HIDDEN),
    (_LEETS, _BYTES),
    (_LEETS, (_backwards,)),
    (_SPACINGS, _ALIKES),
    (_SPACINGS, _HIDDEN),
    (_ALIKES, _HIDDEN),
    (_ALIKES, _BYTES),
    (_ALIKES, _ESCAPES),
    (_STYLES, (_backwards,)),
    (_HIDDEN, _BYTES),
    ((_tags, _comments, *_ESCAPES), _BYTES),
    ((_backwards, _rot13), _BYTES),
    ((_backwards, _rot13), _ESCAPES),
    (_BYTES, _BYTES),
)

KINDS: Mapping[str, tuple[Disguise, ...]] = MappingProxyType(
    {
        "typos": (_typos,),
        "leet": _LEETS,
        "spacing": _SPACINGS,
        "look-alikes": (*_ALIKES, *_STYLES, _swapped(_ACCENTS, 0.7), _upside_down),
        "invisible": (*_HIDDEN, _inserted(_ZALGO, 0.6, 4)),
        "encoding": (*_BYTES, _rot13, _morse),
        "markup": (*_ESCAPES, _tags, _comments),
        "reversed": (_backwards, _words_backwards, _tokens_backwards, _words_in_reverse),
        "mixed": (_mixed,),
    }
)
