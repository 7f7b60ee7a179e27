"""What no drafted sentence may hold: patterns, kept as data, for amounts, schedules, suppliers, promises and so on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from askdmt.errors import ContentError, GuardrailError
from askdmt.guardrails.particulars import in_digits
from askdmt.guardrails.rules import compiled
from askdmt.knowledge.lexical import stems
from askdmt.resources import GUARDRAIL_DATA, read_yaml

FILE = GUARDRAIL_DATA / "draft_rules.yaml"
Excused = Literal["never", "verbatim", "words"]
# Where a clause ends; the mark or word is kept when a sentence is split at it.
_CLAUSE_END = re.compile(
    r"([;:()–—]|,(?!\d)|\s-+\s|\b(?:and|but|so|then|yet|because|since|though|although|while|whereas|however)\b)"
)
_TAKEN_OUT = "_"  # counts as a word, so that what follows does not begin the sentence


class _RuleData(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    why: str
    excused: Excused
    any: list[str]
    unless: list[str] = []


@dataclass(frozen=True, slots=True)
class DraftRule:
    """One rule; `excused` says when a passage lets a match stand."""

    id: str
    excused: Excused
    patterns: tuple[re.Pattern[str], ...]
    exceptions: tuple[re.Pattern[str], ...]

    def forbids(self, sentence: str, passages: str) -> bool:
        """Whether it forbids a sentence; both texts are in small letters, their numbers in digits."""
        rest = self._without_exceptions(sentence)
        return any(
            not self._is_excused(found[0].strip(), passages)
            for pattern in self.patterns
            for found in pattern.finditer(rest)
        )

    def _without_exceptions(self, sentence: str) -> str:
        clauses = _CLAUSE_END.split(sentence) if self.exceptions else [sentence]
        for exception in self.exceptions:
            clauses = [exception.sub(_TAKEN_OUT, clause) for clause in clauses]
        return "".join(clauses)

    def _is_excused(self, match: str, passages: str) -> bool:
        if self.excused == "words":
            return bool(stems(match)) and set(stems(match)) <= set(stems(passages))
        return self.excused == "verbatim" and bool(re.search(rf"(?<!\w){re.escape(match)}(?!\w)", passages))


def forbidden(sentence: str, passages: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the rules that forbid a normalised sentence.

    Raises:
        GuardrailError: the rules are missing or broken.
    """
    read, given = in_digits(sentence), in_digits("\n".join(passages))
    return tuple(rule.id for rule in load_draft_rules() if rule.forbids(read, given))


@cache
def load_draft_rules(file: Path = FILE) -> tuple[DraftRule, ...]:
    """Read the rules.

    Raises:
        GuardrailError: the file is missing or does not fit.
    """
    try:
        rules = TypeAdapter(list[_RuleData]).validate_python(read_yaml(file))
    except (ContentError, ValidationError) as error:
        raise GuardrailError(f"{file} cannot be used.", "Restore the file.") from error
    return tuple(
        DraftRule(rule.id, rule.excused, _compiled(rule.any, rule.id), _compiled(rule.unless, rule.id))
        for rule in rules
    )


def _compiled(patterns: Sequence[str], where: str) -> tuple[re.Pattern[str], ...]:
    return tuple(compiled(pattern, where) for pattern in patterns)
