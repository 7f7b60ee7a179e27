"""One question at a time, on one core: our whole reply, and what others take to embed or classify the question."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from bench.figures import Figure, Part, Spread
from bench.processes import PEERS_PYTHON, Milliseconds, side
from bench.questions import mixed

_PLAIN = {"plain": ("plain SentenceTransformer.encode of the same base", "≤ 0.5")}
_PEERS = {
    "nemo_guardrails": ("NeMo Guardrails embeddings_only, on MiniLM, classifying", "≤ 0.8"),
    "semantic_router": ("semantic-router, on MiniLM, classifying", "≤ 1.0"),
}
_WARM_UP = 5  # questions


def measure(questions: int, rounds: int, peers: bool) -> Part:
    """Ask all sides each question in turn, `rounds` times."""
    against = {**_PLAIN, **(_PEERS if peers else {})}
    asked = mixed(questions)
    with ExitStack() as stack:
        sides = {"ours": stack.enter_context(side("ours"))}
        sides |= {
            name: stack.enter_context(side(name, python=PEERS_PYTHON) if name in _PEERS else side(name))
            for name in against
        }
        for name in sides:
            for question in asked[:_WARM_UP]:
                sides[name].measure([question])
        times: dict[str, list[Milliseconds]] = {name: [] for name in sides}
        for round_ in range(rounds):
            for number, question in enumerate(asked):
                for name in _rotated(list(sides), number + round_):
                    times[name].append(sides[name].measure([question]))
    clock = {name: Spread.of([time.clock for time in found]) for name, found in times.items()}
    processor = {name: Spread.of([time.processor for time in found]) for name, found in times.items()}
    figures = [
        Figure(f"question to whole reply{of}", "ms", spread["ours"], bar, what, spread[name])
        for name, (what, bar) in against.items()
        for of, spread in (("", clock), (", processor time", processor))
    ]
    curves = {name.replace("_", " "): _shares([time.clock for time in found]) for name, found in times.items()}
    return Part(figures, {"latency.svg": curves})


def _rotated(names: list[str], by: int) -> list[str]:
    by %= len(names)
    return names[by:] + names[:by]


def _shares(times: Sequence[float]) -> list[tuple[float, float]]:
    """Return (milliseconds, share of the questions that took no longer), up to the slowest in twenty."""
    ordered = sorted(times)
    places = (int(share / 20 * (len(ordered) - 1)) for share in range(20))
    return [(ordered[place], place / len(ordered)) for place in places]
