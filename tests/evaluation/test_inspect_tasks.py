"""The Inspect tasks read the same suites; only where the extra `inspect` is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TASKS = Path(__file__).parents[2] / "evals" / "inspect_tasks.py"


def test_every_suite_that_is_published_has_a_task() -> None:
    import yaml

    text = TASKS.read_text(encoding="utf-8")
    suites = yaml.safe_load((TASKS.parent / "suites.yaml").read_text(encoding="utf-8"))
    for name in set(suites) - {"published", "development"}:
        assert f"def {name}() -> Task:" in text


@pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is None, reason="needs the optional extra 'inspect'")
def test_a_task_has_a_sample_for_each_item() -> None:
    spec = importlib.util.spec_from_file_location("inspect_tasks", TASKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    lines = (TASKS.parent / "datasets" / "silent_questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(module.silent().dataset) == len(lines)
