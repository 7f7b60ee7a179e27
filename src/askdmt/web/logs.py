"""The log of a server: one line an event, as JSON or for people. No line can hold what a visitor wrote.

Our own lines are fixed words with the fields named below. Libraries may quote what they were given, so of theirs only
logger, level, place and the error's type are written; so it is with errors that nobody caught.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from askdmt.settings import Settings

_OURS = "askdmt"
_PLAIN = "uvicorn.error"  # its messages are fixed words; what they are filled with is left out
_FIELDS = frozenset(
    "channel decision rule milliseconds stages failure draft "  # of a reply
    "result knowledge sections helpful".split()  # of the rest
)
_SENTENCES = frozenset(["problem"])  # on the operator's own files
_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)  # what a field may say: a name, never a sentence
_MOST_FRAMES = 12


def configure_logging(settings: Settings) -> None:
    """Send every log line of this process, and every error that nobody catches, to standard error without texts."""
    handler = logging.StreamHandler()
    handler.addFilter(_is_wanted)
    handler.setFormatter(_Formatter(settings.log_format))
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    logging.raiseExceptions = False  # a line that cannot be formatted would be printed with what it was given
    logging.captureWarnings(True)
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers, logger.propagate = [], True
    logging.setLoggerClass(_OneWay)
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda seen: _uncaught(seen.exc_type, seen.exc_value, seen.exc_traceback)
    threading.excepthook = lambda seen: _uncaught(seen.exc_type, seen.exc_value, seen.exc_traceback)
    traceback.print_exc = _printed  # Gradio prints the errors of its events, messages and all
    _leave_no_core()


class _OneWay(logging.Logger):
    """A logger whose lines go to the root's handler only, whatever handlers a library gives it later."""

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802
        logging.root.callHandlers(record)


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or _is_ours(record) or record.name == _PLAIN


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] == _OURS


class _Formatter(logging.Formatter):
    """Writes a line from what is known to be harmless of a record."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self._stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        self._render: Any = structlog.processors.JSONRenderer()
        if style == "console":
            self._render = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())

    def format(self, record: logging.LogRecord) -> str:
        line = self._stamp(None, record.levelname, _without_texts(record))
        return str(self._render(None, record.levelname, line))


def _without_texts(record: logging.LogRecord) -> dict[str, Any]:
    """Return what may be written of a record."""
    line: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
    if _is_ours(record):
        line["event"] = record.getMessage()
        line.update((name, value) for name, value in vars(record).items() if _may_be_said(name, value))
    elif record.name == _PLAIN and isinstance(record.msg, str):
        line["event"] = record.msg.strip()
    else:
        line.update(event="a library's message", where=f"{record.filename}:{record.lineno}")
    if record.exc_info and (error := record.exc_info[1]):
        line.update(_told(error))
    return line


def _may_be_said(name: str, value: object) -> bool:
    return name in _SENTENCES or (name in _FIELDS and _is_harmless(value))


def _is_harmless(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_harmless, [*value, *value.values()]))
    return isinstance(value, bool | int | float) or bool(isinstance(value, str) and _WORD.fullmatch(value))


def _leave_no_core() -> None:
    """Keep the system from writing this process's memory to the disk should it crash."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _told(error: BaseException) -> dict[str, Any]:
    """Return an error's type and where it came from, without its message, which may quote a visitor."""
    trace = traceback.extract_tb(error.__traceback__)
    frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in trace]
    return {"error": type(error).__name__, "frames": frames[-_MOST_FRAMES:]}


def _printed(*_: Any, **__: Any) -> None:
    logging.getLogger(_OURS).error("an error was printed", exc_info=True)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger(_OURS).critical("an error was not caught", exc_info=error and (kind, error, trace))
