"""The log of a server: one line an event, as JSON or for people. No line can hold what a visitor wrote.

Our own lines are fixed words with the fields named below. Libraries may quote what they were given, so of theirs only
logger, level, place and the error's type are written; so it is with errors that nobody caught.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from askdmt.settings import Settings

_OURS = "askdmt"
_PLAIN = "uvicorn.error"  # its messages are fixed words; what they are filled with is left out
_FIELDS = frozenset(
    "channel decision rule milliseconds stages failure "  # of a reply
    "result knowledge sections helpful".split()  # of the rest
)
_SENTENCES = frozenset(["problem"])  # on the operator's own files
_WORD = re.compile(r"[\w.:-]{1,64}", re.ASCII)  # what a field may say: a name, never a sentence
_MOST_FRAMES = 12


def configure_logging(settings: Settings) -> None:
    """Send every log line of this process, and every error that nobody catches, to standard error without texts."""
    handler = logging.StreamHandler()
    handler.addFilter(_is_wanted)
    handler.setFormatter(_formatter(settings.log_format))
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


class _OneWay(logging.Logger):
    """A logger whose lines go to the root's handler only, whatever handlers a library gives it later."""

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802
        logging.root.callHandlers(record)


def _is_wanted(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or _is_ours(record) or record.name == _PLAIN


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.split(".")[0] == _OURS


def _formatter(style: str) -> structlog.stdlib.ProcessorFormatter:
    renderer: Any = structlog.processors.JSONRenderer()
    if style == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    return structlog.stdlib.ProcessorFormatter(processors=[_without_texts, stamp, renderer], use_get_message=False)


def _without_texts(_: Any, __: str, given: EventDict) -> EventDict:
    """Return what may be written of a line, made anew from what is known to be harmless."""
    record: logging.LogRecord = given["_record"]
    line: dict[str, Any] = {"level": record.levelname.lower(), "logger": record.name}
    if _is_ours(record):
        line["event"] = record.getMessage()
        line.update((name, value) for name, value in vars(record).items() if _may_be_said(name, value))
    elif record.name == _PLAIN and isinstance(record.msg, str):
        line["event"] = record.msg.strip()
    else:
        line.update(event="a library's message", where=f"{record.filename}:{record.lineno}")
    if error := (given.get("exc_info") or (None, None))[1]:
        line.update(_told(error))
    return line


def _may_be_said(name: str, value: object) -> bool:
    return name in _SENTENCES or (name in _FIELDS and _is_harmless(value))


def _is_harmless(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_harmless, [*value, *value.values()]))
    return isinstance(value, bool | int | float) or bool(isinstance(value, str) and _WORD.fullmatch(value))


def _told(error: BaseException) -> dict[str, Any]:
    """Return an error's type and where it came from, without its message, which may quote a visitor."""
    trace = extract_tb(error.__traceback__)
    frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in trace]
    return {"error": type(error).__name__, "frames": frames[-_MOST_FRAMES:]}


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger(_OURS).critical("an error was not caught", exc_info=error and (kind, error, trace))
