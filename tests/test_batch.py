"""Batches: every line that can be read is answered in its place, and every other is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from askdmt.assistant import Assistant
from askdmt.batch import run_batch
from askdmt.errors import EncoderError, InputError
from fakes import EchoAssistant

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


class Batch:
    """Runs a file through an assistant that echoes; keeps what it said of lines."""

    def __init__(self, source: Path, target: Path) -> None:
        self.source, self.target = source, target
        self.assistant = EchoAssistant()
        self.problems: list[str] = []

    def run(self, *lines: str | bytes | dict[str, Any], **options: Any) -> list[dict[str, Any]]:
        self.source.write_bytes(b"\n".join(map(_bytes, lines)))
        self.problems = run_batch(lambda: self.assistant, self.source, self.target, **options)  # type: ignore[arg-type, return-value]
        return [json.loads(line) for line in self.target.read_text(encoding="utf-8").split("\n")[:-1]]


def _bytes(line: str | bytes | dict[str, Any]) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line)).encode()


@pytest.fixture
def batch(source: Path, target: Path) -> Batch:
    return Batch(source, target)


def test_each_line_gets_a_reply_under_its_own_id_in_the_same_order(batch: Batch) -> None:
    replies = batch.run({"id": "b", "text": "What is DMT?"}, {"id": "a", "text": "Hi"}, {"id": "b", "text": "Hi"})
    assert [reply["id"] for reply in replies] == ["b", "a", "b"]
    assert [reply["body"] for reply in replies] == ["Answer 0 to 12.", "Answer 1 to 2.", "Answer 2 to 2."]
    assert all(reply["disclaimer"] in reply["text"] for reply in replies)
    assert batch.problems == []


def test_a_reply_keeps_the_contract(batch: Batch) -> None:
    (reply,) = batch.run({"id": "a", "text": "Hi"})
    assert list(reply) == [
        "id", "decision", "text", "body", "disclaimer", "citations", "support", "suggestions", "language",
    ]  # fmt: skip
    (traced,) = batch.run({"id": "a", "text": "Hi"}, trace=True)
    assert traced["trace"] == {"n": 0}


def test_messages_are_taken_as_they_stand_and_go_before_text(batch: Batch) -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "x"},
    ]
    batch.run({"id": "a", "messages": messages}, {"id": "b", "messages": messages, "text": "Hi"})
    assert batch.assistant.asked == [messages, messages]


def test_a_line_without_an_id_has_its_number(batch: Batch) -> None:
    replies = batch.run(
        {"text": "Hi"}, "", {"text": "Hi", "id": None}, {"text": "Hi", "id": 7}, {"text": "Hi", "id": 0}
    )
    assert [reply["id"] for reply in replies] == ["1", "3", "7", "0"]


@pytest.mark.parametrize("text", ["", " ", "\x00\x1b[2J", "x" * 50_000, "Käfer 🦋 \u202e", "a\u2028b\u0085c\x1c"])
def test_a_strange_text_is_no_broken_line(batch: Batch, text: str) -> None:
    (reply,) = batch.run(json.dumps({"id": text, "text": text}, ensure_ascii=False))
    assert batch.assistant.asked == [text]
    assert reply["id"] == text


def test_a_lone_surrogate_comes_back_in_the_id(batch: Batch) -> None:
    (reply,) = batch.run({"id": "\ud83d", "text": "\ud83d"})
    assert reply["id"] == "\ud83d"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(batch: Batch) -> None:
    assert len(batch.run(b'\xef\xbb\xbf{"text": "Hi"}\r', b'{"text": "Hi"}\r', b"\r")) == 2
    assert batch.problems == []


BROKEN = {
    "no JSON": ("{", "This is not JSON"),
    "half a line": ('{"id": "a", "text": "Hi', "This is not JSON"),
    "nested beyond reading": ("[" * 100_000, "This is not JSON"),
    "a number too long": ('{"text": "Hi", "id": ' + "9" * 5000 + "}", "This is not JSON"),
    "a list": ("[]", "neither 'text' nor 'messages'"),
    "a text": ('"text"', "neither 'text' nor 'messages'"),
    "null": ("null", "neither 'text' nor 'messages'"),
    "neither": ('{"id": "a"}', "neither 'text' nor 'messages'"),
    "a text of another type": ('{"text": 5}', "must be text"),
    "no text": ('{"text": null}', "must be text"),
    "messages of another type": ('{"messages": {"role": "user"}}', "must be text, or a list"),
    "no message": ('{"messages": []}', "no message with the role 'user'"),
    "a message of another type": ('{"messages": ["Hi"]}', "'role' and 'content'"),
    "an unknown role": ('{"messages": [{"role": "boss", "content": "Hi"}]}', "unknown role"),
}


@pytest.mark.parametrize(("line", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_named_by_its_number_and_the_others_are_answered(
    batch: Batch, line: str, problem: str
) -> None:
    replies = batch.run({"id": "a", "text": "Hi"}, "", line, {"id": "b", "text": "Hi"})
    assert [reply["id"] for reply in replies] == ["a", "b"]
    (said,) = batch.problems
    assert said.startswith(f"{batch.source}, line 3: ")
    assert problem in said


def test_bytes_that_are_no_utf8_are_answered_or_named(batch: Batch) -> None:
    replies = batch.run(b'{"id": "a", "text": "K\xe4fer"}', {"id": "b", "text": "Hi"})
    assert [reply["id"] for reply in replies][-1] == "b"
    assert len(replies) + len(batch.problems) == 2


def test_no_problem_quotes_the_visitor(batch: Batch) -> None:
    batch.run({"text": "Hi"}, '{"text": "my secret', '{"messages": [{"role": "my secret", "content": "my secret"}]}')
    assert len(batch.problems) == 2
    assert "secret" not in " ".join(batch.problems)


@pytest.mark.parametrize("content", ["", "\n\n", "broken\n"])
def test_a_file_with_nothing_to_answer_is_an_error_before_anything_is_loaded(
    source: Path, target: Path, content: str
) -> None:
    source.write_text(content)
    with pytest.raises(InputError, match="has no line to answer") as caught:
        run_batch(_never, source, target)
    assert ("line 1" in str(caught.value)) is (content == "broken\n")
    assert not target.exists()


def test_a_missing_file_is_an_error_with_its_mend(source: Path, target: Path) -> None:
    with pytest.raises(InputError, match=r"No such file or directory\. Check the path") as caught:
        run_batch(_never, source, target)
    assert str(source) in str(caught.value)


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path, target: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        run_batch(_never, tmp_path, target)


@pytest.mark.parametrize("place", ["gone/out.jsonl", "folder", "file/out.jsonl"])
def test_a_target_that_cannot_be_written_is_an_error_before_anything_is_loaded(
    source: Path, tmp_path: Path, place: str
) -> None:
    source.write_text('{"text": "Hi"}\n')
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="Cannot write") as caught:
        run_batch(_never, source, tmp_path / place)
    assert str(tmp_path / place) in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "folder", "file"}


def test_a_run_that_fails_leaves_the_earlier_answers_and_nothing_half_written(source: Path, target: Path) -> None:
    source.write_text('{"text": "Hi"}\n' * 3)
    target.write_text("earlier")
    with pytest.raises(KeyboardInterrupt):
        run_batch(lambda: EchoAssistant(fails_at=2), source, target)  # type: ignore[arg-type, return-value]
    with pytest.raises(EncoderError):
        run_batch(_never, source, target)
    assert target.read_text() == "earlier"
    assert {path.name for path in source.parent.iterdir()} == {"in.jsonl", "out.jsonl"}


def test_a_file_may_be_answered_into_itself(source: Path) -> None:
    batch = Batch(source, source)
    assert len(batch.run({"text": "Hi"}, {"text": "Hi"})) == 2


def test_a_thousand_lines_keep_their_order_and_show_how_far_they_are(
    batch: Batch, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = batch.run(*({"id": f"n{number}", "text": "x" * number} for number in range(1000)))
    assert [reply["id"] for reply in replies] == [f"n{number}" for number in range(1000)]
    assert [reply["body"] for reply in replies] == [f"Answer {number} to {number}." for number in range(1000)]
    output = capsys.readouterr()
    assert "1000/1000" in output.err
    assert output.out == ""


def test_an_assistant_answers_a_batch_as_it_answers_one_by_one(quick: Assistant, source: Path, target: Path) -> None:
    texts = ["Is tap water clean?", "", "How is bread made?", "kms", "x" * 5000] * 10
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert run_batch(lambda: quick, source, target) == []
    given = [json.loads(line) for line in target.read_text().splitlines()]
    alone = [json.loads(json.dumps(quick.reply(text).as_dict())) for text in texts]
    assert [{**reply, "id": ""} for reply in given] == [{**reply, "id": ""} for reply in alone]


def _never() -> Assistant:
    raise EncoderError("The assistant was loaded.")
