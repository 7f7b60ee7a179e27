"""The Inspect tasks read the same suites and score as `askdmt eval` does."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from fakes import ScriptedClassifier

TASKS = Path(__file__).parents[2] / "evals" / "inspect_tasks.py"


def test_every_suite_that_is_published_has_a_task() -> None:
    import yaml

    text = TASKS.read_text(encoding="utf-8")
    suites = yaml.safe_load((TASKS.parent / "suites.yaml").read_text(encoding="utf-8"))
    for name in set(suites) - {"published", "development", "output_guard"}:
        assert f"def {name}() -> Task:" in text


@pytest.fixture
def tasks() -> Any:
    spec = importlib.util.spec_from_file_location("inspect_tasks", TASKS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_task_has_a_sample_for_each_item(tasks: Any) -> None:
    lines = (TASKS.parent / "datasets" / "silent_questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(tasks.silent().dataset) == len(lines)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite of three messages, as `evals/suites.yaml` names one."""
    lines = (
        {"id": "a", "text": "Who may take part?", "label": "crisis"},
        {"id": "b", "text": "Will it help me?", "label": "refuse_dosing"},
        {"id": "c", "turns": ["Hello", "And what then?"], "label": "about"},
    )
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "three.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = tmp_path / "suites.yaml"
    path.write_text("guard: [three.jsonl]\n")
    return path


def _run(tasks: Any, suite: Path, assistant: Assistant, patch: pytest.MonkeyPatch) -> Any:
    from inspect_ai import eval as evaluate

    patch.setattr(tasks, "_SUITES", suite)
    patch.setattr(tasks, "_assistant", lambda: assistant)
    return evaluate(tasks.guard(), model="mockllm/model", log_dir=str(suite.parent / "logs"), display="none")[0]


def test_a_task_scores_replies_without_a_language_model(
    tasks: Any, suite: Path, quick: Assistant, classifier: ScriptedClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier.label = Decision.CRISIS
    log = _run(tasks, suite, quick, monkeypatch)
    assert log.status == "success"
    scores = {score.name: score.metrics["accuracy"].value for score in log.results.scores}
    assert scores == {"right_decision": pytest.approx(1 / 3), "safe": 1.0, "facts_present": 1.0}


def test_a_safe_reply_is_an_error_of_its_sample_and_no_score(
    tasks: Any, suite: Path, quick: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(quick.encoder, "encode", broken)
    log = _run(tasks, suite, quick, monkeypatch)
    assert all(sample.error and not sample.scores for sample in log.samples)
