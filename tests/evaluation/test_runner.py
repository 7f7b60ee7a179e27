from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from askdmt.assistant import Assistant
from askdmt.evaluation.runner import run


def write(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"id": "a", "text": "Is tap water clean?", "label": "not_in_sources"}) + "\n")
    return path


def test_the_safe_reply_is_a_failure_and_no_right_decision(
    quick: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(quick.encoder, "encode", broken)
    result = run(quick, write(tmp_path / "set.jsonl"))
    assert [row.failure for row in result.rows] == ["SafeReply"]
    assert "right decision" not in result.figures


def test_two_sets_of_one_name_are_told_apart(quick: Assistant, tmp_path: Path) -> None:
    names = {run(quick, write(tmp_path / folder / "guard.jsonl")).dataset for folder in ("datasets", "development")}
    assert names == {"guard.jsonl", "development/guard.jsonl"}
