"""What holds of every file: no trace of a machine, no amounts, no exemplar that is also an evaluation."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from askdmt.knowledge.check import check, has_amount
from datasets import DRUG_UNIT, EVALS, EXEMPLARS, ROOT, lines

MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:work|tmp/bash_jobs)/")
SECRET = re.compile(r"\bgh[pousr]_\w{20}|github_pat_\w{20}|-----BEGIN [A-Z ]*PRIVATE KEY")
TODAY = date(2026, 11, 23)


def repository() -> list[Path]:
    """Return every file that is, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file()]


@pytest.mark.parametrize("pattern", [MACHINE_PATH, SECRET], ids=["machine path", "secret"])
def test_no_file_names_a_machines_folders_or_holds_a_secret(pattern: re.Pattern[str]) -> None:
    found = []
    for file in repository():
        text = file.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    assert found == []


def test_the_shipped_knowledge_keeps_its_rules() -> None:
    report = check(ROOT / "knowledge", today=TODAY)
    assert [finding for finding in report.findings if finding.severity == "error"] == []


@pytest.mark.parametrize("folder", ["knowledge", "prompts"])
def test_no_text_that_a_person_reads_gives_an_amount(folder: str) -> None:
    files = [file for file in (ROOT / folder).rglob("*") if file.is_file()]
    assert files
    found = [
        f"{file.name}:{number}: {line}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if has_amount(line) or DRUG_UNIT.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("file", [*EXEMPLARS, *EVALS], ids=lambda file: file.stem)
def test_every_line_of_a_set_parses_has_an_id_of_its_own_and_gives_no_amount(file: Path) -> None:
    items = list(lines(file))
    assert [key for key, count in Counter(item.id for item in items).items() if count > 1] == []
    assert [item.id for item in items if not all(isinstance(turn, str) and turn.strip() for turn in item.turns)] == []
    assert [item.id for item in items if any(map(DRUG_UNIT.search, item.turns))] == []


@pytest.mark.parametrize("files", [EXEMPLARS, EVALS], ids=["exemplars", "evaluations"])
def test_no_id_stands_in_two_files(files: list[Path]) -> None:
    counts = Counter(key for file in files for key in {item.id for item in lines(file)})
    assert [key for key, count in counts.items() if count > 1] == []


def test_no_evaluation_is_a_training_exemplar() -> None:
    trained = {item.plain: item.id for file in EXEMPLARS for item in lines(file)}
    found = [
        f"{file.name}:{item.number}: {item.id} is {trained[item.plain]}"
        for file in EVALS
        for item in lines(file)
        if item.plain in trained
    ]
    assert found == []
