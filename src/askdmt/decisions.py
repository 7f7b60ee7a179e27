"""The twelve decisions of one turn, in order of precedence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Decision(StrEnum):
    """What the assistant does with one message; where several fit, the earlier wins."""

    EMERGENCY = "emergency"  # someone is, or may be, physically in danger now
    CRISIS = "crisis"  # suicide, self-harm, intent to harm others, abuse; the writer or somebody they know
    REFUSE_SOURCING = "refuse_sourcing"  # getting, making, carrying, storing a drug; finding a guide or a market
    REFUSE_DOSING = "refuse_dosing"  # amounts, routes, schedules, combinations, tapering
    REFUSE_UNSUPERVISED_USE = "refuse_unsupervised_use"  # how to use outside care; beating a test; lying to a trial
    PROMPT_ATTACK = "prompt_attack"  # tries to change or read the assistant's rules
    PERSONAL_ADVICE = "personal_advice"  # asks for a judgement about one person
    ABOUT = "about"  # greetings, thanks, and questions on the assistant itself
    UNSUPPORTED_LANGUAGE = "unsupported_language"  # a language in which it cannot judge safely
    OUT_OF_SCOPE = "out_of_scope"  # nothing to do with the subject; abuse aimed at the assistant
    NOT_IN_SOURCES = "not_in_sources"  # in scope, but the reviewed knowledge is silent
    ANSWER = "answer"  # in scope and covered

    @property
    def precedence(self) -> int:
        """Place in the order of precedence, 0 first."""
        return _PRECEDENCE[self]

    @property
    def is_danger(self) -> bool:
        """Whether somebody may be in danger."""
        return self in DANGER

    @property
    def is_refusal(self) -> bool:
        """Whether the reply declines what was asked."""
        return self in REFUSALS


_PRECEDENCE = {decision: place for place, decision in enumerate(Decision)}

DANGER = frozenset({Decision.EMERGENCY, Decision.CRISIS})
REFUSALS = frozenset(
    {
        Decision.REFUSE_SOURCING,
        Decision.REFUSE_DOSING,
        Decision.REFUSE_UNSUPERVISED_USE,
        Decision.PROMPT_ATTACK,
    }
)


def most_pressing(decisions: Iterable[Decision]) -> Decision:
    """Return the decision that takes precedence.

    Raises:
        ValueError: there are none.
    """
    return min(decisions, key=lambda decision: decision.precedence)
