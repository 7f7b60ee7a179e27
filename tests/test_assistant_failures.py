"""Whatever breaks, and whatever a visitor writes, there is a reply with its disclaimer; what broke gives help lines."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from askdmt import assistant as module
from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.encoder import Vectors
from askdmt.errors import GuardrailError, InputError, SettingsError
from askdmt.guardrails import input_guard
from askdmt.guardrails.classifier import BUCKETS, LABELS, Classifier, Head
from askdmt.reply import Reply
from askdmt.wording import Wording, load_wording
from fakes import BREAD, WATER, FakeEncoder, ScriptedClassifier, small_assistant

QUESTION = "Is tap water clean?"
POLISH = "Chciałbym wiedzieć, jaka będzie jutro pogoda w Warszawie i w Krakowie"
Break = Callable[[Assistant, pytest.MonkeyPatch, Exception], None]


def is_safe(reply: Reply, region: str = "international", reason: str = "unsure") -> bool:
    """Whether a reply is the safe one, whole."""
    wording = load_wording()
    assert reply.decision is Decision.NOT_IN_SOURCES
    assert reply.body == getattr(wording.replies, reason)
    assert reply.text.endswith(wording.disclaimer)
    assert reply.support[0].name == wording.support.emergency
    assert all(wording.support_label(line) in reply.text for line in reply.support)
    assert len(reply.support) >= 2
    if region == "gb":
        assert reply.support[0].call
        assert "999" in reply.support[0].call
    return reply.citations == ()


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def break_normalising(_: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(input_guard, "normalise", failing(error))


def break_reading(quick: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(quick.guard, "read", failing(error))


def break_encoder(quick: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(quick.encoder, "encode", failing(error))


def break_passes(quick: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(quick._passes._runners, "submit", failing(error))
    patch.setattr(quick.encoder, "encode", failing(error))  # a batch has no shared passes


def break_rules(_: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(input_guard, "matching_rules", failing(error))


def break_classifier(quick: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(quick.guard.classifier, "judge", failing(error))


def break_guard(quick: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(quick.guard, "decide", failing(error))


def break_search(quick: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(quick.search, "find", failing(error))


def break_composing(_: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(module, "compose", failing(error))


def break_help_topics(_: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(module, "touches_sensitive_topic", failing(error))


def break_language(_: Assistant, patch: pytest.MonkeyPatch, error: Exception) -> None:
    patch.setattr(input_guard, "is_supported", failing(error))


STAGES: list[Break] = [
    break_normalising, break_reading, break_encoder, break_passes, break_rules, break_classifier, break_guard,
    break_search, break_composing, break_help_topics, break_language,
]  # fmt: skip


@pytest.mark.parametrize("error", [RuntimeError("broken"), GuardrailError("Broken."), MemoryError(), RecursionError()])
@pytest.mark.parametrize("break_it", STAGES)
def test_a_stage_that_raises_gives_the_safe_reply(
    quick: Assistant, monkeypatch: pytest.MonkeyPatch, break_it: Break, error: Exception
) -> None:
    break_it(quick, monkeypatch, error)
    assert is_safe(quick.reply(QUESTION))
    assert is_safe(quick.reply([{"role": "user", "content": QUESTION}], region="gb"), "gb")
    assert all(is_safe(reply, "gb") for reply in quick.reply_many([QUESTION, QUESTION], region="gb"))
    assert is_safe(asyncio.run(quick.areply(QUESTION)))
    *sentences, reply = quick.stream(QUESTION)
    assert isinstance(reply, Reply)
    assert is_safe(reply)
    assert "".join(map(str, sentences)) == reply.text


@pytest.mark.parametrize(
    ("break_it", "stage"),
    [
        (break_normalising, "read"), (break_reading, "read"), (break_encoder, "encode"), (break_rules, "guard"),
        (break_classifier, "guard"), (break_guard, "guard"), (break_search, "search"), (break_composing, "compose"),
        (break_help_topics, "compose"), (break_language, "guard"),
    ],
)  # fmt: skip
def test_the_trace_of_a_safe_reply_names_the_stage_that_failed(
    quick: Assistant, monkeypatch: pytest.MonkeyPatch, break_it: Break, stage: str
) -> None:
    break_it(quick, monkeypatch, RuntimeError("broken"))
    assert quick.reply(QUESTION, trace=True).trace == {"failed": stage}
    assert quick.reply(QUESTION).trace is None


def test_a_broken_text_of_another_language_gives_the_safe_reply_in_the_pages_own(
    quick: Assistant, classifier: ScriptedClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(language: str = "en") -> Wording:
        if language == "pl":
            raise RuntimeError("broken")
        return load_wording(language)

    classifier.label = Decision.CRISIS
    assert quick.reply(POLISH).language == "pl"
    monkeypatch.setattr(module, "load_wording", load)
    assert is_safe(quick.reply(POLISH))


@pytest.mark.parametrize("decision", [Decision.CRISIS, Decision.EMERGENCY])
@pytest.mark.parametrize("break_it", [break_search, break_composing])
def test_danger_waits_for_no_search(
    quick: Assistant,
    classifier: ScriptedClassifier,
    monkeypatch: pytest.MonkeyPatch,
    decision: Decision,
    break_it: Break,
) -> None:
    break_it(quick, monkeypatch, RuntimeError("broken"))
    classifier.label = decision
    reply = quick.reply(QUESTION, region="gb")
    assert reply.decision is decision
    assert "999" in reply.body
    assert reply.support


def test_a_trace_that_fails_gives_the_safe_reply(quick: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick.guard.classifier, "nearest", failing(RuntimeError("broken")))
    assert is_safe(quick.reply(QUESTION, trace=True))
    assert quick.reply(QUESTION).decision is Decision.ANSWER


def test_one_broken_conversation_of_a_batch_leaves_the_others_their_answers(
    quick: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = quick.guard.read

    def fail_at_bread(message: str, before: Sequence[str] = (), **more: Any) -> Any:
        if "bread" in message:
            raise RuntimeError("broken")
        return read(message, before, **more)

    monkeypatch.setattr(quick.guard, "read", fail_at_bread)
    first, second, third = quick.reply_many([QUESTION, "How is bread made?", QUESTION])
    assert is_safe(second)
    assert first.body == third.body
    assert first.body.startswith(WATER)


# Vectors that make no sense


@pytest.fixture
def strict(tmp_path: Path) -> Assistant:
    """An assistant whose judge is a real one, with weights of nothing."""
    width = 64
    head = Head(
        np.zeros((width, len(LABELS)), np.float32),
        np.zeros((BUCKETS, len(LABELS)), np.float32),
        np.zeros(len(LABELS), np.float32),
    )
    judge = Classifier(head, head, [], np.zeros((0, width), np.float32), np.eye(width, dtype=np.float32), "fake")
    return small_assistant(tmp_path / "strict", judge, FakeEncoder(width))


@pytest.mark.parametrize(
    "vectors",
    [
        lambda texts: np.full((len(texts), 64), np.nan, np.float32),
        lambda texts: np.full((len(texts), 64), np.inf, np.float32),
        lambda texts: np.zeros((len(texts), 32), np.float32),
        lambda _: np.zeros((0, 64), np.float32),
        lambda _: None,
    ],
    ids=["no numbers", "infinite", "another width", "too few", "none"],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_vectors_that_make_no_sense_give_the_safe_reply(
    strict: Assistant, monkeypatch: pytest.MonkeyPatch, vectors: Callable[[Sequence[str]], Vectors]
) -> None:
    monkeypatch.setattr(strict.encoder, "encode", vectors)
    assert is_safe(strict.reply(QUESTION))
    assert all(map(is_safe, strict.reply_many([QUESTION, QUESTION])))


# Time


class Waiting(FakeEncoder):
    """Waits with what is asked until it is let go; building the index does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def encode(self, texts: Sequence[str]) -> Vectors:
        if WATER not in texts:
            self.let_go.wait(30)
        return super().encode(texts)


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Assistant]:
    encoder = Waiting()
    yield small_assistant(tmp_path / "waiting", ScriptedClassifier(Decision.ANSWER), encoder, reply_seconds=0.2)
    encoder.let_go.set()


def test_an_encoder_that_takes_too_long_gives_the_safe_reply_in_time(waiting: Assistant) -> None:
    started = time.monotonic()
    assert is_safe(waiting.reply(QUESTION, region="gb"), "gb", "timeout")
    assert time.monotonic() - started < 10


def test_many_replies_that_take_too_long_are_all_safe_and_it_recovers(waiting: Assistant) -> None:
    for _ in range(12):  # more than there are workers
        assert is_safe(waiting.reply(QUESTION), reason="timeout")
    waiting.encoder.let_go.set()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 20
    while (reply := waiting.reply(QUESTION)).decision is not Decision.ANSWER:
        assert is_safe(reply, reason="timeout")
        assert time.monotonic() < deadline


def test_a_search_that_takes_too_long_gives_the_safe_reply(
    quick: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = small_assistant(tmp_path / "slow", quick.guard.classifier, FakeEncoder(), reply_seconds=0.2)
    let_go = threading.Event()
    monkeypatch.setattr(slow.search, "find", lambda *_: let_go.wait(30))
    assert is_safe(slow.reply(QUESTION), reason="timeout")
    let_go.set()


def test_without_a_thread_that_waits_it_is_the_same(
    quick: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def many() -> list[Reply]:
        return await asyncio.gather(*(quick.areply(QUESTION) for _ in range(40)))

    whole = quick.reply(QUESTION)
    assert [reply.body for reply in asyncio.run(many())] == [whole.body] * 40
    slow = small_assistant(tmp_path / "slow", quick.guard.classifier, FakeEncoder(), reply_seconds=0.2)
    let_go = threading.Event()
    monkeypatch.setattr(slow.search, "find", lambda *_: let_go.wait(30))
    assert is_safe(asyncio.run(slow.areply(QUESTION)), reason="timeout")
    let_go.set()
    assert "never retrieved" not in caplog.text


def test_an_error_of_the_workers_is_told_by_its_type_only(
    quick: Assistant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    break_passes(quick, monkeypatch, RuntimeError(f"about {QUESTION}"))
    assert is_safe(asyncio.run(quick.areply(QUESTION)))
    gc.collect()
    assert "RuntimeError" in caplog.text
    assert QUESTION not in caplog.text


def test_workers_that_are_shut_down_give_the_safe_reply(quick: Assistant) -> None:
    quick._readers.shutdown()
    assert is_safe(quick.reply(QUESTION))


# What the caller gets wrong


@pytest.mark.parametrize("region", ["atlantis", "g b"])
def test_an_unknown_region_is_the_callers_error(quick: Assistant, region: str) -> None:
    with pytest.raises(SettingsError, match="Unknown region"):
        quick.reply(QUESTION, region=region)
    with pytest.raises(SettingsError, match="Unknown region"):
        list(quick.stream(QUESTION, region=region))
    with pytest.raises(SettingsError, match="Unknown region"):
        list(quick.reply_many([QUESTION], region=region))


@pytest.mark.parametrize("said", [None, 5, b"Hi", [], [{"role": "user"}], [{"role": "boss", "content": "Hi"}]])
def test_what_is_no_conversation_is_the_callers_error(quick: Assistant, said: Any) -> None:
    with pytest.raises(InputError):
        quick.reply(said)


# What a visitor may write


@pytest.mark.parametrize("text", ["", " \n\t", "\x00\x07", "\u200b\u2060\ufeff", "\ud83d", "\u0301"])
def test_nothing_to_read_is_asked_for_again(quick: Assistant, text: str) -> None:
    reply = quick.reply(text)
    assert reply.body == load_wording().replies.empty
    assert reply.text.endswith(load_wording().disclaimer)


def test_a_message_that_is_too_long_is_refused_with_its_limit(quick: Assistant) -> None:
    limit = quick.settings.max_characters
    assert quick.reply("clean water " * 5000).body == load_wording().replies.too_long.format(limit=limit)
    assert quick.reply("water " * (limit // 6)).body != load_wording().replies.too_long.format(limit=limit)


@pytest.mark.parametrize("decision", [Decision.CRISIS, Decision.EMERGENCY])
def test_danger_in_a_message_that_is_too_long_comes_first(
    quick: Assistant, classifier: ScriptedClassifier, decision: Decision
) -> None:
    classifier.label = decision
    reply = quick.reply("x " * 25_000, region="gb")
    assert reply.decision is decision
    assert "999" in reply.body
    assert reply.support


ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=400)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY, before=st.lists(ANY, max_size=2), label=st.sampled_from(Decision))
def test_any_text_gets_a_reply_with_its_disclaimer(
    quick: Assistant, classifier: ScriptedClassifier, text: str, before: list[str], label: Decision
) -> None:
    classifier.label = label
    reply = quick.reply([{"role": "user", "content": said} for said in (*before, text)])
    assert reply.text.endswith(load_wording(reply.language).disclaimer)
    assert reply.text.startswith(reply.body)
    reply.text.encode()  # no lone surrogate of the visitor's comes back


def test_a_stream_gives_the_text_in_pieces_and_at_last_the_reply(quick: Assistant) -> None:
    *sentences, reply = quick.stream("How is bread made?")
    assert isinstance(reply, Reply)
    assert reply.body.startswith(BREAD)
    assert len(sentences) > 5
    assert "".join(map(str, sentences)) == reply.text
