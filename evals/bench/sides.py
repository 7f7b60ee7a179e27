"""One side of a comparison, in a process of its own: `python -m bench.sides NAME CORES`.

Reads a JSON list of texts a line from standard input, answers with milliseconds a line: by the clock, and of the
processor. Each side's libraries are its own; only the time that the work itself takes is measured.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

_EXEMPLARS = 1000  # that the peers know; more would only make them slower

Work = Callable[[Sequence[str]], Any]  # takes one text, or many where the side is measured in batches


def ours() -> Work:
    """A whole reply: read, encoded, judged, searched, composed."""
    from askdmt import Assistant

    assistant = Assistant.load()
    return lambda texts: [assistant.reply(text) for text in texts]


def plain() -> Work:
    """The same base encoder as sentence-transformers runs it, adapter or not: it embeds the question."""
    from askdmt.encoder import Encoder

    model = Encoder(adapter=None).model
    return lambda texts: [model.encode(text, show_progress_bar=False) for text in texts]


def batch_ours() -> Work:
    """Whole replies, as `askdmt batch` gives them."""
    from askdmt import Assistant

    assistant = Assistant.load()
    return lambda texts: list(assistant.reply_many(texts))


def batch_encoder() -> Work:
    """The exported encoder alone, in batches."""
    from askdmt.encoder import Encoder

    encoder = Encoder()
    encoder.load()
    return encoder.encode


def nemo_guardrails() -> Work:
    """NeMo Guardrails, `embeddings_only`: it classifies."""
    import asyncio

    from peers import with_nemo_guardrails
    from peers.data import load_training

    rails = with_nemo_guardrails._rails(load_training(_EXEMPLARS), _Unshared())
    loop = asyncio.new_event_loop()
    return lambda texts: [
        loop.run_until_complete(rails.generate_async(messages=[{"role": "user", "content": text}])) for text in texts
    ]


def semantic_router() -> Work:
    """semantic-router's IndexedRouter: it classifies."""
    from peers import with_semantic_router
    from peers.data import load_training

    vectors = _Unshared()
    router = with_semantic_router._router(with_semantic_router._index(load_training(_EXEMPLARS), vectors), vectors)
    return lambda texts: [router(text) for text in texts]


class _Unshared:
    """MiniLM vectors that are made anew for each call, as a deployed peer makes them."""

    def __init__(self) -> None:
        from peers.data import _minilm

        self._model = _minilm()

    def of(self, texts: Sequence[str]) -> Any:
        """Return the vectors of texts, one a row."""
        return self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)


SIDES: dict[str, Callable[[], Work]] = {
    side.__name__: side for side in (ours, plain, batch_ours, batch_encoder, nemo_guardrails, semantic_router)
}


def main() -> None:
    """Load the side, say so, and measure what it is given."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[2])])
    work = SIDES[sys.argv[1]]()
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        started, started_working = time.perf_counter(), time.process_time()
        work(texts)
        spent, worked = time.perf_counter() - started, time.process_time() - started_working
        print(spent * 1000, worked * 1000, file=answers, flush=True)


if __name__ == "__main__":
    main()
