"""The examples of docs/api.md run against a server, and its tables are complete."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from standin import BODY

from askdmt.web.problems import STATUS
from askdmt.wording import load_wording

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", examples("python"))
def test_a_python_example_prints_a_reply(
    example: str, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASKDMT", address)
    exec(compile(example, "api.md", "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out
    assert load_wording().disclaimer in printed
    if "refusal" in example:
        assert printed.startswith("refuse_dosing refused: True\n")


def test_the_curl_examples_print_a_reply(address: str) -> None:
    setting, *asking = examples("sh")
    assert setting.startswith("export ASKDMT=")
    for example in asking:
        done = subprocess.run(
            ["bash", "-c", example], env={"ASKDMT": address, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip
        assert load_wording().disclaimer in done.stdout
        assert BODY[:40] in done.stdout
    assert asking
    assert "event: sentence" in done.stdout


def test_every_kind_of_problem_is_in_the_table() -> None:
    for reason, status in STATUS.items():
        assert re.search(rf"^\| [^|]*\b{status}\b[^|]*\|[^|]*`{reason.replace('_', '-')}`", PAGE, re.MULTILINE)
