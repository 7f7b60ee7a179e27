"""The fixed texts: every language has all of them, and a broken file is named before anybody reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from askdmt import wording as module
from askdmt.decisions import Decision
from askdmt.errors import ContentError
from askdmt.reply import Citation, SupportLine
from askdmt.resources import content_folder, placeholders
from askdmt.wording import PLACEHOLDERS, VARIANTS, languages, load_wording

LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")
FOLDER = content_folder("prompts") / "replies"
Texts = dict[str, Any]


def keys(texts: Any, path: str = "") -> Iterator[str]:
    """Yield where each text stands."""
    if isinstance(texts, dict):
        for key, value in texts.items():
            yield from keys(value, f"{path}.{key}")
    elif isinstance(texts, list):
        for number, value in enumerate(texts):
            yield from keys(value, f"{path}.{number}")
    else:
        yield path


def at(texts: Any, path: str) -> str:
    for key in path.strip(".").split("."):
        texts = texts[int(key)] if isinstance(texts, list) else texts[key]
    return str(texts)


def read(language: str) -> Texts:
    texts: Texts = yaml.safe_load((FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    return texts


def test_there_are_eight_languages() -> None:
    assert languages() == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_the_same_keys_and_placeholders_as_english(language: str) -> None:
    assert load_wording(language).language == language
    english, other = read("en"), read(language)
    assert list(keys(other)) == list(keys(english))
    for path in keys(english):
        assert placeholders(at(other, path)) == placeholders(at(english, path)), path


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("decision", VARIANTS)
def test_each_fixed_reply_can_be_filled_and_leaves_no_brace(language: str, decision: Decision) -> None:
    wording = load_wording(language)
    values = dict.fromkeys(PLACEHOLDERS, "VALUE")
    for variant in VARIANTS[decision]:
        assert not set("{}") & set(wording.fixed(decision, variant, **values))


@pytest.mark.parametrize("language", LANGUAGES)
def test_danger_texts_name_the_emergency_number(language: str) -> None:
    wording = load_wording(language)
    for decision in (Decision.EMERGENCY, Decision.CRISIS):
        for variant in VARIANTS[decision]:
            assert "999 or 112" in wording.fixed(decision, variant, emergency="999 or 112"), (decision, variant)


def test_an_unknown_variant_gives_the_first_of_its_decision() -> None:
    wording = load_wording()
    for decision, variants in VARIANTS.items():
        first = wording.fixed(decision, variants[0])
        assert (
            first
            == wording.fixed(decision)
            == wording.fixed(decision, "no-such-variant")
            == wording.fixed(decision, "")
        )


def test_a_placeholder_without_a_value_is_left_empty() -> None:
    assert "{" not in load_wording().fixed(Decision.EMERGENCY)


def test_a_language_without_a_file_is_answered_in_english() -> None:
    assert load_wording("xx").language == "en"
    assert load_wording("../en").language == "en"


def test_nobody_in_danger_is_shown_example_questions() -> None:
    wording = load_wording()
    assert wording.suggestions_for(Decision.CRISIS) == wording.suggestions_for(Decision.EMERGENCY) == ()
    assert wording.suggestions_for(Decision.REFUSE_DOSING) == wording.suggestions.refusal
    assert wording.suggestions_for(Decision.PERSONAL_ADVICE) == wording.suggestions.personal
    assert wording.suggestions_for(Decision.ANSWER) == wording.suggestions.default


def test_a_citation_says_when_it_was_reviewed_and_whether_it_is_a_draft() -> None:
    wording = load_wording()
    draft = Citation(1, "water", "Water", "Town report", "", date(2026, 11, 1), "Text.")
    assert wording.citation_label(draft).startswith("[1] Water. Town report (reviewed 2026-11-01; draft")
    signed = Citation(1, "water", "Water", "Town report", "", date(2026, 11, 1), "Text.", signed=True)
    assert wording.review_label(signed) == "reviewed 2026-11-01"
    assert wording.review_label(Citation(1, "w", "W", "S", "", None, "Text.")) == wording.citations.draft


def test_a_help_line_shows_each_way_that_it_has() -> None:
    label = load_wording().support_label(
        SupportLine("Line", "Here", call="1", text="2", chat="example.org", hours="always")
    )
    assert label == "Line (Here): Call 1; Text 2; Chat at example.org; always"
    assert (
        load_wording().support_label(SupportLine("Line", "Here", chat="example.org")).endswith(": Chat at example.org")
    )


# Broken files


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Texts], object]], str]]:
    """Change the English texts, load them, and return what is said of the file."""
    monkeypatch.setattr(module, "_folder", lambda: tmp_path)
    load_wording.cache_clear()

    def load(change: Callable[[Texts], object]) -> str:
        texts = read("en")
        change(texts)
        path = tmp_path / "en.yaml"
        path.write_text(yaml.safe_dump(texts, allow_unicode=True), encoding="utf-8")
        with pytest.raises(ContentError) as caught:
            load_wording("en")
        assert str(path) in caught.value.problem
        return str(caught.value)

    yield load
    load_wording.cache_clear()


def test_an_unknown_key_is_refused(broken: Callable[..., str]) -> None:
    assert "replies.farewell" in broken(lambda texts: texts["replies"].update(farewell="Bye."))


def test_a_missing_key_is_refused(broken: Callable[..., str]) -> None:
    assert "page.send" in broken(lambda texts: texts["page"].pop("send"))


@pytest.mark.parametrize("decision", VARIANTS)
def test_a_missing_variant_is_refused(broken: Callable[..., str], decision: Decision) -> None:
    first = VARIANTS[decision][0]
    assert f"replies.{decision.value} must have" in broken(lambda texts: texts["replies"][decision.value].pop(first))


def test_an_unknown_variant_is_refused(broken: Callable[..., str]) -> None:
    assert "replies.crisis must have" in broken(lambda texts: texts["replies"]["crisis"].update(extra="Text."))


def test_an_unknown_ask_of_personal_advice_is_refused(broken: Callable[..., str]) -> None:
    said = broken(lambda texts: texts["replies"]["personal_advice_ask"].pop("decision"))
    assert "replies.personal_advice_ask" in said


@pytest.mark.parametrize("kind", ["none", "nearest"])
def test_both_kinds_of_silence_are_needed(broken: Callable[..., str], kind: str) -> None:
    assert "replies.not_in_sources" in broken(lambda texts: texts["replies"]["not_in_sources"].pop(kind))


@pytest.mark.parametrize("text", ["Call {emergncy} now.", "Hi {name}"])
def test_an_unknown_placeholder_is_refused(broken: Callable[..., str], text: str) -> None:
    said = broken(lambda texts: texts["replies"].update(mixed=text))
    assert "unknown placeholder {" in said
    assert "emergency" in said


@pytest.mark.parametrize(
    "text", ["A brace { alone", "A } alone", "Call { emergency }", "{}", "{0}", "{emergency.x}", "{title!q}"]
)
def test_a_brace_that_is_no_placeholder_is_refused(broken: Callable[..., str], text: str) -> None:
    assert "placeholder" in broken(lambda texts: texts["replies"]["crisis"].update(self=text))


@pytest.mark.parametrize("text", [None, 5, ["a"], {"a": "b"}])
def test_a_text_of_another_type_is_refused(broken: Callable[..., str], text: Any) -> None:
    assert "disclaimer" in broken(lambda texts: texts.update(disclaimer=text))


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_disclaimer_is_refused(broken: Callable[..., str], text: str) -> None:
    assert "disclaimer" in broken(lambda texts: texts.update(disclaimer=text))


@pytest.mark.usefixtures("broken")
def test_a_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "de.yaml").write_text("a: [")
    with pytest.raises(ContentError, match=r"de\.yaml is not valid YAML"):
        load_wording("de")
