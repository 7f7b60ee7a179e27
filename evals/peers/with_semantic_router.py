"""semantic-router's IndexedRouter: the routes are our decisions, their utterances our exemplars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from typing import Any

from askdmt.decisions import Decision
from askdmt.progress import bar
from peers.choosing import Choice, Nearest, choose
from peers.data import Message, Vectors

NAME = "semantic-router"
PACKAGE = "semantic-router"
_AGGREGATIONS = ("mean", "max", "sum")
_NEIGHBOURS = (5, 20)  # its default, and more


def decide(
    training: Sequence[Message], development: Sequence[Message], asked: Sequence[str], vectors: Vectors
) -> tuple[str, list[Decision]]:
    """Return what was chosen on development, and a decision for each text."""
    index = _index(training, vectors)
    routers = {
        f"{aggregation} of {neighbours}": _router(index, vectors, aggregation=aggregation, top_k=neighbours)
        for aggregation, neighbours in product(_AGGREGATIONS, _NEIGHBOURS)
    }
    total = len(routers) * len(development) + len(asked)
    best: tuple[str, Choice] | None = None
    with bar(NAME) as advance:
        done = 0
        for name, router in routers.items():
            nearest = []
            for message in development:
                nearest.append(_nearest(router, message.text))
                advance(done := done + 1, total)
            choice = choose(nearest, development)
            if best is None or choice.right > best[1].right:
                best = (name, choice)
        assert best is not None
        name, choice = best
        decisions = []
        for text in asked:
            route = routers[name](text, threshold=choice.threshold).name
            decisions.append(Decision(route) if route else choice.below)
            advance(done := done + 1, total)
    return f"{name}; {choice}", decisions


def _index(training: Sequence[Message], vectors: Vectors) -> Any:
    from semantic_router import Route
    from semantic_router.index import LocalIndex

    utterances: dict[Decision, dict[str, None]] = defaultdict(dict)
    for message in training:
        utterances[message.label][message.text] = None
    index = LocalIndex()
    _router(index, vectors, [Route(name=str(label), utterances=list(texts)) for label, texts in utterances.items()])
    return index


def _router(index: Any, vectors: Vectors, routes: Sequence[Any] = (), **options: Any) -> Any:
    from semantic_router.encoders import DenseEncoder
    from semantic_router.routers import IndexedRouter

    class SharedEncoder(DenseEncoder):  # type: ignore[misc]
        def __call__(self, docs: list[str]) -> list[list[float]]:
            return [list(map(float, row)) for row in vectors.of(docs)]

    return IndexedRouter(encoder=SharedEncoder(name="minilm"), routes=routes, index=index, **options)


def _nearest(router: Any, text: str) -> Nearest:
    best = router(text, limit=1, threshold=float("-inf"))
    return Decision(best.name), float(best.confidence)
