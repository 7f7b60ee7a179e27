"""What a visitor writes is nowhere afterwards: in no log record, in no file, not on the terminal."""

from __future__ import annotations

import logging
import tempfile
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from askdmt import assistant as module
from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.encoder import Vectors
from askdmt.guardrails import input_guard
from fakes import WATER, FakeEncoder, ScriptedClassifier, small_assistant


@pytest.fixture(autouse=True)
def every_logger(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every logger that there is report everything."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.root.manager, "disable", 0)
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            monkeypatch.setattr(logger, "level", logging.DEBUG)
            monkeypatch.setattr(logger, "propagate", True)
            monkeypatch.setattr(logger, "disabled", False)
            monkeypatch.setattr(logger, "_cache", {})


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Work in an empty folder, with an empty folder for temporary files; these are searched afterwards."""
    folders = [tmp_path / "here", tmp_path / "temporary"]
    for folder in folders:
        folder.mkdir()
    monkeypatch.chdir(folders[0])
    monkeypatch.setenv("TMPDIR", str(folders[1]))
    monkeypatch.setattr(tempfile, "tempdir", str(folders[1]))
    return folders


def new_mark() -> str:
    """Return a word that stands nowhere yet; made once the index is open, since Chroma writes unused memory then."""
    return f"mark{uuid.uuid4().hex}"


def is_nowhere(
    mark: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], folders: Sequence[Path]
) -> bool:
    records = [f"{record.getMessage()} {record.exc_info} {record.__dict__}" for record in caplog.records]
    said = [*records, caplog.text, *capfd.readouterr()]
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert not [text for text in said if mark in text]
    assert not [file for file in files if mark.encode() in file.read_bytes() or mark in file.name]
    return True


def fails(*arguments: object, **named: object) -> None:
    """Fail as a careless library would, with what it was given in the message."""
    raise RuntimeError(f"cannot read {arguments} {named}")


def break_nothing(_: Assistant, __: pytest.MonkeyPatch) -> None:
    pass


def break_encoder(quick: Assistant, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quick.encoder, "encode", fails)


def break_judge(quick: Assistant, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quick.guard.classifier, "judge", fails)


def break_rules(_: Assistant, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(input_guard, "matching_rules", fails)


def break_reading(quick: Assistant, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quick.guard, "read", fails)


def break_search(quick: Assistant, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quick.search, "find", fails)


def break_composing(_: Assistant, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(module, "compose", fails)


BREAKS = [break_nothing, break_encoder, break_judge, break_rules, break_reading, break_search, break_composing]


@pytest.mark.parametrize("break_it", BREAKS)
@pytest.mark.parametrize("decision", [Decision.ANSWER, Decision.CRISIS])
def test_a_question_is_in_no_log_record_file_or_output_whatever_fails(
    quick: Assistant, classifier: ScriptedClassifier, decision: Decision, places: list[Path],
    break_it: Callable[[Assistant, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    classifier.label = decision
    break_it(quick, monkeypatch)
    mark = new_mark()
    question = f"Is tap water clean, {mark}?"
    messages = [{"role": "user", "content": question}] * 3
    replies = [quick.reply(question), quick.reply(messages, trace=True), *quick.reply_many([question, messages])]
    assert all(reply.disclaimer in reply.text for reply in replies)
    assert not any(mark in reply.text for reply in replies)
    assert is_nowhere(mark, caplog, capfd, [*places, quick.settings.cache, quick.knowledge.folder])
    if decision is Decision.ANSWER:  # danger waits for no search
        logged = [record for record in caplog.records if record.name.startswith("askdmt")]
        assert bool(logged) is (break_it is not break_nothing)


def test_a_question_that_takes_too_long_is_in_no_log_record(
    tmp_path: Path, places: list[Path], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    release = threading.Event()

    class Slow(FakeEncoder):
        def encode(self, texts: Sequence[str]) -> Vectors:
            if WATER not in texts:
                release.wait(30)
            return super().encode(texts)

    slow = small_assistant(tmp_path / "small", ScriptedClassifier(Decision.ANSWER), Slow(), reply_seconds=0.1)
    mark = new_mark()
    slow.reply(f"Is tap water clean, {mark}?")
    release.set()
    assert "longer than 0.1 s" in caplog.text
    assert is_nowhere(mark, caplog, capfd, [*places, tmp_path / "small"])


def test_the_shipped_assistant_leaves_no_trace_of_a_question(
    assistant: Assistant, places: list[Path], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = new_mark()
    questions = [
        f"What is DMT? {mark}",
        f"{mark} how much should I take",
        f"Ich heiße {mark} und möchte wissen, was in der Studie herauskam, bitte auf Deutsch",
        f"\ud83d{mark}\x1b[2J" + "x" * 50_000,
    ]
    for question in questions:
        assert mark not in assistant.reply(question).text
    assert len(list(assistant.reply_many(questions))) == len(questions)
    assert is_nowhere(mark, caplog, capfd, [*places, assistant.settings.cache])
