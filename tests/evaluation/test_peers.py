"""The peers of evals/peers: what they are given, what they choose, and how they are counted; none is installed here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from askdmt.decisions import Decision
from askdmt.errors import InputError
from askdmt.evaluation.datasets import digest

EVALS = Path(__file__).parents[2] / "evals"
LINES = (
    {"id": "a", "text": "red red", "label": "crisis"},
    {"id": "b", "text": "green", "label": "not_in_sources"},
    {"id": "c", "turns": ["one", "two", "three", "blue blue"], "label": "refuse_dosing"},
)

Module = Callable[[str], Any]


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Module:
    """Imports a module of evals/peers."""
    monkeypatch.syspath_prepend(str(EVALS))
    return lambda name: import_module(f"peers.{name}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return path


class ColourVectors:
    """A direction for each colour."""

    def of(self, texts: Sequence[str]) -> Any:
        return np.array([[text.count(colour) for colour in ("red", "green", "blue")] for text in texts], dtype=float)


def fixed(decisions: Sequence[Decision]) -> Any:
    return SimpleNamespace(NAME="Fixed", PACKAGE="no-such-package", decide=lambda *_: ("none", list(decisions)))


def test_a_conversation_is_its_last_three_messages(peers: Module, file: Path) -> None:
    texts = [message.text for message in peers("data").load_dataset(file).messages]
    assert texts == ["red red", "green", "two [SEP] three [SEP] blue blue"]


def test_peers_learn_answer_and_not_in_sources_as_one_and_are_counted_so(peers: Module, file: Path) -> None:
    message = peers("data").load_dataset(file).messages[1]
    assert message.label is Decision.ANSWER
    assert message.item.accept == {Decision.ANSWER, Decision.NOT_IN_SOURCES}


def test_a_short_check_takes_exemplars_from_every_file(peers: Module) -> None:
    labels = {message.label for message in peers("data").load_training(200)}
    assert {Decision.CRISIS, Decision.REFUSE_SOURCING, Decision.PERSONAL_ADVICE, Decision.ANSWER} <= labels


def test_the_threshold_with_the_most_right_decisions_is_chosen(peers: Module, file: Path) -> None:
    messages = peers("data").load_dataset(file).messages
    nearest = [(Decision.CRISIS, 0.9), (Decision.CRISIS, 0.2), (Decision.REFUSE_DOSING, 0.8)]
    choice = peers("choosing").choose(nearest, messages)
    assert choice.right == 3
    assert 0.2 < choice.threshold <= 0.8
    assert choice.below is Decision.ANSWER


def test_no_threshold_is_chosen_where_none_helps(peers: Module, file: Path) -> None:
    nearest = [(Decision.CRISIS, 0.1), (Decision.ANSWER, 0.9), (Decision.REFUSE_DOSING, 0.1)]
    choice = peers("choosing").choose(nearest, peers("data").load_dataset(file).messages)
    assert str(choice) == "no threshold"


def test_the_linear_head_learns_the_exemplars(peers: Module, file: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the optional extra 'train'")
    messages = peers("data").load_dataset(file).messages
    asked = ["blue", "red", "green green"]
    _, decisions = peers("linear_head").decide(messages, messages, asked, ColourVectors())
    assert decisions == [Decision.REFUSE_DOSING, Decision.CRISIS, Decision.ANSWER]


def test_a_peer_is_counted_by_our_definitions(peers: Module, file: Path) -> None:
    dataset = peers("data").load_dataset(file)
    given = [Decision.EMERGENCY, Decision.ANSWER, Decision.ANSWER]
    side = peers("run").run_peer(fixed(given), [], [], [dataset], None)
    counts = {name: (share.count, share.total) for name, share in side.figures(dataset).items()}
    assert counts == {
        "right decision": (1, 3),
        "danger met": (1, 1),
        "risk not let through": (1, 2),
        "benign wrongly refused": (0, 1),
    }


@pytest.mark.parametrize(
    ("error", "why"),
    [(ModuleNotFoundError("gone", name="nemo"), "nemo is not installed"), (ValueError("secret"), "ValueError")],
)
def test_a_peer_that_cannot_run_says_why_and_gets_no_figure(
    peers: Module, file: Path, error: Exception, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> Any:
        raise error

    dataset = peers("data").load_dataset(file)
    side = peers("run").run_peer(
        SimpleNamespace(NAME="Broken", PACKAGE="no-such-package", decide=broken), [], [], [dataset], None
    )
    capsys.readouterr()
    scoring = peers("scoring")
    table = scoring.as_markdown([side, scoring.Side("Other", decisions={"set.jsonl": [None] * 3})], [dataset], "# Run")
    assert f"| Broken | not run: {why} |" in table
    assert side.as_dict([dataset])["results"] == [{"dataset": "set.jsonl", "not_run": why}]


def test_a_peer_that_decides_too_little_is_not_counted(
    peers: Module, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = peers("data").load_dataset(file)
    side = peers("run").run_peer(fixed([Decision.ANSWER]), [], [], [dataset], None)
    capsys.readouterr()
    assert side.not_run == "ValueError"


def test_ours_is_read_from_a_run_of_the_same_data_only(peers: Module, file: Path, tmp_path: Path) -> None:
    dataset = peers("data").load_dataset(file)
    result = {
        "dataset": "set.jsonl", "digest": digest(file),
        "decisions": {"a": "crisis", "b": "answer", "c": None},
    }  # fmt: skip
    run = {"version": "9", "date": "2026-11-27", "results": [result]}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run))
    side = peers("scoring").read_ours(path, [dataset])
    assert side.figures(dataset)["risk not let through"].count == 1
    path.write_text(json.dumps(run | {"results": [result | {"digest": "other"}]}))
    assert "another state" in peers("scoring").read_ours(path, [dataset]).why_not(dataset)


def test_a_run_that_cannot_be_read_names_the_mend(peers: Module, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="askdmt eval --out"):
        peers("scoring").read_ours(tmp_path / "none.json", [])


def test_all_peers_failing_still_writes_the_table_and_is_exit_1(
    peers: Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = peers("run")
    monkeypatch.setattr(run, "PEERS", (fixed([]),))
    monkeypatch.setattr(run.Vectors, "prepare", lambda *_: None)
    assert run.main(["--limit", "2", "--exemplars", "20", "--out", str(tmp_path)]) == 1
    assert "not run: no run given" in (tmp_path / "peers.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "peers.json").read_text())["short_check"] is True
    assert "nemoguardrails" not in sys.modules
