"""Encoder passes that requests share; every step is waited for by an event."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.passes import MOST_TEXTS, SharedPasses, Vectors

LONG = 30.0  # seconds that a test waits for what must happen


class HeldEncoder:
    """Encodes when it is let go; takes down what each pass was given."""

    def __init__(self) -> None:
        self.passes: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.released = threading.Semaphore(0)

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.passes.append(list(texts))
        self.begun.release()
        assert self.released.acquire(timeout=LONG)
        if "bad" in texts:
            raise ValueError("a bad text")
        return np.array([[len(text)] for text in texts], dtype=np.float32)


@pytest.fixture
def held() -> HeldEncoder:
    return HeldEncoder()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2 * MOST_TEXTS) as pool:
        yield pool


class Visitors:
    """Threads that ask; `ask` returns when the request waits or is being encoded."""

    def __init__(self, passes: SharedPasses, threads: ThreadPoolExecutor) -> None:
        self._passes = passes
        self._threads = threads

    def ask(self, *texts: str) -> Future[Vectors]:
        handed_over = threading.Event()
        submit = self._passes._runners.submit

        def noting(run: Callable[[], None]) -> Future[None]:
            handed_over.set()
            return submit(run)

        def work() -> Vectors:
            with self._passes.joining() as ask:
                return ask(texts).result(LONG)

        self._passes._runners.submit = noting  # type: ignore[assignment, method-assign]
        asked = self._threads.submit(work)
        assert handed_over.wait(LONG)
        self._passes._runners.submit = submit  # type: ignore[method-assign]
        return asked


def started(held: HeldEncoder) -> None:
    assert held.begun.acquire(timeout=LONG)


def test_requests_that_come_during_a_pass_share_the_next_one(held: HeldEncoder, threads: ThreadPoolExecutor) -> None:
    visitors = Visitors(SharedPasses(held.encode, at_once=1), threads)
    first = visitors.ask("one")
    started(held)
    second, third = visitors.ask("three", "seven"), visitors.ask("eleven")
    held.released.release(2)
    assert first.result(LONG).tolist() == [[3]]
    assert second.result(LONG).tolist() == [[5], [5]]
    assert third.result(LONG).tolist() == [[6]]
    assert held.passes == [["one"], ["three", "seven", "eleven"]]


def test_a_request_that_is_alone_waits_for_nobody(held: HeldEncoder, threads: ThreadPoolExecutor) -> None:
    held.released.release()
    visitors = Visitors(SharedPasses(held.encode, at_once=1, deadline=LONG), threads)
    assert visitors.ask("one").result(LONG / 2).tolist() == [[3]]


def test_a_pass_waits_for_a_request_that_is_on_its_way(held: HeldEncoder, threads: ThreadPoolExecutor) -> None:
    passes = SharedPasses(held.encode, at_once=1, deadline=LONG)
    held.released.release()
    with passes.joining() as ask:
        first = Visitors(passes, threads).ask("one")
        assert ask(["three"]).result(LONG).tolist() == [[5]]
    assert first.result(LONG).tolist() == [[3]]
    assert held.passes == [["one", "three"]]


def test_who_never_asks_holds_nobody_up_beyond_the_deadline(held: HeldEncoder, threads: ThreadPoolExecutor) -> None:
    passes = SharedPasses(held.encode, at_once=1, deadline=0.01)
    held.released.release()
    with passes.joining():
        assert Visitors(passes, threads).ask("one").result(LONG).tolist() == [[3]]
    patient = SharedPasses(held.encode, at_once=1, deadline=LONG)
    with pytest.raises(KeyError), patient.joining():
        raise KeyError
    held.released.release()
    assert Visitors(patient, threads).ask("one").result(LONG / 2).tolist() == [[3]]


def test_passes_run_side_by_side(held: HeldEncoder, threads: ThreadPoolExecutor) -> None:
    visitors = Visitors(SharedPasses(held.encode, at_once=2), threads)
    asked = [visitors.ask("one")]
    started(held)
    asked.append(visitors.ask("three"))
    started(held)
    held.released.release(2)
    assert [request.result(LONG).tolist() for request in asked] == [[[3]], [[5]]]


def test_a_pass_has_so_many_texts_at_most_and_nobody_is_left_out(
    held: HeldEncoder, threads: ThreadPoolExecutor
) -> None:
    visitors = Visitors(SharedPasses(held.encode, at_once=1), threads)
    asked = [visitors.ask("one")]
    started(held)
    asked += [visitors.ask("three", "seven") for _ in range(MOST_TEXTS)]
    held.released.release(9)
    assert all(len(request.result(LONG)) == 2 for request in asked[1:])
    assert [len(texts) for texts in held.passes] == [1, MOST_TEXTS, MOST_TEXTS]


def test_a_request_larger_than_a_pass_has_one_for_itself(held: HeldEncoder, threads: ThreadPoolExecutor) -> None:
    held.released.release()
    texts = ["one"] * (2 * MOST_TEXTS)
    visitors = Visitors(SharedPasses(held.encode, at_once=1), threads)
    assert len(visitors.ask(*texts).result(LONG)) == len(texts)


def test_a_pass_that_fails_fails_for_those_that_shared_it_only(held: HeldEncoder, threads: ThreadPoolExecutor) -> None:
    visitors = Visitors(SharedPasses(held.encode, at_once=1), threads)
    first = visitors.ask("one")
    started(held)
    bad, beside = visitors.ask("bad"), visitors.ask("three")
    held.released.release(2)
    assert first.result(LONG).tolist() == [[3]]
    for request in (bad, beside):
        with pytest.raises(ValueError, match="a bad text"):
            request.result(LONG)
    held.released.release()
    assert visitors.ask("seven").result(LONG).tolist() == [[5]]


def test_a_pass_that_gives_no_vectors_leaves_nobody_waiting() -> None:
    passes = SharedPasses(lambda _: None, at_once=1)  # type: ignore[arg-type, return-value]
    with passes.joining() as ask, pytest.raises(TypeError):
        ask(["one"]).result(LONG)


def test_two_visitors_questions_are_encoded_in_one_pass(
    quick: Assistant, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The assistant tells who is on the way: the first question's pass waits until the second has been read."""
    quick._passes = SharedPasses(lambda texts: quick.encoder.encode(texts), at_once=1, deadline=LONG)
    calls = quick.encoder.calls  # type: ignore[attr-defined]
    both_read = threading.Barrier(2)
    read = quick.guard.read

    def read_together(*arguments: object, **more: object) -> object:
        both_read.wait(LONG)
        return read(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(quick.guard, "read", read_together)
    replies = list(threads.map(quick.reply, ["Is tap water clean?", "How is bread made?"]))
    assert [reply.decision for reply in replies] == [Decision.ANSWER] * 2
    assert [reply.citations[0].section for reply in replies] == ["water", "bread"]
    assert quick.encoder.calls == calls + 1  # type: ignore[attr-defined]
