"""The documentation says what the code does, and its examples run."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer.main

import askdmt
from askdmt import errors
from askdmt.cli import app
from askdmt.decisions import Decision
from askdmt.evaluation.metrics import Share
from askdmt.knowledge.sections import SUPPORT_FILE, FrontMatter, Source
from askdmt.reply import Citation, Reply, SupportLine
from askdmt.resources import content_folder
from askdmt.settings import Settings, settings_table
from askdmt.support import load_support
from askdmt.wording import load_wording

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), ROOT / "prompts" / "README.md"])
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _code(path: Path, language: str) -> list[str]:
    return [code for found, code in _FENCED.findall(_read(path)) if found == language]


def _rows(path: Path) -> list[list[str]]:
    """Return the cells of every table row of a page."""
    lines = [line for line in _read(path).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def _first_cells(path: Path) -> list[str]:
    return [row[0].strip("`* ") for row in _rows(path)]


def _slugs(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", _read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


# Examples


def test_readme_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = _code(README, "python")
    assert len(example.splitlines()) <= 24
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert printed.startswith("answer\n[1] ")
    assert load_wording().disclaimer in printed
    assert names["reply"].decision is Decision.REFUSE_DOSING


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_are_python(page: Path) -> None:
    for example in _code(page, "python"):
        compile(example, page.name, "exec")


def test_example_of_the_guard_alone_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = _code(DOCS / "guardrails.md", "python")
    exec(compile(example, "guardrails.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.startswith("refuse_dosing ")


def test_example_settings_file_is_accepted() -> None:
    import tomllib

    (example,) = _code(DOCS / "settings.md", "toml")
    assert Settings(**tomllib.loads(example)).region == "gb"


def test_example_intervals_are_what_eval_prints() -> None:
    page = _read(DOCS / "evaluation.md")
    assert str(Share(80, 100)) in page
    assert f"{Share(100, 100).interval[0]:.1%}" in page


# The README


def test_readme_shows_its_two_commands_and_make_has_them() -> None:
    targets = set(re.findall(r"^([a-z]+):", _read(ROOT / "Makefile"), re.MULTILINE))
    assert {"serve", "test"} <= targets
    commands = {command for page in PAGES for command in re.findall(r"\bmake ([a-z]+)", _shell(page))}
    assert {"serve", "test"} <= set(re.findall(r"^make ([a-z]+)", "\n".join(_code(README, "sh")), re.MULTILINE))
    assert commands <= targets


def _shell(page: Path) -> str:
    """Return what a page shows as something to type: shell blocks and inline code."""
    text = _read(page)
    return "\n".join([*_code(page, "sh"), *re.findall(r"`([^`\n]+)`", _FENCED.sub("", text))])


def test_readme_says_at_once_what_it_is_not() -> None:
    opening = " ".join(_read(README)[:1800].split())
    for said in ("not medical advice", "experimental", "draft by the project", "no clinician has signed", "make serve"):
        assert said in opening


def test_readme_keeps_a_place_for_the_figures() -> None:
    assert re.search(r"<!-- figures -->\n(.*\n)*<!-- /figures -->", _read(README))


# Code and docs name the same things


def _commands(group: Any, path: str = "askdmt") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_every_command_and_option_is_in_the_readme() -> None:
    table = [" | ".join(row) for row in _rows(README) if row[0].startswith("`askdmt")]
    commands = dict(_commands(typer.main.get_command(app)))
    assert len(table) == len(commands)
    for name, command in commands.items():
        (row,) = [row for row in table if re.match(rf"`{name}\b", row)]
        options = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        shown = set(re.findall(r"`(--[a-z-]+)`", row))
        assert shown <= options
        for parameter in command.params:
            names = {option for option in [*parameter.opts, *parameter.secondary_opts] if option.startswith("--")}
            assert not names or names & shown or "--help" in names, f"{name} {names}"


def test_the_table_of_settings_is_current() -> None:
    assert settings_table() in _read(DOCS / "settings.md")


def test_decisions_are_documented_in_order_of_precedence() -> None:
    known = [decision.value for decision in Decision]
    rows = [row for row in _rows(DOCS / "guardrails.md") if row[0].strip("`") in known]
    assert [row[0].strip("`") for row in rows] == known
    assert all(when and example for _, when, example in rows)


def test_every_error_is_documented() -> None:
    known = {name for name, _ in inspect.getmembers(errors, inspect.isclass) if name.endswith("Error")}
    assert known == {cell for cell in _first_cells(DOCS / "architecture.md") if cell.endswith("Error")}


def test_every_rule_of_the_knowledge_check_is_documented() -> None:
    rules = {"schema"} | set(_rules_in_code())
    assert len(rules) > 10
    rows = {row[0].strip("`"): row for row in _rows(DOCS / "knowledge.md") if row[-1] in ("error", "warning")}
    assert set(rows) == rules
    for rule, severity in _rules_in_code().items():
        assert rows[rule][-1] == severity


def _rules_in_code() -> dict[str, str]:
    """Return the rule names that `Finding`s are made with, and their severity."""
    found: dict[str, str] = {}
    for path in (ROOT / "src" / "askdmt" / "knowledge").glob("*.py"):
        for node in ast.walk(ast.parse(_read(path))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            place = {"Finding": 2, "_shared": 1}.get(node.func.id)
            if place is None or not isinstance(rule := node.args[place], ast.Constant):
                continue
            given = [*node.args[5:], *(word.value for word in node.keywords if word.arg == "severity")]
            warned = any(isinstance(value, ast.Constant) and value.value == "warning" for value in given)
            found[str(rule.value)] = "warning" if warned else "error"
    return found


def test_the_reply_is_documented_field_by_field() -> None:
    documented = _first_cells(DOCS / "architecture.md")
    reply = [field.name for field in fields(Reply)]
    citation = [field.name for field in fields(Citation)]
    assert sorted(reply) == sorted(documented[(start := documented.index("id")) : start + len(reply)])
    assert citation == documented[(start := documented.index("n")) : start + len(citation)]
    line = re.search(r"A help line in `support`:[^\n]*(?:\n\S[^\n]*)?", _read(DOCS / "architecture.md"))
    assert line
    assert {field.name for field in fields(SupportLine)} <= set(re.findall(r"`(\w+)`", line[0]))


def test_front_matter_and_sources_are_documented_key_by_key() -> None:
    page = _read(DOCS / "knowledge.md")
    assert list(FrontMatter.model_fields) == [
        cell for cell in _first_cells(DOCS / "knowledge.md") if cell in FrontMatter.model_fields
    ]
    assert all(f"`{key}`" in page for key in Source.model_fields)


def test_every_region_is_documented() -> None:
    regions = load_support(content_folder("knowledge") / SUPPORT_FILE).regions
    (line,) = re.findall(r"^Regions: (.*?)\. ", _read(DOCS / "knowledge.md"), re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", line) == list(regions)


# Links, versions, manners


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_images_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_FENCED.sub("", _read(page))):
        if re.match(r"https?://", link):
            continue
        name, _, heading = unquote(link).partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not heading or heading in _slugs(target), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:src|evals|tests|prompts|knowledge)/[\w./-]*|[\w/]+\.py)`", _read(page)):
        assert any((folder / name).exists() for folder in (ROOT, ROOT / "src" / "askdmt")), f"{page.name} names {name}"


def test_images_have_text_for_those_who_cannot_see_them() -> None:
    images = [alt for page in PAGES for alt in re.findall(r"!\[([^\]]*)\]\(", _read(page))]
    assert images
    assert all(len(alt.split()) > 8 for alt in images)


def test_changelog_has_the_version_and_its_date() -> None:
    newest = re.search(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", _read(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert newest
    assert newest[1] == askdmt.__version__


def test_licence_is_apache() -> None:
    assert "Apache License\n                           Version 2.0" in _read(ROOT / "LICENSE")
