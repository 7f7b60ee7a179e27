"""Answers a JSONL file of questions, keeping its order."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from errno import EISDIR
from pathlib import Path
from typing import TYPE_CHECKING, Any

from askdmt.conversation import Conversation
from askdmt.errors import InputError
from askdmt.progress import bar

if TYPE_CHECKING:
    from askdmt.assistant import Assistant, Said


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    id: str
    said: Said


def run_batch(load: Callable[[], Assistant], source: Path, target: Path, *, trace: bool = False) -> list[str]:
    """Answer every readable line of `source` into `target`; return a sentence for each line that is not.

    `target` appears only when all lines are answered; nothing is left of a run that fails. The assistant is loaded
    after the input was read.

    Raises:
        InputError: `source` cannot be read or has nothing to answer, or `target` cannot be written.
    """
    lines, problems = _read(source)
    if not lines:
        raise InputError(
            f"{source} has no line to answer. {' '.join(problems[:1])}".strip(), 'Write {"id","text"} lines.'
        )
    unfinished = target.with_name(f"{target.name}.part")
    try:
        with _writing(target):
            unfinished.touch()
        assistant = load()
        with _writing(target):
            _answer(assistant, lines, unfinished, trace)
            unfinished.replace(target)
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return problems


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        if target.is_dir():
            raise IsADirectoryError(EISDIR, "it is a folder")
        yield
    except OSError as error:
        raise InputError(f"Cannot write {target}: {error.strerror}.", "Choose another place.") from error


def _answer(assistant: Assistant, lines: list[_Line], unfinished: Path, trace: bool) -> None:
    done = 0
    # A lone surrogate, which an id may hold, is written as its JSON escape.
    with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as out, bar("Answering") as advance:
        advance(0, len(lines))

        def count(answered: int) -> None:
            nonlocal done
            done += answered
            advance(done, len(lines))

        replies = assistant.reply_many([line.said for line in lines], trace=trace, progress=count)
        for line, reply in zip(lines, replies, strict=True):
            out.write(json.dumps({**reply.as_dict(), "id": line.id}, ensure_ascii=False) + "\n")


def _read(source: Path) -> tuple[list[_Line], list[str]]:
    lines: list[_Line] = []
    problems: list[str] = []
    try:
        content = source.read_bytes().removeprefix(BOM_UTF8)
    except OSError as error:
        raise InputError(f"Cannot read {source}: {error.strerror}.", "Check the path.") from error
    for number, raw in enumerate(content.split(b"\n"), start=1):
        if not raw.strip():
            continue
        try:
            lines.append(_parse(number, raw))
        except InputError as error:
            problems.append(f"{source}, line {number}: {error}")
    return lines, problems


def _parse(number: int, raw: bytes) -> _Line:
    try:
        data: Any = json.loads(raw.decode("utf-8", errors="surrogateescape"))
    except (ValueError, RecursionError):
        raise InputError("This is not JSON.", "The other lines were answered.") from None
    if not isinstance(data, dict) or not ({"text", "messages"} & set(data)):
        raise InputError("This has neither 'text' nor 'messages'.", "The other lines were answered.")
    said = data["messages"] if "messages" in data else data["text"]
    Conversation.of(said)
    given = data.get("id")
    return _Line(number, str(number if given is None else given), said)
