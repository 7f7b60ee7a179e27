"""Disguises of whole passages: markup and escapes, base64 and its like, Morse, shifted and backward letters."""

from __future__ import annotations

import base64
import codecs
import html
import re
import urllib.parse
from collections.abc import Callable
from itertools import pairwise

from askdmt.guardrails.characters import without_invisible_characters, without_look_alikes
from askdmt.guardrails.leet import without_leet
from askdmt.guardrails.vocabulary import load_pairs, load_vocabulary

_INLINE = "a|abbr|b|bdo|big|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strike|strong|sub|sup|tt|u|wbr|x"
_BLOCK = (
    "article|blockquote|body|br|button|center|div|dl|dd|dt|form|h[1-6]|head|header|hr|html|iframe|img|input|label|li|link|main|meta"
    "|nav|object|ol|option|p|pre|script|section|select|style|svg|table|tbody|td|textarea|th|thead|title|tr|ul|video"
)
_COMMENT_IN_WORD = re.compile(r"(?<=\w)(?:<!--[^<>]{0,500}-->|/\*[^*]{0,200}\*/)(?=\w)")
_COMMENT_MARK = re.compile(r"<!--|-->|<!\[CDATA\[|\]\]>")
_INLINE_TAG = re.compile(
    rf"</?(?:{_INLINE})(?:[\s/][^<>]{{0,300}})?>|\[/?(?:b|i|u|s|color|size)(?:=[^\[\]]{{0,50}})?\]", re.I
)
_BLOCK_TAG = re.compile(rf"</?(?:{_BLOCK})(?:[\s/][^<>]{{0,300}})?>", re.I)
_LATEX = re.compile(r"\\(?:text(?:bf|it|tt|rm)?|emph|math(?:rm|bf|it))\{([^{}]{0,300})\}")
_COLOUR = re.compile(r"(?:\x1b|\\x1b|\\033)\[[\d;]{0,12}m")
_AMPERSANDS = re.compile(r"&(?:(?:amp|#0{0,5}38|#x0{0,5}26);)+(?=#?\w{1,10};)", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,10}\d{0,2});", re.I)
_PERCENTS = re.compile(r"%(?:25)+(?=[0-9a-f]{2})", re.I)
_ESCAPED = re.compile(r"(?:^|[A-Za-z]|%[0-9a-f]{2})%[0-9a-f]{2}", re.I)
_ESCAPE = re.compile(
    r"\\u\{([0-9a-f]{1,6})\}|\\{1,3}u([0-9a-f]{4})|\\{1,3}x([0-9a-f]{2})|(?<!\w)U\+([0-9a-f]{4,6})[ ,]?", re.I
)
_LETTERS_IN_BRACKETS = re.compile(r"(?:[\[({<][^\W\d_][\])}>]){4,}")
_IN_BRACKETS = re.compile(r"[\[({<](\w)[\])}>]")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_TOKEN = re.compile(r"\S+")

_BASE64 = re.compile(
    r"(?<![\w+/=@.-])(?:[A-Za-z0-9+/_-]{7,}(?:\n[A-Za-z0-9+/_-]{4,})*={0,2}|[A-Za-z0-9+/_-]{6}==)(?![\w+/=@-])"
)
_BASE32 = re.compile(r"(?<![\w=])[A-Z2-7]{7,}={0,6}(?![\w=])")
_HEX = re.compile(r"(?<!\w)(?:0x)?[0-9a-f]{2}(?:[\s:,-]{0,2}(?:0x|\\x)?[0-9a-f]{2}){3,}(?!\w)", re.I)
_BINARY = re.compile(r"(?<!\d)[01]{8}(?:[\s,]?[01]{8}){2,}(?!\d)")
_DECIMAL = re.compile(r"(?<![\d:./-])1?\d{2}(?:[\s,;]{1,2}1?\d{2}){3,}(?!\d)")
_PLACES = re.compile(r"(?<![\d.:/-])\d{1,2}(?:-\d{1,2})+(?:[ /]{1,3}\d{1,2}(?:-\d{1,2})*)*(?![\d:/-])")
_OCTAL = re.compile(r"(?:\\1?[0-7]{2}){3,}")
_MORSE_RUN = re.compile(
    r"(?<![\w.\-])[.\-·•–—−_]{1,6}(?:(?:[ ]{1,7}|[ ]{0,3}[/|][ ]{0,3}|\n)[.\-·•–—−_]{1,6}){2,}(?![\w.\-])"
)
_MORSE_SIGNS = str.maketrans("·•–—−_", "..----")
_MORSE = dict(
    zip(
        ".- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --.. "
        "----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. .-.-.- --..-- ..--.. -.-.-- .----. -....- -..-. "
        "---... -.--. -.--.- .-..-.".split(),
        "abcdefghijklmnopqrstuvwxyz0123456789.,?!'-/:()\"",
        strict=True,
    )
)
_BRAILLE = str.maketrans("⠁⠃⠉⠙⠑⠋⠛⠓⠊⠚⠅⠇⠍⠝⠕⠏⠟⠗⠎⠞⠥⠧⠺⠭⠽⠵⠀", "abcdefghijklmnopqrstuvwxyz ")
_MORSE_BY_CHANCE = 4  # different letters that rows of dots and dashes may spell
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"

_PASSAGE = re.compile(r"[^\n:;\"“”]+")
_PARTS = re.compile(r"[A-Za-z]+")
_LETTERS = re.compile(r"[A-Za-z']+")
_STARTERS = frozenset(
    "how what where when why who can is do does did should i my if are could would the a hi tell".split()
)
_SAMPLE = 240  # characters that show well enough how a passage is written
_LONGER_SAMPLE = 1000
_SIGNS_OF_DIRECTION = (
    (re.compile(r"\w[,.?!:;](?=\s|$)"), 1),
    (re.compile(r"(?:^|(?<=\s))[,.?!:;](?=\w)"), -1),
    (re.compile(r"[.?!]\s+[A-Z]"), 1),
    (re.compile(r"[.?!]\s+[a-z]|[.?!,]\w"), -1),
    (re.compile(r"[.?!]$"), 1),
    (re.compile(r"\b[A-Za-z]+'(?:s|t|d|m|ll|re|ve)\b"), 1),
    (re.compile(r"\b(?:s|t|d|m|ll|re|ve)'[A-Za-z]"), -1),
)
_ENOUGH = 0.7  # share of a passage in known words from which it is language
_SAFELY_MORE = 0.3
_ENOUGH_LETTERS_TO_SHIFT = 8
_MOST_PASSAGES = 40  # looked at one by one for shifted letters
_SURELY = 0.8  # share from which some words within a passage are language
_ENOUGH_LETTERS_IN_A_STRETCH = 6
_MANY_LETTERS = 20


def without_markup(text: str) -> str:
    """Read HTML entities, URL and string escapes; drop tags and comments."""
    text = _COLOUR.sub("", text)
    if _LETTERS_IN_BRACKETS.search(text):
        text = _IN_BRACKETS.sub(r"\1", text)
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), _AMPERSANDS.sub("&", text))
    if "%" in text:
        text = _TOKEN.sub(_unquoted, text)
    if "\\" in text or "U+" in text:
        text = _LATEX.sub(r"\1", _SURROGATES.sub(_paired, _ESCAPE.sub(_unescaped, text)))
    if "<" in text or "[" in text or "*/" in text:
        text = _BLOCK_TAG.sub(" ", _INLINE_TAG.sub("", _COMMENT_MARK.sub(" ", _COMMENT_IN_WORD.sub("", text))))
    return text


def _unquoted(match: re.Match[str]) -> str:
    token = _PERCENTS.sub("%", match[0])
    if "://" in token or token.startswith("www.") or not _ESCAPED.search(token):
        return match[0]
    plain = urllib.parse.unquote_plus(token, errors="replace")
    return match[0] if "\ufffd" in plain or not plain.replace("\n", " ").isprintable() else plain


def _unescaped(match: re.Match[str]) -> str:
    code = int(next(filter(None, match.groups())), 16)
    return chr(code) if 0x20 <= code < 0x110000 else " "


def _paired(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


def without_encodings(text: str) -> str:
    """Read base64, base32, hexadecimal, binary, character codes, Morse and Braille where they hold language."""
    for pattern, decode in _DECODERS:
        text = pattern.sub(lambda match, decode=decode: _if_language(match[0], decode), text)  # type: ignore[misc]
    return text if text.isascii() else text.translate(_BRAILLE)


def _if_language(encoded: str, decode: Callable[[str], str]) -> str:
    try:
        plain = decode(encoded).strip()
    except (ValueError, LookupError, OverflowError):  # binascii.Error and UnicodeDecodeError are ValueErrors
        return encoded
    return f" {plain} " if _is_text(plain) else encoded


def _is_text(plain: str) -> bool:
    """Whether what was decoded is text: known words, perhaps disguised again, or longer than chance makes readable."""
    sample = without_markup(without_invisible_characters(plain[:_SAMPLE])).replace("\n", " ")
    if len(sample) < 3 or not sample.isprintable():
        return False
    readings = (sample, sample[::-1], codecs.decode(sample, "rot13"), without_leet(sample), without_look_alikes(sample))
    if max(map(_share, readings)) >= _ENOUGH:
        return True
    letters = sum(character.isalpha() or character == " " for character in sample)
    return len(sample) > 19 or (len(sample) > 11 and letters >= 0.85 * len(sample))


def _share(text: str) -> float:
    return load_vocabulary().share(text)


def _from_base64(token: str) -> str:
    if (token.isalpha() and (token.islower() or token.istitle())) or token.isdigit():
        raise ValueError("an ordinary word")
    bare = token.rstrip("=").replace("-", "+").replace("_", "/").replace("\n", "")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode("utf-8")


def _from_base32(token: str) -> str:
    bare = token.rstrip("=")
    return base64.b32decode(bare + "=" * (-len(bare) % 8)).decode("utf-8")


def _from_hex(run: str) -> str:
    return bytes.fromhex(re.sub(r"0x|\\x|[\s:,-]", "", run, flags=re.I)).decode("utf-8")


def _from_binary(run: str) -> str:
    return bytes(int(bits, 2) for bits in re.findall(r"[01]{8}", run)).decode("utf-8")


def _from_decimal(run: str) -> str:
    return _only_language(bytes(int(code) for code in re.findall(r"\d+", run)).decode("ascii"))


def _from_octal(run: str) -> str:
    return bytes(int(code, 8) for code in run.split("\\")[1:]).decode("utf-8")


def _from_morse(run: str) -> str:
    words = re.split(r"\s*[/|]\s*| {2,}|\n", run.translate(_MORSE_SIGNS).strip())
    plain = " ".join("".join(_MORSE[sign] for sign in word.split()) for word in words if word.strip())
    return plain if len(set(plain)) > _MORSE_BY_CHANCE else _only_language(plain)


def _from_places(run: str) -> str:
    """Read the numbers of letters in the alphabet: 8-15-23 is 'how'."""
    if len(re.findall(r"\d+", run)) < _ENOUGH_LETTERS_IN_A_STRETCH:
        raise ValueError("a date or a range")
    words = [[f" {_ALPHABET}"[int(place)] for place in word.split("-")] for word in re.split(r"[ /]+", run)]
    return _only_language(" ".join(map("".join, words)))


def _only_language(plain: str) -> str:
    """Return a decoding that chance can make readable, where it is made of words, or half of it in a longer one."""
    if max(_share(plain), _share(plain[::-1])) < (0.5 if len(plain) > _MANY_LETTERS else _ENOUGH):
        raise ValueError("not language")
    return plain


_DECODERS: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (_BINARY, _from_binary),
    (_HEX, _from_hex),
    (_DECIMAL, _from_decimal),
    (_PLACES, _from_places),
    (_OCTAL, _from_octal),
    (_BASE32, _from_base32),
    (_BASE64, _from_base64),
    (_MORSE_RUN, _from_morse),
)


def with_alphabet_in_order(text: str) -> str:
    """Read shifted, mirrored and backward letters where that makes language and the text itself does not."""
    passages = _PASSAGE.sub(_passage_in_order, text, count=_MOST_PASSAGES)
    readings = [reading for reading in (_in_order(text), passages, _stretches_in_order(text)) if reading != text]
    return max(readings, key=lambda reading: round(_share(reading), 1), default=text)


def _stretches_in_order(text: str) -> str:
    """Read the stretches of unknown words within a text; between two of them a short known word may stand."""
    pieces: list[str] = []
    done = 0
    for start, end in _unknown_stretches(text)[:_MOST_PASSAGES]:
        pieces += [text[done:start], _in_order(text[start:end], _SURELY)]
        done = end
    return "".join([*pieces, text[done:]])


def _unknown_stretches(text: str) -> list[tuple[int, int]]:
    stretches: list[tuple[int, int]] = []
    since = len(text)  # where the last unknown word ended
    for match in _LETTERS.finditer(text):
        if _share(match[0]) == 1.0:
            continue
        start, end = match.span()
        between = text[since:start].strip()
        if stretches and len(between) < 4 and len(between.split()) < 2:
            stretches[-1] = stretches[-1][0], end
        else:
            stretches.append((start, end))
        since = end
    return [(start, end) for start, end in stretches if end - start >= _ENOUGH_LETTERS_IN_A_STRETCH]


def _passage_in_order(match: re.Match[str]) -> str:
    bare = match[0].strip()
    return match[0].replace(bare, _in_order(bare)) if bare else match[0]


def _in_order(passage: str, least: float = _ENOUGH) -> str:
    sample = passage[:_SAMPLE]
    words = _LETTERS.findall(sample)
    if sum(map(len, words)) < max(5, len(sample) // 3) or len("".join(set(words))) < 5:
        return passage
    here = _share(without_leet(sample))
    if here >= 1 - _SAFELY_MORE:
        return passage
    letters = sum(map(len, set(words)))
    is_short = letters < _ENOUGH_LETTERS_TO_SHIFT or (least > _ENOUGH and letters < 1.5 * _ENOUGH_LETTERS_TO_SHIFT)
    readings = [*_BACKWARD, *(_SHIFTS[:1] if is_short else _SHIFTS)]
    if len(words) > 2 and all(word.lower().endswith("ay") for word in words):
        readings.append(_from_pig_latin)
    shares = [_share(without_leet(read(sample))) for read in readings]
    best = max(
        range(len(shares)),
        key=lambda place: (round(shares[place], 1), _forwardness(readings[place](passage[:_LONGER_SAMPLE])), -place),
    )
    least = _ENOUGH if letters > _MANY_LETTERS else least
    enough = max(1.0 if is_short or len(words) < 3 else least, here + _SAFELY_MORE)
    return readings[best](passage) if shares[best] >= enough else passage


def _forwardness(text: str) -> int:
    """Return how much more a text runs forwards than backwards: common pairs of words, and signs after words."""
    text = text[:_LONGER_SAMPLE]
    pairs = list(pairwise(_LETTERS.findall(text.lower())))
    known = load_pairs()
    forwards = sum(pair in known for pair in pairs)
    backwards = sum(pair[::-1] in known for pair in pairs)
    words = _LETTERS.findall(text.lower()) or [""]
    starts = (words[0] in _STARTERS) - (words[-1] in _STARTERS)
    signs = sum(value * len(pattern.findall(text)) for pattern, value in _SIGNS_OF_DIRECTION)
    return 2 * (forwards - backwards) + starts + signs


def _backwards(text: str) -> str:
    return text[::-1]


def _words_backwards(text: str) -> str:
    return _LETTERS.sub(lambda match: match[0][::-1], text)


def _parts_backwards(text: str) -> str:
    return _PARTS.sub(lambda match: match[0][::-1], text)


def _tokens_backwards(text: str) -> str:
    return _TOKEN.sub(lambda match: match[0][::-1], text)


def _from_pig_latin(text: str) -> str:
    """Read 'owhay' as 'how': the consonants before 'ay' go to the front, or a 'w' before it goes."""
    return _PARTS.sub(lambda match: _from_pig_word(match[0].lower()), text)


def _from_pig_word(word: str) -> str:
    stem = word.removesuffix("ay")
    turned = [stem[-moved:] + stem[:-moved] for moved in range(1, min(len(stem), 4))]
    costs = {way: load_vocabulary().cost(way) for way in (*turned, stem.removesuffix("w"), stem.removesuffix("y"))}
    known = {way: cost for way, cost in costs.items() if cost is not None}
    return min(known, key=known.__getitem__, default=turned[0] if turned else word)


def _shifted(by: int) -> Callable[[str], str]:
    turned = _ALPHABET[by:] + _ALPHABET[:by]
    return _substituted(turned)


def _substituted(turned: str) -> Callable[[str], str]:
    table = str.maketrans(_ALPHABET + _ALPHABET.upper(), turned + turned.upper())
    return lambda text: text.translate(table)


_BACKWARD: tuple[Callable[[str], str], ...] = (_backwards, _words_backwards, _parts_backwards, _tokens_backwards)
_SHIFTS: tuple[Callable[[str], str], ...] = (
    _shifted(13),
    _substituted(_ALPHABET[::-1]),
    *(_shifted(by) for by in range(1, 26) if by != 13),
)
