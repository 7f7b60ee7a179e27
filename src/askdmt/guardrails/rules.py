"""Rules: patterns, kept as data, for what must never be missed whatever the classifier thinks.

`data/rules/<language>.yaml` holds those of one language. English ones always run. Those of another language run where
a text has a letter of its script, or, for languages in Latin letters, a word that English does not know: that spares
time and can hide nothing, since no rule matches a text that is all English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
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
SAFETY_FILE = GUARDRAIL_DATA / "safety_question.yaml"
_ENGLISH = "en"
_LATIN = frozenset({"LATIN"})
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
    """One rule; its patterns are compiled when they are first tried."""

    id: str
    decision: Decision
    variant: str | None
    language: str
    why: str
    patterns: tuple[str, ...]
    exceptions: tuple[str, ...] = ()

    def matches(self, sentence: str) -> bool:
        """Whether the rule holds for one normalised sentence, in whatever language."""
        return any(self.matches_by(pattern, sentence) for pattern in self.patterns)

    def matches_by(self, pattern: str, sentence: str) -> bool:
        """Whether it holds for a sentence by one of its patterns."""
        return compiled(pattern, self.id).search(sentence) is not None and not any(
            compiled(exception, self.id).search(sentence) for exception in self.exceptions
        )

    def runs_on(self, scripts: Set[str], has_foreign_word: bool) -> bool:
        """Whether a sentence of these scripts may be in its language."""
        if self.language == _ENGLISH:
            return True
        return bool(self.scripts & scripts) and (has_foreign_word or self.scripts != _LATIN)

    @cached_property
    def scripts(self) -> frozenset[str]:
        """The scripts that its patterns are written in."""
        return frozenset(_scripts(_ESCAPE.sub("", "".join(self.patterns))))


class Rules(tuple[Rule, ...]):
    """Rules in the order in which they stand; on a sentence, only patterns are tried whose needs it holds."""

    def that_hold(self, sentence: str) -> Iterator[Rule]:
        """Yield the rules that hold for one normalised sentence, one more than once if by several patterns."""
        scripts, has_foreign_word = _scripts(sentence), _has_foreign_word(sentence)
        is_plain = scripts <= _LATIN and not has_foreign_word
        for rule, pattern in self._for_plain.possible(sentence) if is_plain else self._for_all.possible(sentence):
            if rule.runs_on(scripts, has_foreign_word) and rule.matches_by(pattern, sentence):
                yield rule

    @cached_property
    def _for_plain(self) -> NeedsIndex[tuple[Rule, str]]:
        return _index(rule for rule in self if rule.runs_on(_LATIN, has_foreign_word=False))

    @cached_property
    def _for_all(self) -> NeedsIndex[tuple[Rule, str]]:
        return _index(self)


def _index(rules: Iterable[Rule]) -> NeedsIndex[tuple[Rule, str]]:
    return NeedsIndex((needs(pattern, rule.id), (rule, pattern)) for rule in rules for pattern in rule.patterns)


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


@cache
def compiled(pattern: str, where: str) -> re.Pattern[str]:
    """Return a pattern that ignores case.

    Raises:
        GuardrailError: it is broken; names `where` it stands.
    """
    with _named(where):
        return re.compile(pattern, re.IGNORECASE)


def needs(pattern: str, where: str) -> Needs:
    """Return what a sentence must hold for a pattern to match.

    Raises:
        GuardrailError: it is broken; names `where` it stands.
    """
    with _named(where):
        return needs_of(pattern)


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except re.error as error:
        raise GuardrailError(f"The rule {where} has a broken pattern: {error}.", "Correct it.") from None


def matching_rules(sentences: Sequence[str], rules: Rules | None = None) -> list[Rule]:
    """Return the rules that hold for any of the sentences, in order of precedence."""
    rules = load_rules() if rules is None else rules
    found: list[Rule] = []
    for sentence in sentences:
        found += rules.that_hold(sentence)
        if not any(rule.decision.is_danger for rule in found):
            found += [
                rule
                for mended in _mended(sentence)
                for rule in rules.that_hold(mended)
                if rule.language == _ENGLISH and rule.decision.is_danger
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
    return tuple(compiled(pattern, SENSITIVE_FILE.name) for pattern in patterns)


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
        asks, a_no = (
            tuple(compiled(pattern, SAFETY_FILE.name) for pattern in patterns[part]) for part in ("asks", "a_no")
        )
        return _SafetyQuestion(asks, a_no)
    except (ContentError, ValidationError, KeyError) as error:
        raise GuardrailError(
            f"{SAFETY_FILE} cannot be used.", "It must have patterns under 'asks' and 'a_no'."
        ) from error
