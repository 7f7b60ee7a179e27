"""The questions of the benchmark: drawn from the published sets, of all decisions, half of them to be answered."""

from __future__ import annotations

from load.run import Questions

MIXED = 140
SEED = 6


def mixed(count: int = MIXED) -> list[str]:
    """Return so many messages; the same each time, each different as far as there are enough."""
    source = Questions(SEED)
    texts: list[str] = []
    known: set[str] = set()
    repeats = 0
    while len(texts) < count:
        messages = source.draw()
        text = messages[-1]["content"]
        repeats += text in known
        if len(messages) == 1 and (text not in known or repeats > 4 * count):
            known.add(text)
            texts.append(text)
    return texts
