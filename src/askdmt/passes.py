"""Encoder passes that requests share: what is asked while a pass runs goes into the next one, all of it together.

A pass over many texts costs less than a pass for each: those of one length share the reading of the weights. A request
that is alone waits for nobody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]  # one row a text
Request = Callable[[Sequence[str]], Future[Vectors]]  # the same, once a pass has been made

DEADLINE_SECONDS = 0.003  # that a pass waits for requests that are on their way
MOST_TEXTS = 64  # of a pass, unless one request alone has more


@dataclass(frozen=True, slots=True)
class _Request:
    texts: Sequence[str]
    vectors: Future[Vectors] = field(default_factory=Future)


class SharedPasses:
    """Encodes for many threads at once; a pass that fails fails for those that shared it."""

    def __init__(self, encode: Encode, at_once: int, deadline: float = DEADLINE_SECONDS) -> None:
        """Share passes of `encode`, of which `at_once` run at the same time: one a core."""
        self._encode = encode
        self._deadline = deadline
        self._waiting: deque[_Request] = deque()
        self._on_their_way = 0
        self._changed = threading.Condition()
        self._runners = ThreadPoolExecutor(at_once, thread_name_prefix="askdmt-passes")

    @contextmanager
    def joining(self) -> Iterator[Request]:
        """Give what asks for vectors, once; until then, a pass that is about to start waits a moment for this one."""
        on_the_way = True
        with self._changed:
            self._on_their_way += 1

        def ask(texts: Sequence[str]) -> Future[Vectors]:
            nonlocal on_the_way
            request = _Request(texts)
            with self._changed:
                self._on_their_way -= on_the_way
                on_the_way = False
                self._waiting.append(request)
                self._changed.notify_all()
            self._runners.submit(self._run)
            return request.vectors

        try:
            yield ask
        finally:
            with self._changed:
                self._on_their_way -= on_the_way
                self._changed.notify_all()

    def _run(self) -> None:
        together = self._take()
        if not together:
            return  # an earlier pass has taken them along
        try:
            vectors = self._encode([text for request in together for text in request.texts])
            ends = list(accumulate(len(request.texts) for request in together))
            rows = [vectors[end - len(request.texts) : end] for end, request in zip(ends, together, strict=True)]
        except BaseException as error:
            for request in together:
                request.vectors.set_exception(error)
            return
        for own, request in zip(rows, together, strict=True):
            request.vectors.set_result(own)

    def _take(self) -> list[_Request]:
        """Return the requests of the next pass, in the order in which they came."""
        with self._changed:
            if self._waiting:
                self._changed.wait_for(self._is_complete, timeout=self._deadline)
            together: list[_Request] = []
            texts = 0
            while self._waiting and (not together or texts + len(self._waiting[0].texts) <= MOST_TEXTS):
                together.append(self._waiting.popleft())
                texts += len(together[-1].texts)
            return together

    def _is_complete(self) -> bool:
        """Whether nobody is on the way, another pass has taken everything, or no more fits in."""
        full = sum(len(request.texts) for request in self._waiting) >= MOST_TEXTS
        return self._on_their_way == 0 or not self._waiting or full
