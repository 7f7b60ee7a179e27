"""Transcripts in a real database: what is kept, and that what is deleted is gone from the disk."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from askdmt.decisions import Decision
from askdmt.errors import SettingsError, TranscriptsError
from askdmt.reply import Reply
from askdmt.settings import Settings
from askdmt.transcripts.store import Transcripts
from askdmt.wording import load_wording

TODAY = date(2026, 11, 27)
MARK = "lighthouse"


def reply(decision: Decision = Decision.ANSWER) -> Reply:
    return load_wording().reply(decision, "Tap water is clean. [1]", trace={"rule": "classifier:message"})


@pytest.fixture
def kept(database: tuple[str, Path]) -> Iterator[Transcripts]:
    transcripts = Transcripts(database[0], retention_days=30)
    yield transcripts
    transcripts.close()


def on_disk(transcripts: Transcripts, place: Path, mark: str) -> list[str]:
    """Return the files that hold a text; of PostgreSQL, those of the table, as its log of changes has its own end."""
    if transcripts._engine.dialect.name == "postgresql":
        with transcripts._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("CHECKPOINT"))
        files = (place / "base").rglob("*")
    else:
        files = place.rglob("*")
    return [file.name for file in files if file.is_file() and mark.encode() in file.read_bytes()]


def test_nothing_is_kept_unless_a_database_is_named() -> None:
    assert Transcripts.of(Settings()) is None


def test_a_question_is_kept_redacted_with_its_reply(kept: Transcripts) -> None:
    answer = reply()
    kept.keep("I'm Anna, jo@mail.example. Is tap water clean?", answer, "embed", TODAY)
    (row,) = kept.read()
    assert row.question == "I'm [name], [e-mail]. Is tap water clean?"
    assert (row.reply_id, row.day, row.channel, row.decision) == (answer.id, TODAY, "embed", "answer")
    assert (row.rule, row.body, row.helpful) == ("classifier:message", "Tap water is clean. [1]", None)


def test_they_are_read_by_decision_and_by_vote(kept: Transcripts) -> None:
    first, second = reply(), reply(Decision.REFUSE_DOSING)
    for number, answer in enumerate((first, second)):
        kept.keep(f"question {number}", answer, "page", TODAY)
    kept.vote(first.id, helpful=True)
    kept.vote(second.id, helpful=False)
    kept.vote("of another deployment", helpful=False)
    assert [row.question for row in kept.read()] == ["question 0", "question 1"]
    assert [row.question for row in kept.read(decision="answer")] == ["question 0"]
    assert [(row.question, row.helpful) for row in kept.read(unhelpful=True)] == [("question 1", False)]


def test_what_is_older_than_the_retention_is_gone_from_the_disk(kept: Transcripts, database: tuple[str, Path]) -> None:
    old, young = TODAY - timedelta(days=30), TODAY - timedelta(days=29)
    for number in range(400):  # pages are split and joined
        kept.keep(f"{'old' if number % 3 else 'young'} {MARK} {'x' * (number * 7 % 900)}", reply(), "page",
                  old if number % 3 else young)  # fmt: skip
    assert on_disk(kept, database[1], f"old {MARK}")
    assert kept.purge(TODAY) == 266
    assert len(kept.read()) == 134
    assert kept.purge(TODAY) == 0
    assert on_disk(kept, database[1], f"young {MARK}")
    assert on_disk(kept, database[1], f"old {MARK}") == []


def test_one_or_all_can_be_forgotten(kept: Transcripts, database: tuple[str, Path]) -> None:
    answers = [reply() for _ in range(3)]
    for answer in answers:
        kept.keep(f"{MARK} {answer.id}", answer, "api", TODAY)
    assert kept.forget(answers[1].id) == 1
    assert [row.reply_id for row in kept.read()] == [answers[0].id, answers[2].id]
    assert on_disk(kept, database[1], f"{MARK} {answers[1].id}") == []
    assert kept.forget() == 2
    assert kept.read() == []
    assert on_disk(kept, database[1], MARK) == []


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    Transcripts(f"sqlite:///{tmp_path / 'kept.db'}", 30).close()
    assert stat.S_IMODE((tmp_path / "kept.db").stat().st_mode) == 0o600


def test_a_question_that_cannot_be_written_is_in_no_error_and_no_log(
    kept: Transcripts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    answer = reply()
    kept.keep(f"the first {MARK}", answer, "page", TODAY)
    with pytest.raises(TranscriptsError, match=r"cannot be written .IntegrityError") as caught:
        kept.keep(f"the second {MARK}", answer, "page", TODAY)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
    assert MARK not in f"{caught.value} {caught.value.__cause__}"
    assert caught.value.__suppress_context__
    assert "INSERT INTO askdmt_transcripts" in caplog.text
    assert MARK not in caplog.text


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("kept.db", "does not fit"),
        ("nothing://x", "does not fit"),
        ("mysql+pymysql://user:secret@host/base", "the driver pymysql|another database"),
    ],
)
def test_a_url_that_does_not_fit_is_an_error_without_its_password(url: str, problem: str) -> None:
    with pytest.raises((SettingsError, TranscriptsError), match=problem) as caught:
        Transcripts(url, 30)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_an_error_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(TranscriptsError, match=r"cannot be opened.*transcripts_url"):
        Transcripts(f"sqlite:///{tmp_path / 'nowhere' / 'kept.db'}", 30)
    with pytest.raises(TranscriptsError, match=r"cannot be opened .OperationalError"):
        Transcripts("postgresql+psycopg://clinic:secret@127.0.0.1:1/postgres", 30)
