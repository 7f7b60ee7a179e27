"""Redacted questions and their replies in a clinic's own database, for its review; deleted after the retention.

Off unless `transcripts_url` is set. What is kept: the day, the channel, the decision and its rule, the question with
what points to a person blacked out, the reply's body, and whether it helped. No address, no hour, no conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from askdmt.errors import SettingsError, TranscriptsError
from askdmt.transcripts.redaction import load_patterns, redact

if TYPE_CHECKING:
    from askdmt.reply import Reply
    from askdmt.settings import Settings

_TABLE = sa.Table(
    "askdmt_transcripts",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("reply_id", sa.String(64), nullable=False, unique=True),
    sa.Column("day", sa.Date, nullable=False, index=True),
    sa.Column("channel", sa.String(16), nullable=False),
    sa.Column("decision", sa.String(32), nullable=False),
    sa.Column("rule", sa.String(64), nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("helpful", sa.Boolean, nullable=True),
)
# Freed pages are overwritten, and neither a journal nor a temporary file with old pages is left on the disk.
_SQLITE = ("secure_delete=ON", "journal_mode=TRUNCATE", "temp_store=MEMORY", "busy_timeout=10000")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One question and its reply, as kept."""

    reply_id: str
    day: date
    channel: str
    decision: str
    rule: str
    question: str
    body: str
    helpful: bool | None = None


class Transcripts:
    """The database of transcripts; safe to use from several threads and processes."""

    def __init__(self, url: str, retention_days: int) -> None:
        """Open the database, and make its table where there is none.

        Raises:
            SettingsError: the URL does not fit, or its driver is not installed.
            TranscriptsError: the database cannot be opened.
        """
        self.retention = timedelta(days=retention_days)
        load_patterns()
        self._engine = _engine(url)
        with _told("opened"):
            _TABLE.metadata.create_all(self._engine)

    @classmethod
    def of(cls, settings: Settings) -> Transcripts | None:
        """Return the transcripts that the settings ask for; None if they ask for none."""
        return cls(settings.transcripts_url, settings.retention_days) if settings.transcripts_url else None

    def keep(self, question: str, reply: Reply, channel: str, today: date) -> None:
        """Keep a question, redacted, and its reply.

        Raises:
            TranscriptsError: it cannot be written.
        """
        row = Transcript(
            reply.id, today, channel, reply.decision.value, str((reply.trace or {}).get("rule") or ""),
            redact(question), reply.body,
        )  # fmt: skip
        with _told("written"), self._engine.begin() as connection:
            connection.execute(sa.insert(_TABLE), asdict(row))

    def vote(self, reply_id: str, *, helpful: bool) -> None:
        """Note whether a reply helped, if its transcript is kept.

        Raises:
            TranscriptsError: it cannot be written.
        """
        with _told("written"), self._engine.begin() as connection:
            connection.execute(sa.update(_TABLE).where(_TABLE.c.reply_id == reply_id).values(helpful=helpful))

    def read(self, *, decision: str | None = None, unhelpful: bool = False) -> list[Transcript]:
        """Return what is kept, oldest first.

        Raises:
            TranscriptsError: it cannot be read.
        """
        columns = [_TABLE.c[name] for name in Transcript.__dataclass_fields__]
        query = sa.select(*columns).order_by(_TABLE.c.day, _TABLE.c.id)
        if decision:
            query = query.where(_TABLE.c.decision == decision)
        if unhelpful:
            query = query.where(_TABLE.c.helpful.is_(False))
        with _told("read"), self._engine.connect() as connection:
            return [Transcript(*row) for row in connection.execute(query)]

    def purge(self, today: date) -> int:
        """Delete what is older than the retention, for good; return how many were deleted.

        Raises:
            TranscriptsError: it cannot be deleted.
        """
        return self._delete(_TABLE.c.day <= today - self.retention)

    def forget(self, reply_id: str | None = None) -> int:
        """Delete one transcript, or all of them, for good; return how many were deleted.

        Raises:
            TranscriptsError: it cannot be deleted.
        """
        return self._delete(_TABLE.c.reply_id == reply_id if reply_id else sa.true())

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _delete(self, which: Any) -> int:
        with _told("deleted"):
            with self._engine.begin() as connection:
                deleted = connection.execute(sa.delete(_TABLE).where(which)).rowcount
            if deleted:
                self._overwrite()
        return deleted

    def _overwrite(self) -> None:
        """Write the table anew, so that nothing that was deleted is left in its file."""
        full = f"VACUUM FULL {_TABLE.name}" if self._engine.dialect.name == "postgresql" else "VACUUM"
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(full))


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.make_url(url)
        # Errors and SQLAlchemy's own log would otherwise hold what is written.
        engine = sa.create_engine(address, hide_parameters=True, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        mend = "Install it, for PostgreSQL with: pip install 'askdmt[postgresql]'."
        raise SettingsError(f"The setting 'transcripts_url' needs the driver {error.name}.", mend) from None
    except (SQLAlchemyError, ValueError):
        mend = "Write sqlite:////folder/file.db or postgresql+psycopg://user:password@host/database."
        raise SettingsError("The setting 'transcripts_url' does not fit.", mend) from None
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise SettingsError("The setting 'transcripts_url' names another database.", "Use SQLite or PostgreSQL.")
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, address.database or "")
    return engine


def _prepare_sqlite(engine: sa.Engine, file: str) -> None:
    if file and file != ":memory:":
        with _told("opened"):
            Path(file).touch(mode=0o600)

    @sa.event.listens_for(engine, "connect")
    def begin(connection: Any, _: Any) -> None:
        for pragma in _SQLITE:
            connection.execute(f"PRAGMA {pragma}")


@contextmanager
def _told(done: str) -> Iterator[None]:
    """Turn a database's error into ours, by its type only: its message may hold what was to be written."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        mend = "Check 'transcripts_url', and that the database is there, is ours to write in and has room."
        raise TranscriptsError(f"The transcripts cannot be {done} ({type(error).__name__}).", mend) from None
