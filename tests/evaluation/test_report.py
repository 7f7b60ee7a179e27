from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser

from askdmt.decisions import Decision
from askdmt.evaluation.datasets import Item
from askdmt.evaluation.junit import as_junit
from askdmt.evaluation.metrics import Row
from askdmt.evaluation.report import as_html
from askdmt.evaluation.runner import Result, as_run


def results() -> list[Result]:
    def item(key: str, label: Decision) -> Item:
        return Item(key, (f"<script>{key}</script>",), frozenset({label}), label=label)

    rows = (
        Row(item("right", Decision.ANSWER), Decision.ANSWER, "", True, score=0.9),
        Row(item("missed", Decision.CRISIS), Decision.ANSWER, "", True, score=0.6),
        Row(item("broken", Decision.ABOUT), None, "", False, failure="TimeoutError"),
        Row(item("mute", Decision.ABOUT), None, "", True),
    )
    return [Result("set.jsonl", "0", rows)]


def test_the_page_names_every_missed_danger_and_runs_nothing() -> None:
    page = as_html(results(), as_run(results(), "this assistant"), [("set.jsonl", "danger met", 0.5, 0.0)])
    assert "missed" in page
    assert "-50.0%" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    parser = HTMLParser()
    parser.feed(page)
    parser.close()


def test_junit_tells_failure_error_and_skip_apart() -> None:
    suite = ET.fromstring(as_junit(results()))[0]  # noqa: S314
    kinds = {case.get("name"): [child.tag for child in case] for case in suite}
    assert kinds == {"right": [], "missed": ["failure"], "broken": ["error"], "mute": ["skipped"]}


def test_a_run_keeps_every_decision_but_no_message() -> None:
    run = as_run(results(), "this assistant")
    assert run["results"][0]["decisions"] == {"right": "answer", "missed": "answer", "broken": None, "mute": None}
    assert "script" not in str(run)
