"""What `import askdmt` gives, and what it costs."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest

import askdmt
from askdmt import guardrails
from test_cli import HEAVY, imported

ROOT = Path(__file__).parent.parent


def test_the_public_names_are_these() -> None:
    assert askdmt.__all__ == ["Assistant", "Decision", "Reply"]
    assert guardrails.__all__ == ["InputGuard", "OutputGuard", "SentenceVerdict", "Verdict"]


@pytest.mark.parametrize("module", [askdmt, guardrails])
def test_every_public_name_is_there(module: object) -> None:
    for name in module.__all__:  # type: ignore[attr-defined]
        assert getattr(module, name).__name__ == name


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Asistant'"):
        askdmt.Asistant  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert not HEAVY & imported("-c", "import askdmt")
    assert not HEAVY & imported("-c", "from askdmt import Decision, Reply")


def test_importing_the_assistant_imports_no_model_no_store_and_no_server() -> None:
    assert not (HEAVY - {"numpy"}) & imported("-c", "from askdmt import Assistant")


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert importlib.import_module("askdmt").__version__ == project["version"]
    assert (ROOT / "src" / "askdmt" / "py.typed").is_file()
