"""Rules: patterns, kept as data, for what must never be missed whatever the classifier thinks.

`data/rules/<language>.yaml` holds those of one language. English ones always run. Those of another language run where
a text has a letter of its script, or, for languages in Latin letters, a word that English does not know: that spares
time and can hide nothing, since no rule matches a text that is all English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from askdmt.decisions import Decision
from askdmt.errors import ContentError, GuardrailError
from askdmt.guardrails.vocabulary import load_vocabulary
from askdmt.resources import GUARDRAIL_DATA, read_yaml

FOLDER = GUARDRAIL_DATA / "rules"
SENSITIVE_FILE = GUARDRAIL_DATA / "sensitive_topics.yaml"
SAFETY_FILE = GUARDRAIL_DATA / "safety_question.yaml"
_ENGLISH = "en"
_MOST_MENDED = 8  # unknown words of a sentence
_SHORTEST_SLIP, _LONGEST_SLIP = 3, 20  # letters of a misspelt word
_ESCAPE = re.compile(r"\\.")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


class _RuleData(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    decision: Decision
    variant: str | None = None
    language: str = _ENGLISH
    why: str
    any: list[str]  # patterns; one that matches is enough
    unless: list[str] = []  # patterns that take the rule back, in the same sentence


@dataclass(frozen=True)
class Rule:
    """One rule; its patterns are compiled when it is first tried."""

    id: str
    decision: Decision
    variant: str | None
    language: str
    why: str
    patterns: tuple[str, ...]
    exceptions: tuple[str, ...] = ()

    def matches(self, sentence: str) -> bool:
        """Whether the rule holds for one normalised sentence."""
        return any(pattern.search(sentence) for pattern in self._patterns) and not any(
            exception.search(sentence) for exception in self._exceptions
        )

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.patterns, self.id)

    @cached_property
    def _exceptions(self) -> tuple[re.Pattern[str], ...]:
        return compiled(self.exceptions, self.id)

    @cached_property
    def scripts(self) -> frozenset[str]:
        """The scripts that its patterns are written in."""
        return frozenset(_scripts(_ESCAPE.sub("", "".join(self.patterns))))


@cache
def load_rules(folder: Path = FOLDER) -> tuple[Rule, ...]:
    """Read all rules.

    Raises:
        GuardrailError: there are none, or a file is broken; names it.
    """
    rules: list[Rule] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            rules.extend(map(_rule, TypeAdapter(list[_RuleData]).validate_python(read_yaml(path))))
        except (ContentError, ValidationError) as error:
            reason = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
            raise GuardrailError(f"{path}: {reason}.", "Correct the rule.") from None
    if not rules:
        raise GuardrailError(f"There are no rules in {folder}.", "Reinstall askdmt.")
    return tuple(rules)


def _rule(data: _RuleData) -> Rule:
    return Rule(data.id, data.decision, data.variant, data.language, data.why, tuple(data.any), tuple(data.unless))


def compiled(patterns: Sequence[str], where: str) -> tuple[re.Pattern[str], ...]:
    """Return patterns that ignore case.

    Raises:
        GuardrailError: one is broken; names `where` it stands.
    """
    try:
        return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    except re.error as error:
        raise GuardrailError(f"The rule {where} has a broken pattern: {error}.", "Correct it.") from None


def matching_rules(sentences: Sequence[str], rules: Sequence[Rule] | None = None) -> list[Rule]:
    """Return the rules that hold for any of the sentences, in order of precedence."""
    rules = load_rules() if rules is None else rules
    found = []
    for sentence in sentences:
        scripts = _scripts(sentence)
        foreign = _has_foreign_word(sentence)
        found += [
            rule
            for rule in rules
            if (rule.language == _ENGLISH or (rule.scripts & scripts and (foreign or rule.scripts != {"LATIN"})))
            and rule.matches(sentence)
        ]
        if foreign and not any(rule.decision.is_danger for rule in found):
            mended = tuple(_mended(sentence))
            found += [
                rule
                for rule in rules
                if mended and rule.language == _ENGLISH and rule.decision.is_danger and any(map(rule.matches, mended))
            ]
    return sorted(dict.fromkeys(found), key=lambda rule: rule.decision.precedence)


def _has_foreign_word(text: str) -> bool:
    vocabulary = load_vocabulary()
    return any(word not in vocabulary for word in _WORD.findall(text.lower()))


def _mended(sentence: str) -> Iterator[str]:
    """Yield an English sentence with an unknown word put right, where a word of the danger rules is one slip away."""
    vocabulary = load_vocabulary()
    unknown = [word for word in dict.fromkeys(_WORD.findall(sentence.lower())) if word not in vocabulary]
    for word in unknown[:_MOST_MENDED]:
        for meant in _one_slip_from(word):
            yield re.sub(rf"\b{re.escape(word)}\b", meant, sentence, flags=re.IGNORECASE)


@lru_cache(maxsize=10_000)
def _one_slip_from(word: str) -> tuple[str, ...]:
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import extract

    if not _SHORTEST_SLIP <= len(word) <= _LONGEST_SLIP:
        return ()
    return tuple(meant for meant, slips, _ in extract(word, _danger_words(), scorer=OSA.distance, score_cutoff=1))


@cache
def _danger_words() -> tuple[str, ...]:
    """The words of four letters and more in the patterns of the English danger rules."""
    danger = [rule for rule in load_rules() if rule.language == _ENGLISH and rule.decision.is_danger]
    patterns = (_ESCAPE.sub(" ", pattern).lower() for rule in danger for pattern in rule.patterns)
    return tuple(sorted({word for pattern in patterns for word in re.findall(r"[a-z]{4,}", pattern)}))


def _scripts(text: str) -> set[str]:
    """Return the first words of the Unicode names of a text's letters: LATIN, CYRILLIC, ARABIC, CJK, ..."""
    return {_script(character) for character in set(text) if character.isalpha()}


@cache
def _script(character: str) -> str:
    return "LATIN" if character.isascii() else unicodedata.name(character, "?").split()[0]


def touches_sensitive_topic(text: str) -> bool:
    """Whether a harmless message is on a topic, such as suicide, beside which the help lines are shown."""
    return any(pattern.search(text) for pattern in _sensitive_topics())


@cache
def _sensitive_topics() -> tuple[re.Pattern[str], ...]:
    try:
        patterns: list[Any] = TypeAdapter(list[str]).validate_python(read_yaml(SENSITIVE_FILE))
    except (ContentError, ValidationError) as error:
        raise GuardrailError(f"{SENSITIVE_FILE} cannot be used.", "It must be a list of patterns.") from error
    return compiled(patterns, SENSITIVE_FILE.name)


@dataclass(frozen=True)
class _SafetyQuestion:
    asks: tuple[re.Pattern[str], ...]
    no: tuple[re.Pattern[str], ...]


def asks_if_safe(text: str) -> bool:
    """Whether what the assistant said asks if somebody is safe."""
    return any(pattern.search(text) for pattern in _safety_question().asks)


def is_bare_no(text: str) -> bool:
    """Whether a message says no and nothing else."""
    words = " ".join(re.sub(r"[^\w']+", " ", text.replace("’", "'")).split())
    return any(pattern.fullmatch(words) for pattern in _safety_question().no)


@cache
def _safety_question() -> _SafetyQuestion:
    try:
        patterns = TypeAdapter(dict[str, list[str]]).validate_python(read_yaml(SAFETY_FILE))
        return _SafetyQuestion(*(compiled(patterns[part], SAFETY_FILE.name) for part in ("asks", "a_no")))
    except (ContentError, ValidationError, KeyError) as error:
        raise GuardrailError(
            f"{SAFETY_FILE} cannot be used.", "It must have patterns under 'asks' and 'a_no'."
        ) from error
