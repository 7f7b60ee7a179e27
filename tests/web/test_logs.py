"""The log of a server: what it says, and that it cannot say what a visitor wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PRIVATE = "zanzibar-lighthouse-seventeen"

BEGIN = """
import logging, sys, threading, warnings
from askdmt.settings import Settings
from askdmt.web.logs import configure_logging
early = logging.getLogger("early")
early.addHandler(logging.StreamHandler())
configure_logging(Settings(log_level={level!r}, log_format={style!r}))
log = logging.getLogger("askdmt.web")
def said(event, **fields):
    log.error(event, extra=fields)
private = sys.argv[1]
def fail():
    raise ValueError(private)
"""
CARELESS = [
    "said('replied', decision='answer', text=private)",
    "said('replied', rule=f'because of {private}')",
    "said('replied', stages={f'on {private}': 1})",
    "logging.getLogger('library').error('cannot read ' + private)",
    "logging.getLogger('library').error('cannot read %s', private)",
    "logging.getLogger('library').error('%d', private)",
    "logging.getLogger('library').debug(private)",
    "early.error(private)",
    "late = logging.getLogger('late'); late.addHandler(logging.StreamHandler()); late.propagate = False",
    "late.error(private)",
    "logging.getLogger('uvicorn.error').error('cannot read %s', private)",
    "warnings.warn(private)",
    "try: fail()\nexcept ValueError: log.exception('failed')",
    "try: fail()\nexcept ValueError: logging.getLogger('uvicorn.error').exception('failed')",
    "thread = threading.Thread(target=fail); thread.start(); thread.join()",
    "import traceback\ntry: fail()\nexcept ValueError: traceback.print_exc()",
    "class Thing:\n    def __del__(self): fail()\nThing()",
    "fail()",
]


def run(code: str, *, style: str = "json", level: str = "debug") -> str:
    """Return what a process says on both outputs."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN.format(style=style, level=level) + code, PRIVATE],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.stdout + done.stderr


def lines(code: str, **how: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(code, **how).splitlines()]


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_careless_line_does_not_quote_the_visitor(style: str) -> None:
    numbered = [f"private = sys.argv[1] + '-{number}'\n{code}" for number, code in enumerate(CARELESS)]
    said = run("\n".join(numbered), style=style)
    assert [line for line in said.splitlines() if PRIVATE in line] == []
    assert said.count("a library's message") == 6  # of libraries, of which one is a warning
    assert said.count("an error was not caught") == 3
    assert said.count("an error was printed") == 1


def test_a_line_says_what_happened_in_fields() -> None:
    (line,) = lines("said('replied', decision='answer', rule='classifier:message', milliseconds=12.5)")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "error", "logger": "askdmt.web", "event": "replied", "decision": "answer",
        "rule": "classifier:message", "milliseconds": 12.5,
    }  # fmt: skip


def test_an_error_is_told_by_type_and_place() -> None:
    (line,) = lines("fail()")
    assert (line["event"], line["error"], line["level"]) == ("an error was not caught", "ValueError", "critical")
    assert [frame.split()[1] for frame in line["frames"]] == ["<module>", "fail"]


def test_a_line_is_filled_in() -> None:
    (line,) = lines("logging.getLogger('askdmt').error('reading failed: %s', 'ValueError')")
    assert line["event"] == "reading failed: ValueError"


def test_a_librarys_warning_is_told_by_its_place() -> None:
    (line,) = lines("logging.getLogger('library').warning('cannot read ' + private)")
    assert (line["logger"], line["where"]) == ("library", "<string>:14")


def test_lines_below_the_level_are_left_out() -> None:
    said = lines("log.info('small')\nlogging.getLogger('askdmt').info('small')\nlog.warning('large')", level="warning")
    assert [line["event"] for line in said] == ["large"]


def test_the_console_shows_no_colours_to_a_file() -> None:
    assert "\x1b" not in run("said('replied', decision='answer')", style="console")
