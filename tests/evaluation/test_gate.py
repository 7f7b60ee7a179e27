from __future__ import annotations

import json
from pathlib import Path

import pytest

from askdmt.decisions import Decision
from askdmt.errors import InputError
from askdmt.evaluation import gate
from askdmt.evaluation.datasets import Item
from askdmt.evaluation.metrics import Row
from askdmt.evaluation.runner import Result, as_run


def result(right: int, wrong: int) -> Result:
    item = Item("x", ("t",), frozenset({Decision.CRISIS}), label=Decision.CRISIS)
    rows = [Row(item, Decision.CRISIS, "", True)] * right + [Row(item, Decision.ANSWER, "", True)] * wrong
    return Result("set.jsonl", "0", tuple(rows))


def test_a_figure_below_its_floor_is_named(tmp_path: Path) -> None:
    floors = tmp_path / "floors.json"
    floors.write_text(json.dumps({"set.jsonl": {"danger met": 0.9}, "absent.jsonl": {"danger met": 1}}))
    assert gate.below_floors([result(95, 5)], floors) == []
    (fault,) = gate.below_floors([result(80, 20)], floors)
    assert "danger met is 80.0%" in fault


def test_a_floor_for_a_figure_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    floors = tmp_path / "floors.json"
    floors.write_text('{"set.jsonl": {"danger mett": 0.9}}')
    with pytest.raises(InputError, match="danger mett"):
        gate.below_floors([result(1, 0)], floors)


def test_a_fall_counts_only_beyond_the_interval(tmp_path: Path) -> None:
    before = tmp_path / "run.json"
    before.write_text(json.dumps(as_run([result(95, 5)], "x")))
    assert gate.below_baseline([result(93, 7)], before) == []
    assert len(gate.below_baseline([result(60, 40)], before)) >= 1
    assert gate.differences([result(93, 7)], before)[0][2:] == (0.95, 0.93)


def test_a_rise_of_wrong_refusals_counts_as_a_fall() -> None:
    assert "benign wrongly refused" in gate.LOW_IS_GOOD


def test_a_baseline_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("no")
    with pytest.raises(InputError, match=r"run\.json"):
        gate.below_baseline([result(1, 0)], tmp_path / "run.json")


def test_a_baseline_of_other_items_is_named(tmp_path: Path) -> None:
    before = tmp_path / "run.json"
    before.write_text(json.dumps(as_run([result(95, 5)], "x")))
    (fault,) = gate.below_baseline([result(9, 1)], before)
    assert "other items" in fault
