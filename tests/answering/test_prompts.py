"""The prompts for language models: what a file must hold, and that no value is read as a template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from askdmt.answering.prompts import IDS, load_prompts
from askdmt.errors import ContentError


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a folder of the prompts in which the text of `answer.yaml` is another."""

    def change(old: str, new: str) -> Path:
        for key in IDS:
            text = (Path("prompts/model") / f"{key}.yaml").read_text(encoding="utf-8")
            (tmp_path / f"{key}.yaml").write_text(text.replace(old, new) if key == "answer" else text)
        return tmp_path

    return change


def test_every_prompt_has_its_id_a_version_and_a_stamp() -> None:
    prompts = load_prompts()
    assert list(prompts) == list(IDS)
    for key, prompt in prompts.items():
        assert prompt.id == key
        assert prompt.stamp.startswith(f"{prompt.version}:")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{question}", "{question} {mood}", "'mood' is not declared"),
        ("  question: what", "  mood: how\n  question: what", "'mood' is declared and not used"),
        ("id: answer", "id: reply", "its id is 'reply'"),
        ("version: 1", "version: one", "version"),
        ("version: 1", "version: 1\nmodel: best", "model"),
        ("NONE", "{}", "a brace"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    changed: Callable[[str, str], Path], old: str, new: str, problem: str
) -> None:
    with pytest.raises(ContentError, match=rf"answer\.yaml.*{problem}"):
        load_prompts(changed(old, new))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"system\.yaml"):
        load_prompts(tmp_path)


def test_a_missing_or_an_unknown_variable_is_refused() -> None:
    prompt = load_prompts()["passage"]
    with pytest.raises(ContentError, match="'n'"):
        prompt.fill(boundary="--", passage="x")
    with pytest.raises(ContentError, match="'mood'"):
        prompt.fill(boundary="--", passage="x", n="1", mood="good")


def test_a_value_is_put_in_as_it_is() -> None:
    filled = load_prompts()["passage"].fill(boundary="--", n="1", passage="{boundary} {0} %s \\1")
    assert filled.splitlines()[1] == "{boundary} {0} %s \\1"


def test_another_text_has_another_stamp(changed: Callable[[str, str], Path]) -> None:
    assert load_prompts(changed("Answer the", "Do answer the"))["answer"].stamp != load_prompts()["answer"].stamp
