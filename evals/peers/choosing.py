"""Chooses what a peer lets open, a threshold and what a miss means, by right decisions on development messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from askdmt.decisions import Decision
from peers.data import Message

_STEPS = 50
Nearest = tuple[Decision, float]  # the decision that a peer finds nearest, and its own score of it


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold, the decision for scores below it, and how many development messages it gets right."""

    threshold: float
    below: Decision
    right: int

    def __str__(self) -> str:
        if not self.threshold:
            return "no threshold"
        return f"threshold {self.threshold:.3f}, below it {self.below}"


def choose(nearest: Sequence[Nearest], messages: Sequence[Message]) -> Choice:
    """Return the choice with the most right decisions; of equals, the one that lets the peer decide more."""
    scores = np.quantile([max(score, 0.0) for _, score in nearest], np.linspace(0, 1, _STEPS + 1))
    candidates = [0.0, *map(float, np.unique(scores))]
    labels = sorted({message.label for message in messages}, key=lambda label: label.precedence)
    choices = [
        Choice(threshold, below, _right(nearest, messages, threshold, below))
        for threshold in candidates
        for below in labels
    ]
    return max(choices, key=lambda choice: choice.right)


def _right(nearest: Sequence[Nearest], messages: Sequence[Message], threshold: float, below: Decision) -> int:
    return sum(
        (decision if score >= threshold else below) in message.item.accept
        for (decision, score), message in zip(nearest, messages, strict=True)
    )
