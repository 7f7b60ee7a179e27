"""The examples of docs/langchain.md run, and are short."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from langchain_core.messages import AIMessage, ToolCall

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.guardrails.input_guard import InputGuard
from askdmt.knowledge.index import open_index
from askdmt.knowledge.search import Search
from askdmt.knowledge.sections import SUPPORT_FILE, load_knowledge
from askdmt.resources import content_folder
from askdmt.settings import Settings
from askdmt.support import load_support
from askdmt.testing import ScriptedChatModel
from askdmt.wording import load_wording
from fakes import FakeEncoder
from langchain_fakes import DosingClassifier, WordForWordGuard

PAGE = Path(__file__).parents[1] / "docs" / "langchain.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
TRUE = "There were 34 adults in the DMT trial."

Run = Callable[[str], str]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Assistant:
    """The shipped knowledge and replies, found and judged by stand-ins."""
    knowledge = load_knowledge(content_folder("knowledge"))
    settings = Settings(knowledge=knowledge.folder, cache=tmp_path_factory.mktemp("langchain"))
    encoder, classifier = FakeEncoder(1024), DosingClassifier(Decision.ANSWER)
    classifier.encoder = encoder.name  # type: ignore[attr-defined]
    search = Search(knowledge, open_index(knowledge, encoder, settings.cache))
    support = load_support(knowledge.folder / SUPPORT_FILE)
    return Assistant(settings, encoder, InputGuard(encoder, classifier), knowledge, search, support)  # type: ignore[arg-type]


@pytest.fixture
def model() -> ScriptedChatModel:
    return ScriptedChatModel()


@pytest.fixture
def run(
    shipped: Assistant, model: ScriptedChatModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the example that has a text in it; return what it prints."""
    monkeypatch.setattr(Assistant, "load", lambda: shipped)
    monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda *_, **__: model)
    guards = SimpleNamespace(OutputGuard=WordForWordGuard)
    monkeypatch.setitem(sys.modules, "askdmt.guardrails.output_guard", guards)  # type: ignore[arg-type]

    def run(text: str) -> str:
        (example,) = [example for example in EXAMPLES if text in example]
        exec(compile(example, PAGE.name, "exec"), {})  # noqa: S102
        return capsys.readouterr().out

    return run


def test_examples_have_fifteen_lines_at_most() -> None:
    assert len(EXAMPLES) == 5
    assert max(len([line for line in example.splitlines() if line.strip()]) for example in EXAMPLES) <= 15


def test_example_of_the_assistant(run: Run) -> None:
    printed = run("import AssistantRunnable")
    assert printed.startswith("answer ")
    assert load_wording().fixed(Decision.REFUSE_DOSING) in printed
    assert load_wording().disclaimer in printed


def test_example_of_the_input_guard(run: Run, model: ScriptedChatModel) -> None:
    assert run("import InputGuardRunnable").startswith(load_wording().fixed(Decision.REFUSE_DOSING))
    assert model.history == []


def test_example_of_the_output_guard(run: Run, model: ScriptedChatModel) -> None:
    model.enqueue("The trial took in 34 adults with depression. Everybody was cured.")
    assert run("import OutputGuardRunnable") == ("The trial took in 34 adults with depression. [()]\n [('claim',)]\n")


def test_example_of_an_agent(run: Run, model: ScriptedChatModel) -> None:
    question = {"question": "How many people were in the trial?"}
    call = ToolCall(name="reviewed_information", args=question, id="1", type="tool_call")
    model.enqueue(AIMessage("One moment.", tool_calls=[call])).enqueue(f"{TRUE} Everybody was cured.")
    printed = run("@tool")
    assert printed.startswith(f"{TRUE} [1]\n\n")
    assert load_wording().disclaimer in printed
    assert "cured" not in printed
    assert TRUE in model.history[-1][-1].text


def test_example_of_the_scripted_model(run: Run) -> None:
    assert run("import ScriptedChatModel") == ""
