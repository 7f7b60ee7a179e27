"""The load test on a stand-in, for a second."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "evals"))
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "web"))
    from load import run

    yield run
    for name in ("load", "load.run"):
        sys.modules.pop(name, None)


def served(**settings: Any) -> Any:
    from standin import StandIn
    from visitor import serving

    from askdmt.web.server import create_app

    standin = StandIn(**settings)
    return serving(create_app(standin, standin.settings))


def test_visitors_ask_and_the_figures_and_curves_are_written(
    load: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--visitors", "1,4", "--seconds", "1", "--think", "0.05", "--out", str(tmp_path)]
    with served() as address:
        assert load.main(["--address", address, *given]) == 0
    figures = json.loads((tmp_path / "load.json").read_text())
    assert [step["visitors"] for step in figures["steps"]] == [1, 4]
    for step in figures["steps"]:
        assert step["answers"] > 2
        assert 0 < step["p50"] <= step["p95"] <= step["p99"]
        assert step["answers"] == sum(step["decisions"].values())
        assert step["errors"] == {}
    table = (tmp_path / "load.md").read_text()
    assert figures["date"] in table
    assert table.split("\n\n", 1)[1] == capsys.readouterr().out
    for name in ("waits.svg", "answers.svg"):
        chart = ET.parse(tmp_path / name).getroot()  # noqa: S314
        assert chart.get("aria-label")
        assert len(chart.findall("{*}polyline")) == {"waits.svg": 3, "answers.svg": 1}[name]


def test_an_error_is_counted_and_makes_the_exit_code(load: Any, tmp_path: Path) -> None:
    given = ["--visitors", "2", "--seconds", "0.5", "--think", "0.05", "--out", str(tmp_path)]
    with served(rate_limit="2/hour") as address:
        assert load.main(["--address", address, *given]) == 1
    (step,) = json.loads((tmp_path / "load.json").read_text())["steps"]
    assert step["answers"] == 2
    assert step["errors"]["429"] > 0


def test_decisions_are_mixed(load: Any) -> None:
    questions = load.Questions(seed=1)
    drawn = [tuple(message["content"] for message in questions.draw()) for _ in range(400)]
    assert len(set(drawn)) > 150
    assert {"answer", "crisis", "emergency", "refuse_dosing", "refuse_sourcing", "not_in_sources"} <= set(
        questions._by_label
    )


@pytest.mark.parametrize(
    "given",
    [
        ["--address", "https://clinic.example"], ["--address", "http://10.0.0.1:80"], ["--visitors", "1000"],
        ["--visitors", "0"], ["--seconds", "100000"],
    ],
)  # fmt: skip
def test_it_is_bounded_and_asks_this_machine_only(load: Any, given: list[str]) -> None:
    with pytest.raises(SystemExit):
        load._arguments(given)
