"""The plain peer: a frozen MiniLM with a logistic regression on top."""

from __future__ import annotations

from collections.abc import Sequence

from askdmt.decisions import Decision
from askdmt.progress import bar
from peers.data import Message, Vectors

NAME = "Linear head on MiniLM"
PACKAGE = "scikit-learn"
_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)  # inverse strengths of the L2 penalty that are tried


def decide(
    training: Sequence[Message], development: Sequence[Message], asked: Sequence[str], vectors: Vectors
) -> tuple[str, list[Decision]]:
    """Return what was chosen on development, and a decision for each text."""
    from sklearn.linear_model import LogisticRegression

    seen, labels = vectors.of([message.text for message in training]), [str(message.label) for message in training]
    held_out = vectors.of([message.text for message in development])
    best, most = None, -1
    with bar(NAME) as advance:
        for done, strength in enumerate(_STRENGTHS, start=1):
            head = LogisticRegression(C=strength, max_iter=1000).fit(seen, labels)
            given = map(Decision, head.predict(held_out))
            right = sum(decision in message.item.accept for decision, message in zip(given, development, strict=True))
            if right > most:
                best, most = head, right
            advance(done, len(_STRENGTHS))
    assert best is not None
    return f"C={best.C:g}", [Decision(str(label)) for label in best.predict(vectors.of(asked))]
