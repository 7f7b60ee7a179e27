"""The benchmark's arithmetic and its simulation; that it runs is for `make bench ARGS=--short` to show."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from askdmt.assistant import Assistant
from askdmt.passes import MOST_TEXTS

ROOT = Path(__file__).parents[2]
MODULES = ("figures", "profiling", "questions", "simulate", "run")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "evals"))
        yield SimpleNamespace(**{name: import_module(f"bench.{name}") for name in MODULES})
        for name in [name for name in sys.modules if name.partition(".")[0] in ("bench", "load")]:
            del sys.modules[name]


def figure(bench: Any, ours: float, bar: str, theirs: float | None = None) -> Any:
    spread = bench.figures.Spread.of
    return bench.figures.Figure("reply", "ms", spread([ours]), bar, "plain", spread([theirs]) if theirs else None)


# Figures


def test_a_spread_has_the_median_and_the_outer_tenths(bench: Any) -> None:
    spread = bench.figures.Spread.of([float(value) for value in range(100, -1, -1)])
    assert (spread.median, spread.low, spread.high, spread.count) == (50, 10, 90, 101)
    assert str(spread) == "50 (10–90)"
    assert str(bench.figures.Spread.of([2.0])) == "2"


@pytest.mark.parametrize(
    ("ours", "theirs", "bar", "reached"),
    [(5, 10, "≤ 0.5", True), (6, 10, "≤ 0.5", False), (9, 10, "≥ 0.8", True), (300, None, "≤ 300", True),
     (301, None, "≤ 300", False), (1, 2, "", None)],
)  # fmt: skip
def test_the_bar_is_for_the_ratio_where_there_is_one(
    bench: Any, ours: float, theirs: float | None, bar: str, reached: bool | None
) -> None:
    assert figure(bench, ours, bar, theirs).reached is reached


def test_the_table_says_what_is_missed(bench: Any) -> None:
    table = bench.figures.as_table([figure(bench, 6, "≤ 0.5", 10), figure(bench, 300, "≤ 300")])
    assert "| reply | 6 ms | 10 ms, plain | 0.60 | ≤ 0.5 | **missed** |" in table
    assert "| reply | 300 ms |  |  | ≤ 300 | reached |" in table


def test_what_was_found_is_written_with_its_date_and_machine(bench: Any, tmp_path: Path) -> None:
    part = bench.figures.Part([figure(bench, 6, "≤ 0.5", 10)], {"latency.svg": {"ours": [(1.0, 0.5), (2.0, 1.0)]}})
    bench.run.write(SimpleNamespace(out=tmp_path, short=False), {"latency": part})
    whole = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert whole["figures"][0]["value"] == 0.6
    assert whole["figures"][0]["reached"] is False
    assert whole["date"] in (tmp_path / "bench.md").read_text(encoding="utf-8")
    chart = ET.parse(tmp_path / "latency.svg").getroot()  # noqa: S314
    assert whole["machine"] in str(chart.get("aria-label"))


@pytest.mark.parametrize(
    "given", [["--sizes", "2000000"], ["--sizes", "0"], ["--parts", "guess"], ["--batch", "-1"], ["--rounds", "x"]]
)
def test_what_cannot_be_measured_is_refused(bench: Any, given: list[str]) -> None:
    with pytest.raises(SystemExit):
        bench.run._arguments(given)


def test_a_short_check_overwrites_no_result(bench: Any) -> None:
    assert bench.run._arguments(["--short"]).out.name == "latest"
    assert bench.run._arguments([]).out.name == "results"


def test_the_questions_are_mixed_and_the_same_each_time(bench: Any) -> None:
    questions = bench.questions.mixed()
    assert len(set(questions)) == len(questions) == 140
    assert bench.questions.mixed() == questions


# Simulation

MILLISECOND = 0.001


@pytest.fixture
def costs(bench: Any) -> Any:
    return bench.simulate.Costs(
        read=2 * MILLISECOND, finish=4 * MILLISECOND, a_pass=8 * MILLISECOND, a_text=4 * MILLISECOND, texts=1.0, cores=2
    )


def test_a_visitor_who_is_alone_waits_as_long_as_the_work_takes(bench: Any, costs: Any) -> None:
    alone = bench.simulate.simulate(costs, rate=0.5, seconds=2000)
    assert sum(alone.waits) / len(alone.waits) == pytest.approx(18 * MILLISECOND, rel=0.05)


def test_every_visitor_gets_a_reply_and_more_of_them_wait_longer(bench: Any, costs: Any) -> None:
    p99 = []
    for rate in (5, 40, 80):
        replica = bench.simulate.simulate(costs, rate, seconds=60)
        assert len(replica.waits) == pytest.approx(60 * rate, rel=0.2)
        assert replica.busy == 0
        assert [*replica.python, *replica.encode] == []
        p99.append(bench.simulate.percentile(replica.waits, 0.99))
    assert p99 == sorted(p99)


def test_python_is_a_ceiling_that_cores_do_not_lift(bench: Any, costs: Any) -> None:
    many = bench.simulate.Costs(**{**vars(costs), "cores": 64})
    carried = bench.simulate.most_it_carries(many, patience=1, seconds=30, burst=1)
    assert 120 < carried < 1.2 / (6 * MILLISECOND)


def test_a_burst_takes_replicas(bench: Any, costs: Any) -> None:
    even, bursting = (bench.simulate.most_it_carries(costs, patience=1, seconds=30, burst=burst) for burst in (1, 4))
    assert bursting < even / 2


def test_the_table_has_a_row_for_each_load(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.simulate.main(["--loads", "10", "1000", "--seconds", "10"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("| 10 |", "| 1,000 |"))]
    assert len(rows) == 2


def test_as_many_texts_share_a_simulated_pass_as_a_real_one(bench: Any) -> None:
    assert bench.simulate._MOST_TEXTS == MOST_TEXTS


def test_the_profile_has_the_stages_and_the_functions(bench: Any, quick: Assistant) -> None:
    stages = list(bench.profiling._stages(quick, ["Is tap water clean?"]))
    assert [row.split(" | ")[0] for row in stages[2:]] == ["| read", "| encode", "| guard", "| search", "| compose"]
    functions = list(bench.profiling._functions(quick, ["Is tap water clean?"]))
    assert len(functions) == 2 + bench.profiling._SHOWN
