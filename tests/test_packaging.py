"""The wheel carries everything: installed in an empty environment, far from the checkout, it answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)])
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_knowledge_prompts_and_guardrail_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for source in (*(ROOT / "knowledge").glob("*"), *(ROOT / "prompts").glob("*/*")):
        assert f"askdmt/_content/{source.relative_to(ROOT)}" in names
    for source in (ROOT / "src").glob("askdmt/**/data/**/*"):
        if source.is_file():
            assert str(source.relative_to(ROOT / "src")) in names


def test_the_wheel_answers_from_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    _run([sys.executable, "-m", "venv", str(tmp_path / "venv")])
    python = tmp_path / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
    _run([*pip, "torch"])  # first, so that nothing asks for a build with CUDA
    _run([*pip, str(wheel)])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    answer = _run(
        [str(python.parent / "askdmt"), "ask", "--json", "How many people took part in the trial?"], elsewhere
    )
    reply = json.loads(answer)
    assert reply["decision"] == "answer"
    assert "34" in reply["body"]
    assert reply["disclaimer"] in reply["text"]


def _run(command: list[str], folder: Path = ROOT) -> str:
    """Run a command without this checkout on the path; fail with what it printed."""
    cache = str(folder / "askdmt-cache")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ASKDMT_", "PYTHON"))}
    done = subprocess.run(
        command, cwd=folder, env={**environment, "ASKDMT_CACHE": cache}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command[:4]}: {done.stderr[-2000:]}"
    return done.stdout
