"""Rules: patterns, kept as data, for what must never be missed whatever the classifier thinks.

`data/rules/<language>.yaml` holds those of one language. English ones always run. Those of another language run where
a text has a letter of its script, or, for languages in Latin letters, a word that English does not know: that spares
time and can hide nothing, since no rule matches a text that is all English.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from askdmt.decisions import Decision
from askdmt.errors import ContentError, GuardrailError
from askdmt.guardrails.needs import Needs, NeedsIndex, needs_of
from askdmt.guardrails.vocabulary import load_vocabulary
from askdmt.resources import GUARDRAIL_DATA, read_yaml

FOLDER = GUARDRAIL_DATA / "rules"
SENSITIVE_FILE = GUARDRAIL_DATA / "sensitive_topics.yaml"
_ENGLISH = "en"
_LATIN = frozenset({"LATIN"})
_ANY_SCRIPT: frozenset[str] = frozenset()
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

    @cached_property
    def needs(self) -> tuple[Needs, ...]:
        """What a sentence must hold for each of its patterns."""
        with _broken_named(self.id):
            return tuple(map(needs_of, self.patterns))


class Rules(tuple[Rule, ...]):
    """Rules in the order in which they stand, with what a sentence must hold for each to match."""

    def that_may_match(self, sentence: str) -> Iterator[Rule]:
        """Yield the rules of the languages that a sentence may be in, without those that cannot match it."""
        scripts = _scripts(sentence)
        foreign = _has_foreign_word(sentence)
        numbers: set[int] = set()
        for needed, index in self._by_scripts.items():
            if needed == _ANY_SCRIPT or (needed & scripts and (foreign or needed != _LATIN)):
                numbers |= index().possible(sentence)
        return (self[number] for number in sorted(numbers))

    @cached_property
    def _by_scripts(self) -> dict[frozenset[str], Callable[[], NeedsIndex]]:
        """The rules of the same scripts, indexed when first asked for."""
        numbers: dict[frozenset[str], list[int]] = defaultdict(list)
        for number, rule in enumerate(self):
            numbers[_ANY_SCRIPT if rule.language == _ENGLISH else rule.scripts].append(number)
        return {scripts: cache(partial(self._index, alike)) for scripts, alike in numbers.items()}

    def _index(self, numbers: Sequence[int]) -> NeedsIndex:
        return NeedsIndex({number: self[number].needs for number in numbers})


@cache
def load_rules(folder: Path = FOLDER) -> Rules:
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
    return Rules(rules)


def _rule(data: _RuleData) -> Rule:
    return Rule(data.id, data.decision, data.variant, data.language, data.why, tuple(data.any), tuple(data.unless))


def compiled(patterns: Sequence[str], where: str) -> tuple[re.Pattern[str], ...]:
    """Return patterns that ignore case.

    Raises:
        GuardrailError: one is broken; names `where` it stands.
    """
    with _broken_named(where):
        return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


@contextmanager
def _broken_named(where: str) -> Iterator[None]:
    try:
        yield
    except re.error as error:
        raise GuardrailError(f"The rule {where} has a broken pattern: {error}.", "Correct it.") from None


def matching_rules(sentences: Sequence[str], rules: Rules | None = None) -> list[Rule]:
    """Return the rules that hold for any of the sentences, in order of precedence."""
    rules = load_rules() if rules is None else rules
    found = [rule for sentence in sentences for rule in rules.that_may_match(sentence) if rule.matches(sentence)]
    return sorted(dict.fromkeys(found), key=lambda rule: rule.decision.precedence)


def _has_foreign_word(text: str) -> bool:
    vocabulary = load_vocabulary()
    return any(word not in vocabulary for word in _WORD.findall(text.lower()))


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
