"""Disguises of single characters: look-alikes, styled letters, accents for show, invisible and piled-up marks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

from askdmt.errors import ContentError, GuardrailError
from askdmt.guardrails.vocabulary import load_vocabulary
from askdmt.resources import GUARDRAIL_DATA, read_text

LOOK_ALIKES_FILE = GUARDRAIL_DATA / "look_alikes.txt"

_TYPOGRAPHY = {
    **dict.fromkeys(map(ord, "‘’‚‛ʼ´`"), "'"),
    **dict.fromkeys(map(ord, "“”„‟«»"), '"'),
    **dict.fromkeys(map(ord, "–—‑‐−"), "-"),
    ord("…"): "...",
}
_BLANKS = {
    **dict.fromkeys((0x3164, 0x115F, 0x1160, 0xFFA0), ""),  # Hangul fillers
    0x2800: " ",  # Braille without dots
}
_TAGS = re.compile(r"\U0001f3f4?[\U000e0020-\U000e007e]+\U000e007f?")  # unseen copies of ASCII; flags use them too
_OVERRIDE = re.compile(r"\u202e([^\u202a-\u202e\n]*)[\u202c\u202d]?")  # what follows is shown backwards
_KEYCAP = re.compile(r"([0-9#*])\ufe0f?\u20e3")
_ENCLOSED = re.compile(r"[\U0001f150-\U0001f169\U0001f170-\U0001f189]")
_ENCLOSED_RUN = re.compile(rf"{_ENCLOSED.pattern}(?:[\ufe0e\ufe0f ]?{_ENCLOSED.pattern})+")
_REGIONAL_RUN = re.compile(r"[\U0001f1e6-\U0001f1ff]+")
_CJK = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WORD = re.compile(r"[^\W\d_]+")
_SINGLE_LETTERS = re.compile(r"(?:(?<![^\W_])[^\W\d_](?:[\W_]{1,4}|$)){4,}")
_MARKED_WORD = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+")
_MARKS = re.compile("[\u0300-\u036f]+")
_PILED = re.compile(
    "[\u0300-\u036f]{3}|[\u0305\u030d\u030e\u0310-\u031a\u031c-\u0322\u032a-\u0330\u0332-\u0338\u033a-\u036f]"
)
_LATIN_NAME = re.compile(r"LATIN (?:SMALL|CAPITAL|LETTER SMALL CAPITAL) (?:LETTER )?([A-Z])(?: WITH .*)?")
_TURNED = dict(zip("ɐqɔpǝɟƃɓɥᴉıɾʞʃןlɯuodbɹsʇnʌʍxʎz¿¡˙", "abcdefgghiijklllmnopqrstuvwxyz?!.", strict=True))
_TURNED_ONLY = re.compile("[ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ]")
_LOAN_WORDS = frozenset(
    "café cafés naïve résumé fiancé fiancée cliché clichés déjà façade señor josé née touché".split()
)
_NOT_LETTERS = "ªº™℠№℡"  # decompose into letters, but are read as signs
_SURELY = 2.0  # stands for the share of Latin letters in a text that mixes scripts within words
_MOST_MARKS = 4  # that one letter of a script other than Latin carries


def without_invisible_characters(text: str) -> str:
    """Drop what is not seen: control, format and private characters, marks piled on letters; read hidden tags."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    text = text.translate(_BLANKS)
    text = _OVERRIDE.sub(lambda match: match[1][::-1], text)
    text = _TAGS.sub(_hidden_text, text)
    text = _without_piled_marks(_KEYCAP.sub(r"\1", text))
    kept: list[str] = []
    marks = 0
    for character in text:
        if (character.isascii() and character.isprintable()) or character in "\n\t":
            kept.append(character)
            marks = 0
            continue
        category = unicodedata.category(character)
        if category not in ("Mn", "Me"):
            marks = 0
        if _is_seen(character, category, kept[-1] if kept else " ", marks):
            kept.append(character)
            marks += category == "Mn"
    return unicodedata.normalize("NFC", "".join(kept))


def _hidden_text(match: re.Match[str]) -> str:
    tags = match[0]
    if tags[0] == "\U0001f3f4":
        return tags
    return "".join(chr(ord(tag) - 0xE0000) for tag in tags if ord(tag) < 0xE007F)


def _without_piled_marks(text: str) -> str:
    """Drop all marks of a text where some are such as no language writes, else compose them with their letters."""
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", _MARKS.sub("", apart) if _PILED.search(apart) else apart)


def _is_seen(character: str, category: str, before: str, marks: int) -> bool:
    if category in ("Cc", "Cs", "Co", "Me"):
        return False
    if category == "Cn":
        return 0x1F000 <= ord(character) < 0x20000  # an emoji newer than this Python
    if category == "Cf":
        return _is_meant_format(character, before)
    if category == "Mn":
        return _is_meant_mark(character, before, marks)
    return True


def _is_meant_format(character: str, before: str) -> bool:
    """Joiners are part of the spelling in Persian and Indic scripts and hold emoji together."""
    script = ord(before)
    if character in "\u200c\u200d":
        return 0x0600 <= script < 0x1100 or (character == "\u200d" and _is_pictogram(before))
    if character == "\u200b":
        return 0x0E00 <= script < 0x1100 or 0x1780 <= script < 0x1800  # shows where Thai or Khmer words end
    if 0xE0020 <= ord(character) <= 0xE007F:
        return before == "\U0001f3f4" or 0xE0020 <= script < 0xE007F
    return 0x0600 <= ord(character) < 0x0900


def _is_meant_mark(character: str, before: str, marks: int) -> bool:
    if 0xFE00 <= ord(character) <= 0xFE0F:
        return _is_pictogram(before)
    if ord(character) >= 0xE0100:
        return bool(_CJK.match(before))
    if 0x0300 <= ord(character) < 0x0370:
        return marks == 0 and before.isalpha()
    return marks < _MOST_MARKS and (before.isalpha() or marks > 0 or unicodedata.category(before) == "Mc")


def _is_pictogram(character: str) -> bool:
    return not character.isascii() and (unicodedata.category(character)[0] == "S" or character == "\ufe0f")


def with_plain_typography(text: str) -> str:
    """Curly quotes, dashes and the ellipsis as one types them."""
    return text if text.isascii() else text.translate(_TYPOGRAPHY)


def with_plain_forms(text: str) -> str:
    """Read full-width, circled, squared, superscript, mathematical, ligature and flag letters as letters."""
    if text.isascii():
        return text
    wide = _CJK.search(text) is None
    text = "".join(character if character.isascii() else _plain_form(character, wide) for character in text)
    if _ENCLOSED_RUN.search(text):
        text = "".join(map(_enclosed_letter, text))
    runs = _REGIONAL_RUN.findall(text)
    if not any(map(_regional_words, runs)):
        return text
    return _REGIONAL_RUN.sub(lambda match: _regional_words(match[0]) or _regional_letters(match[0]), text)


@lru_cache(maxsize=4096)
def _plain_form(character: str, wide: bool) -> str:
    form = unicodedata.normalize("NFKC", character)
    if form == character or character in _NOT_LETTERS:
        return character
    letters = form.strip("()")
    is_wide = 0xFF01 <= ord(character) <= 0xFF5E
    if letters.isalpha() and (letters.isascii() or (0xFB50 <= ord(character) <= 0xFEFF and len(letters) < 4)):
        return letters
    return form if (is_wide and (wide or form.isdigit())) or 0x1D7CE <= ord(character) <= 0x1D7FF else character


def _enclosed_letter(character: str) -> str:
    code = ord(character)
    for first in (0x1F150, 0x1F170):
        if first <= code < first + 26:
            return chr(ord("a") + code - first)
    return character


def _regional_letters(run: str) -> str:
    return "".join(chr(ord("a") + ord(letter) - 0x1F1E6) for letter in run)


def _regional_words(run: str) -> str:
    """Two regional letters are a flag; an odd number of them, or a known word, is spelt with them."""
    letters = _regional_letters(run)
    if len(letters) % 2:
        return letters
    vocabulary = load_vocabulary()
    words = vocabulary.segment(letters) if len(letters) > 2 else []
    return " ".join(words) if words and all(map(vocabulary.is_solid, words)) else ""


def without_look_alikes(text: str) -> str:
    """Read letters of other scripts as the Latin ones they look like, in words that mix scripts or make English."""
    if text.isascii():
        return text
    letters = [character for character in text if character.isalpha()]
    latin = sum(map(_is_latin, letters)) / max(len(letters), 1)
    if latin >= 1 / 3 and (_mixes_spaced(text) or any(map(_mixes_scripts, _WORD.findall(text)))):
        latin = _SURELY
    folded = _WORD.sub(lambda match: _folded(match[0], latin), text)
    if latin < 1 / 3:  # perhaps wholly spelt with look-alikes
        guess = _WORD.sub(lambda match: _folded(match[0], 1.0), text)
        return guess if guess.isascii() and load_vocabulary().share(guess) >= 0.8 and len(guess) > 5 else folded
    return folded


def _mixes_spaced(text: str) -> bool:
    """Whether letters of two scripts stand singly side by side."""
    runs = (_WORD.findall(match[0]) for match in _SINGLE_LETTERS.finditer(text))
    return any(0 < sum(map(_is_latin, letters)) < len(letters) for letters in runs)


def _mixes_scripts(word: str) -> bool:
    latin = sum(map(_is_latin, word))
    return 0 < latin < len(word) and not _is_scientific(word) and _folded(word, 0.0) != word


def _folded(word: str, latin: float) -> str:
    """Return a word with its look-alikes read; `latin` is the share of Latin letters in the whole text."""
    if word.isascii() or any(not options for options in map(_readings, word)):
        return word
    options = [_readings(character) for character in word]
    first = "".join(letters[0] for letters in options).lower()
    vocabulary = load_vocabulary()
    known = first if first in vocabulary else vocabulary.best_reading([letters.lower() for letters in options])
    others = [character for character in word if not _is_latin(character)]
    if len(others) == len(word):
        is_symbol = len(word) == 1 and "\u0370" <= word < "\u0400"  # alpha, beta and their like
        least = _SURELY if not known or is_symbol else 1 / 3 if len(word) > 3 else 0.8
        return _cased(known or first, options) if latin >= least else word
    if not others and not any(character in _look_alikes() for character in word):
        return word  # only accents, which are judged with the whole text
    if known or (others and (latin >= _SURELY or not _is_scientific(word))) or _is_small_capitals(word):
        return _cased(known or "".join(letters[0] for letters in options), options)
    return word


def _cased(word: str, options: list[str]) -> str:
    return "".join(
        letter.upper() if letters[0].isupper() else letter for letter, letters in zip(word, options, strict=True)
    )


def _is_scientific(word: str) -> bool:
    """Greek beside a unit or capitals: µg, IFNγ, NFκB."""
    others = [character for character in word if not _is_latin(character)]
    greek = all("\u0370" <= character < "\u0400" or character == "µ" for character in others)
    latin = [character for character in word if _is_latin(character)]
    return greek and (len(word) <= 3 or all(character.isupper() for character in latin))


def _is_small_capitals(word: str) -> bool:
    return 2 * sum("SMALL CAPITAL" in unicodedata.name(character, "") for character in word) > len(word)


def without_accents_for_show(text: str) -> str:
    """Drop accents where English words wear them; other languages and loan words keep theirs."""
    if text.isascii():
        return text
    vocabulary = load_vocabulary()
    bare = _MARKED_WORD.sub(_bare, text)
    changed = [match for match in _MARKED_WORD.finditer(text) if _bare(match) != match[0]]
    dressed = [match[0] for match in changed if _bare(match).lower() in vocabulary]
    most = max((sum(not letter.isascii() for letter in word) for word in dressed), default=0)
    least = 0.6 if len(dressed) > 3 else 0.65  # words that we do not know may be English too
    if 2 * len(dressed) < len(changed) or len(dressed) + most < 3 or vocabulary.share(bare) < least:
        return text
    return bare


def _bare(match: re.Match[str]) -> str:
    return match[0] if match[0].lower() in _LOAN_WORDS else "".join(map(_base, _MARKS.sub("", match[0])))


@lru_cache(maxsize=4096)
def _base(character: str) -> str:
    """Return the Latin letter without its accent or stroke; other characters as they are."""
    if character.isascii() or not _is_latin(character):
        return character
    found = _LATIN_NAME.fullmatch(unicodedata.name(character, ""))
    if not found:
        return character
    return found[1] if character.isupper() else found[1].lower()


def right_way_up(text: str) -> str:
    """Read text written upside down, which runs backwards unless each letter was turned in its place."""
    if text.isascii() or len(_TURNED_ONLY.findall(text)) < 2:
        return text
    turned = "".join(_TURNED.get(character, character) for character in text.lower())
    best = max(turned[::-1], turned, key=load_vocabulary().share)
    return best if load_vocabulary().share(best) >= 0.6 else text


@lru_cache(maxsize=4096)
def _readings(character: str) -> str:
    """Return the Latin letters that a letter may stand for, the likeliest first; none where it is like no other."""
    if character.isascii():
        return character
    alike = _look_alikes().get(character, "")
    base = _base(character)
    return alike or (base if base.isascii() else "")


@cache
def _look_alikes() -> Mapping[str, str]:
    table: dict[str, str] = {}
    try:
        lines = read_text(LOOK_ALIKES_FILE).splitlines()
        for letter, alikes in (line.split() for line in lines if not line.startswith("#")):
            for alike in alikes:
                table[alike] = table.get(alike, "") + letter
    except (ContentError, ValueError) as error:
        raise GuardrailError(f"The letters in {LOOK_ALIKES_FILE} cannot be read.", "Restore the file.") from error
    return table


@lru_cache(maxsize=4096)
def _is_latin(character: str) -> bool:
    return character.isalpha() and (character.isascii() or unicodedata.name(character, "").startswith("LATIN"))
