"""What a sentence states that can be looked up word for word: numbers with their units, dates, shares, names.

Numbers are compared in digits however they are written, times in days: "seven days" is borne out by "a week", "fewer
than forty" by 34. Where words alone cannot tell, nothing is held against a sentence: that is for the trained check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from askdmt.errors import ContentError, GuardrailError
from askdmt.guardrails.vocabulary import load_vocabulary
from askdmt.knowledge.lexical import stems
from askdmt.resources import GUARDRAIL_DATA, read_yaml
from askdmt.sentences import split_sentences

FILE = GUARDRAIL_DATA / "particulars.yaml"
_NEAR = 0.1  # a month is about four weeks: so far may two lengths of time differ and be the same
_NEAR_SHARE = 0.05  # 88 per cent are nearly nine in ten
_BOUNDS = ("below", "above", "at_least", "at_most")
_STRICT = ("below", "above")
_MOST = frozenset(("most", "mostly", "majority", "minority", "few"))  # what may bear out "more than half"
_MOST_OF_A_UNIT = 60  # "within days" is borne out by a week, "within seconds" not by an hour
_SUBJECT = "dmt"
_PREFIX = 4  # letters by which "Brazilian" is known from "Brazil"
_ACRONYM = 4  # letters up to which a name is written in capitals
_ENDINGS = ("s", "ing", "ed", "ly", "er", "ity", "ness")
_COUNTED = 3  # up to this a number may be counted from the passage ("DMT or placebo": two groups)
_LOOSE = 0.25  # so far "about 30" may be from what it is about
_DIGITS = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_YEAR = range(1850, 2100)
_FRACTIONS = {"half": 2, "third": 3, "3rd": 3, "quarter": 4, "fifth": 5, "5th": 5, "tenth": 10, "10th": 10}
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_WORD = re.compile(r"[^\W_]+(?:[.,'’-][^\W_]+)*")
_NAME = re.compile(r"(?:[A-Z]|\d+-?[A-Z])")
_NEGATED = re.compile(r"n['’]t\b", re.IGNORECASE)


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    same: list[list[str]]
    substances: list[str]
    never_shortened: list[str]
    no_names: list[str]
    time_units: dict[str, float]
    months: list[str]
    magnitudes: list[str]
    idioms: list[str]
    bounds: dict[str, list[str]]
    negations: list[str]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number; `unit` is "time" (then in days), "share" (0 to 1), "phase" or empty, `sense` a bound or empty."""

    value: float
    unit: str
    sense: str = ""
    written: float = 0.0  # the number as it stood before its unit, where it had one

    def is_borne_out_by(self, others: Iterable[Quantity]) -> bool:
        """Whether one of a passage's quantities makes it true."""
        return any(self._follows_from(other) for other in others)

    def _follows_from(self, other: Quantity) -> bool:
        if other.unit != self.unit:
            return not other.unit and bool(self.written) and other.value == self.written  # "at one week and at two"
        apart = abs(self.value - other.value)
        if self.sense in _STRICT and apart < 1e-9:
            return other.sense in (self.sense, "about")
        if self.sense not in _STRICT and apart <= self._tolerance(other) * max(self.value, other.value) + 1e-9:
            return True
        if self.sense in ("below", "at_most"):
            return other.value < self.value and other.sense not in ("above", "at_least")
        if self.sense in ("above", "at_least"):
            return other.value > self.value and other.sense not in ("below", "at_most")
        return False

    def _tolerance(self, other: Quantity) -> float:
        if "about" in (self.sense, other.sense):
            return _LOOSE
        if self.unit == "share":
            return _NEAR_SHARE
        return _NEAR if self.unit == "time" and self.written != other.written else 0.0


@dataclass(frozen=True)
class Particulars:
    """All that one text, or several, state."""

    text: str

    @cached_property
    def digits(self) -> str:
        """The text in small letters, its numbers in digits, without idioms and citations."""
        patterns = _patterns()
        text = patterns.halves.sub(r"0.5 \1", patterns.idioms.sub(" ", self.text))
        return in_digits(patterns.single.sub(r"1 \1", text))

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Its numbers, apart from ordinals."""
        return tuple(self._quantities())

    def _quantities(self) -> Iterator[Quantity]:
        patterns = _patterns()
        for found in patterns.phase.finditer(self.digits):
            yield Quantity(float(_ROMAN.get(found[1], found[1])), "phase")
        rest = patterns.phase.sub(" ", self.digits)
        for found in patterns.fraction.finditer(rest):
            parts = float(found[1]) if found[1] and found[1].isdigit() else 1.0
            yield Quantity(parts / _FRACTIONS[found[2]], "share", self._sense(rest, found))
        rest = patterns.fraction.sub(" ", rest)
        for found in patterns.ratio.finditer(rest):
            yield Quantity(float(found[1]) / float(found[2]), "share", self._sense(rest, found))
        rest = patterns.ratio.sub(" ", rest)
        for found in patterns.numbers.finditer(rest):
            word = found["unit"] or found["before"] or ""
            for number in re.findall(_DIGITS, found["numbers"]):
                value = float(number.replace(",", ""))
                yield Quantity(value, "") if value in _YEAR else self._quantity(value, word, self._sense(rest, found))

    def _quantity(self, value: float, word: str, sense: str) -> Quantity:
        singular = word.rstrip("s")
        if singular in _data().time_units:
            return Quantity(value * _data().time_units[singular], "time", sense, value)
        return Quantity(value / 100, "share", sense) if word else Quantity(value, "", sense)

    def _sense(self, text: str, found: re.Match[str]) -> str:
        if re.search(r"\d(?:st|nd|rd|th)$", found["numbers"] if "numbers" in found.re.groupindex else ""):
            return "ordinal"
        before, after = text[max(0, found.start() - 40) : found.start()], text[found.end() : found.end() + 20]
        if re.match(r"\s*(?:or|and) (?:more|over|above)\b", after):
            return "at_least"
        if re.match(r"\s*or (?:so|thereabouts)\b", after):
            return "about"
        if re.match(r"\s*or (?:less|fewer|under)\b", after):
            return "at_most"
        bound = _patterns().bound.search(before)
        return next((name for name, words in _data().bounds.items() if bound and bound[1] in words), "")

    @cached_property
    def times(self) -> tuple[Quantity, ...]:
        """Lengths of time a passage names, each unit by itself in the singular counted as one of it."""
        single = [Quantity(_data().time_units[word], "time") for word in _patterns().one_unit.findall(self.digits)]
        years = [item.value for item in self.quantities if _is_year(item)]
        between = [Quantity((last - first) * 365.0, "time") for first in years for last in years if first < last]
        return (*(item for item in self.quantities if item.unit in ("time", "")), *single, *between)

    @cached_property
    def units(self) -> frozenset[str]:
        """Units of time that stand without a number: "within days"."""
        return frozenset(_patterns().units.findall(_patterns().numbers.sub(" ", self.digits)))

    @cached_property
    def shares(self) -> tuple[Quantity, ...]:
        """Fractions, percentages and the ratios of its counts."""
        counts = [item.value for item in self.counts if item.value and not _is_year(item)]
        ratios = [Quantity(first / second, "share") for first in counts for second in counts if first < second]
        ratios += [Quantity(0.5, "share")] if len(counts) > len(set(counts)) else []
        return (*(item for item in self.quantities if item.unit == "share"), *ratios)

    @cached_property
    def counts(self) -> tuple[Quantity, ...]:
        """Its numbers without a unit."""
        return tuple(item for item in self.quantities if not item.unit)

    @cached_property
    def reckoned(self) -> tuple[Quantity, ...]:
        """Sums and differences of two of its counts."""
        values = {item.value for item in self.counts}
        values |= {item.written for item in self.quantities if item.unit == "time"}
        return tuple(Quantity(value, "") for a in values for b in values for value in (a + b, a - b))

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words in small letters, with their parts, and the stems of all but the commonest."""
        found = {word.lower().replace("’", "'") for word in _WORD.findall(self.text)}
        found |= {part for word in found for part in re.split(r"[-'.,]", word) if part}
        return frozenset(found | set(stems(self.text)))

    @cached_property
    def lower(self) -> str:
        """The text in small letters, its white space single."""
        return " ".join(self.text.lower().replace("’", "'").split())

    @cached_property
    def things(self) -> frozenset[int]:
        """Which of the known things it names, by their place in the data."""
        small, capital = _patterns().small_things, _patterns().capital_things
        found = {_place_of(match[0]) for match in small.finditer(self.lower)}
        return frozenset(found | {_place_of(match[0]) for match in capital.finditer(self.text)})

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Words with a capital that are no ordinary words at the start of a sentence."""
        names = []
        for sentence in re.split(r"(?<=[.!?:])\s+", self.text):
            for place, word in enumerate(_WORD.findall(sentence)):
                plain = re.sub(r"['’]s?$", "", word)
                if place == 0 and _is_ordinary(plain):
                    continue
                names += [part for part in (plain.split("-") if plain[-1].islower() else [plain]) if _NAME.match(part)]
        return tuple(name for name in names if name.lower() not in _data().no_names)

    @cached_property
    def negations(self) -> int:
        """How many negations it has; "no more than" is none."""
        words = [word.lower() for word in _WORD.findall(_patterns().no_more.sub(" ", self.text))]
        return sum(word in _data().negations for word in words) + len(_NEGATED.findall(self.text))


def in_digits(text: str) -> str:
    """Return a text in small letters, its numbers in digits, with plain apostrophes."""
    from text_to_num import alpha2digit

    return str(alpha2digit(text, "en", threshold=0)).lower().replace("’", "'")


def not_borne_out(sentence: str, passages: Sequence[str]) -> tuple[str, ...]:
    """Return what of a sentence its passages do not have: of "number", "unit", "date", "name" and "negation"."""
    said, given = Particulars(sentence), Particulars("\n".join(passages))
    tests = {
        "number": _numbers_differ(said, given),
        "unit": _units_differ(said, given),
        "date": _dates_differ(said, given),
        "name": _names_differ(said, given),
        "negation": _negation_differs(said, passages),
    }
    return tuple(reason for reason, holds in tests.items() if holds)


def _numbers_differ(said: Particulars, given: Particulars) -> bool:
    magnitudes = {word for word in _data().magnitudes if word in said.words}
    if not magnitudes <= given.words:
        return True
    for quantity in said.quantities:
        if quantity.unit == "phase":
            borne_out = quantity.is_borne_out_by(given.quantities)
        elif quantity.unit == "share":
            is_half = quantity.value == 0.5 and "half" in said.words
            borne_out = (is_half and bool(_MOST & given.words)) or _is_borne_out(quantity, said, given.shares)
        elif quantity.unit or _is_year(quantity) or quantity.value <= _COUNTED:
            continue
        else:
            counts = [item for item in given.counts if not _is_year(item)]
            known = counts if quantity.sense in _BOUNDS else [*given.counts, *given.reckoned]
            borne_out = _is_borne_out(quantity, said, known)
        if not borne_out:
            return True
    return False


def _is_borne_out(quantity: Quantity, said: Particulars, given: Sequence[Quantity]) -> bool:
    """Whether a passage's quantities bear one out; a negation may turn its bound round: "nobody scored above sixty"."""
    if quantity.is_borne_out_by(given):
        return True
    return bool(said.negations) and quantity.sense in _STRICT and replace(quantity, sense="").is_borne_out_by(given)


def _units_differ(said: Particulars, given: Particulars) -> bool:
    """Whether a length of time is not the passage's."""
    lengths = [item for item in said.quantities if item.unit == "time" and item.sense != "ordinal"]
    if any(not _is_borne_out(item, said, given.times) for item in lengths):
        return True
    return not said.negations and any(not _unit_is_borne_out(unit, given) for unit in said.units)


def _unit_is_borne_out(unit: str, given: Particulars) -> bool:
    days = _data().time_units[unit]
    lengths = [item.value / days for item in given.times if item.unit == "time"]
    return unit in given.units or any(1 <= length * (1 + _NEAR) <= _MOST_OF_A_UNIT for length in lengths)


def _dates_differ(said: Particulars, given: Particulars) -> bool:
    years = {item.value for item in said.quantities if _is_year(item)}
    known = {item.value for item in (*given.counts, *given.reckoned)}
    months = {month for month in _data().months if month in said.words}
    return not years <= known or not months <= given.words


def _is_year(quantity: Quantity) -> bool:
    return not quantity.unit and not quantity.sense and quantity.value in _YEAR


def _names_differ(said: Particulars, given: Particulars) -> bool:
    new = said.things - given.things
    if not any(_is_substance(place) for place in given.things):
        new -= {_place_of(_SUBJECT)}  # a passage on "the drug" is about the one that all of them are about
    if new:
        return True
    if any(not _is_known_name(name.lower(), said, given) for name in said.names):
        return True
    return any(
        name in given.lower and name not in said.lower and re.search(rf"\b{name.split()[0].title()}\b", said.text)
        for name in _data().never_shortened
    )


def _is_known_name(name: str, said: Particulars, given: Particulars) -> bool:
    if name in given.words or name.rstrip("s") in given.words or set(stems(name)) <= given.words:
        return True
    if any(name.rstrip("s") in other or other.rstrip("s") in name for other in _names_of(said.things)):
        return True
    return len(name) > _PREFIX and any(other.lower().startswith(name[:_PREFIX]) for other in given.names)


def _names_of(places: Iterable[int]) -> list[str]:
    return [name for place in places for name in _data().same[place]]


def _negation_differs(said: Particulars, passages: Sequence[str]) -> bool:
    """Whether a sentence says what a passage's sentence says, word for word, but for a negation."""
    words = _without_negations(said)
    return any(
        words == _without_negations(given) and (said.negations - given.negations) % 2 == 1
        for given in map(Particulars, (line for passage in passages for line in split_sentences(passage)))
    )


def _without_negations(particulars: Particulars) -> list[str]:
    text = _NEGATED.sub("", particulars.lower).replace("cannot", "can")
    return [word for word in _WORD.findall(text) if word not in (*_data().negations, "do", "does", "did")]


def _is_ordinary(word: str) -> bool:
    """Whether a word at the start of a sentence would have a small letter elsewhere."""
    if word[1:].isupper() or any(map(str.isdigit, word)):
        return False
    parts = word.lower().split("-")
    return all(part in load_vocabulary() or part.endswith(_ENDINGS) for part in parts)


def _is_substance(place: int) -> bool:
    """Whether a thing is named in small letters too; "US" is not, since "us" is something else."""
    return _data().same[place][0] in _data().substances


@cache
def _places() -> dict[str, int]:
    return {name: place for place, names in enumerate(_data().same) for name in names}


def _place_of(name: str) -> int:
    plain = name.lower()
    return _places()[plain if plain in _places() else plain.removesuffix("s")]


@dataclass(frozen=True)
class _Patterns:
    idioms: re.Pattern[str]
    halves: re.Pattern[str]
    single: re.Pattern[str]
    numbers: re.Pattern[str]
    units: re.Pattern[str]
    one_unit: re.Pattern[str]
    phase: re.Pattern[str]
    fraction: re.Pattern[str]
    ratio: re.Pattern[str]
    bound: re.Pattern[str]
    no_more: re.Pattern[str]
    small_things: re.Pattern[str]
    capital_things: re.Pattern[str]


@cache
def _data() -> _Data:
    """Read the file.

    Raises:
        GuardrailError: it is missing or does not fit.
    """
    try:
        raw: Any = read_yaml(FILE)
        return _Data.model_validate(raw)
    except (ContentError, ValidationError) as error:
        raise GuardrailError(f"{FILE} cannot be used.", "Restore the file.") from error


@cache
def _patterns() -> _Patterns:
    data = _data()
    units = "|".join(data.time_units)
    bounds = sorted((word for words in data.bounds.values() for word in words), key=len, reverse=True)
    number = rf"(?<![\w.,-])(?:{_DIGITS})(?:(?:st|nd|rd|th)(?=[\s-](?:{units})))?(?!\w|-?(?:ht|meo))"  # "the 6th month"
    several = rf"{number}(?:(?:\s*(?:,|–|-|to|and|or)\s*)+(?:{_DIGITS})(?!\w))*"
    unit = rf"(?:{units})s?\b|%|per ?cent\b|percentage points?\b"
    small = sorted((name for names in data.same if names[0] in data.substances for name in names), key=len)
    capital = sorted((name for names in data.same if names[0] not in data.substances for name in names), key=len)
    written = [name.upper() if len(name) <= _ACRONYM else _titled(name) for name in capital]
    return _Patterns(
        re.compile(rf"\b(?:{'|'.join(data.idioms)})\b|\[\d[\d,\s–-]*\]", re.IGNORECASE),
        re.compile(rf"\b(?:a )?half[\s-](?:an? )?({units})\b", re.IGNORECASE),
        re.compile(rf"\b(?:a|an|single|one)(?: single)? ({units})\b(?!s)", re.IGNORECASE),
        re.compile(rf"(?:\b(?P<before>{units})s? )?(?P<numbers>{several})(?:[\s-]*(?P<unit>{unit}))?"),
        re.compile(rf"\b({units})s\b"),
        re.compile(rf"\b({units})\b"),
        re.compile(r"\bphase[\s-]+(iii|ii|iv|i|\d)(?:[ab]\b|\s[ab]\b|\b)"),
        re.compile(rf"\b(?:(\d+|an?)[\s-])?({'|'.join(_FRACTIONS)})s?\b(?= (?:of|the|as|had|were|that|so)\b)"),
        re.compile(r"\b(\d+) (?:in|out of) (?:every )?(\d+)\b(?! (?:people|patients|adults|countries))"),
        re.compile(rf"\b({'|'.join(bounds)})(?: (?:a|an|the|only|just))?\s*$"),
        re.compile(r"\b(?:no|not) (?:more|less|fewer|longer|later|over)\b", re.IGNORECASE),
        re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, reversed(small)))})s?(?![\w-]|'t)"),
        re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, reversed(written)))})s?(?![\w-])"),
    )


def _titled(name: str) -> str:
    return name.title().replace(" And ", " and ")
