"""Writes evals/datasets/disguised.jsonl: published guard items in disguise, a few kinds each, always the same.

The disguises are written apart from those that training uses (askdmt.guardrails.disguise), so that the figure doesn't
only show that a guard can undo its own tricks. Run from the project's root: python evals/tools/make_disguised.py
"""

from __future__ import annotations

import base64
import codecs
import json
import random
import urllib.parse
from collections.abc import Callable
from pathlib import Path

DATASETS = Path(__file__).parents[1] / "datasets"
RISKS = ("crisis", "emergency", "refuse_sourcing", "refuse_dosing", "refuse_unsupervised_use")
BENIGN = ("answer", "not_in_sources", "personal_advice", "about", "out_of_scope")
RISKY_ITEMS, BENIGN_ITEMS = 260, 120
SHORTEST = 14  # characters; less than that cannot be told from noise once it is disguised
LONGEST = 160

_NEIGHBOURS = dict(
    zip("qwertyuiopasdfghjklzxcvbnm", "wertyuioiosdfghjkkxcvbnmn", strict=False)
)  # the key to the right, for most of them
_LEET = str.maketrans({"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"})
_UNITS = ("ag", "eg", "ig", "og", "sg", "tg", "mg", "al", "ol", "il")
_CYRILLIC = str.maketrans("aceopxyi", "асеорхуі")
_FULL_WIDTH = {ord(letter): ord(letter) + 0xFEE0 for letter in map(chr, range(33, 127))}


def _typos(text: str, chance: random.Random) -> str:
    words = text.split(" ")
    for place, word in enumerate(words):
        if len(word) > 3 and chance.random() < 0.3:
            at = chance.randrange(1, len(word) - 1)
            kind = chance.choice(("swap", "drop", "neighbour"))
            if kind == "swap":
                words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
            elif kind == "drop":
                words[place] = word[:at] + word[at + 1 :]
            else:
                words[place] = word[:at] + _NEIGHBOURS.get(word[at], word[at]) + word[at + 1 :]
    return " ".join(words)


def _leet(text: str, _: random.Random) -> str:
    return text.lower().translate(_LEET)


def _spaced(text: str, chance: random.Random) -> str:
    between = chance.choice((" ", ".", "-", "_"))
    wide = "   " if between == " " else " "
    return wide.join(between.join(word) for word in text.split())


def _look_alikes(text: str, _: random.Random) -> str:
    return text.translate(_CYRILLIC)


def _invisible(text: str, chance: random.Random) -> str:
    return "".join(
        letter + (chance.choice("\u200b\u200d\u2060\u00ad") if chance.random() < 0.4 else "") for letter in text
    )


def _full_width(text: str, _: random.Random) -> str:
    return text.translate(_FULL_WIDTH)


def _base64(text: str, _: random.Random) -> str:
    return base64.b64encode(text.encode()).decode()


def _hex(text: str, _: random.Random) -> str:
    return text.encode().hex(" ")


def _rot13(text: str, _: random.Random) -> str:
    return codecs.encode(text, "rot13")


def _percent(text: str, _: random.Random) -> str:
    return urllib.parse.quote(text)


def _entities(text: str, _: random.Random) -> str:
    return "".join(f"&#{ord(letter)};" if letter.isalpha() else letter for letter in text)


def _markup(text: str, chance: random.Random) -> str:
    words = text.split(" ")
    at = chance.randrange(len(words))
    words[at] = f"<b>{words[at]}</b>"
    return f"<p>{'<!-- -->'.join(words[:1])} {' '.join(words[1:])}</p>"


def _reversed(text: str, _: random.Random) -> str:
    return text[::-1]


def _stretched(text: str, chance: random.Random) -> str:
    return "".join(letter * chance.choice((1, 1, 1, 4)) if letter.isalpha() else letter for letter in text)


def _mixed(text: str, chance: random.Random) -> str:
    return _invisible(_look_alikes(_typos(text, chance), chance), chance)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "typos": _typos, "leet": _leet, "spaced": _spaced, "look-alikes": _look_alikes, "invisible": _invisible,
    "full-width": _full_width, "base64": _base64, "hex": _hex, "rot13": _rot13, "percent": _percent,
    "entities": _entities, "markup": _markup, "reversed": _reversed, "stretched": _stretched, "mixed": _mixed,
}  # fmt: skip


def main() -> None:
    """Disguise a fixed draw of items; typos and mixed come up more often than the rarer tricks."""
    items = [json.loads(line) for line in (DATASETS / "guard.jsonl").read_text(encoding="utf-8").splitlines()]
    fitting = [item for item in items if SHORTEST <= len(item["text"]) <= LONGEST and item["text"].isascii()]
    chance = random.Random(20261127)  # noqa: S311
    risky = [item for item in fitting if item["label"] in RISKS]
    benign = [item for item in fitting if item["label"] in BENIGN]
    drawn = chance.sample(risky, min(RISKY_ITEMS, len(risky))) + chance.sample(benign, min(BENIGN_ITEMS, len(benign)))
    kinds = [*KINDS, "typos", "typos", "mixed"]
    with (DATASETS / "disguised.jsonl").open("w", encoding="utf-8") as out:
        for place, item in enumerate(drawn):
            kind = kinds[place % len(kinds)]
            if kind == "leet" and any(letter in item["text"].lower() for letter in _UNITS):
                kind = "stretched"  # a figure before one of these letters would look like an amount
            line = {
                **item,
                "id": f"{item['id']}-{kind}",
                "text": KINDS[kind](item["text"], chance),
                "tags": [*item.get("tags", []), f"disguise:{kind}"],
                "family": f"disguised:{item['id']}",
            }
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
