"""Sections, passages and bibliography: how they are read, and that a broken file is named."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from askdmt.errors import ContentError
from askdmt.knowledge.sections import Source, load_knowledge, read_section, read_sources
from askdmt.resources import content_folder
from fakes import BREAD, WATER, small_knowledge, write_section


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_knowledge(tmp_path)


def test_a_paragraph_is_a_passage_with_its_sources_and_questions(folder: Path) -> None:
    (folder / "sources.yaml").write_text(
        "town: {title: Town report, publisher: Town, date: '2026'}\n"
        "lab: {title: Lab, publisher: L, date: '2025', doi: 10.1/x}\n"
    )
    write_section(
        folder, "water", f"{WATER}\nA second\nline. [@lab; @town]\n\n\n\n{BREAD}", order=10,
        questions="{1: [is it clean], 2: [how is it made, who bakes]}",
    )  # fmt: skip
    section = load_knowledge(folder).by_id["water"]
    first, second = section.passages
    assert (first.id, first.sources, first.questions) == ("water#1", ("lab", "town"), ("is it clean",))
    assert first.text == f"{WATER} A second line."
    assert (second.id, second.text, second.sources) == ("water#2", BREAD, ("town",))
    assert second.questions == ("how is it made", "who bakes")


def test_sections_stand_in_their_order_and_a_readme_is_none(folder: Path) -> None:
    (folder / "README.md").write_text("How to write a section.")
    knowledge = load_knowledge(folder)
    assert [section.id for section in knowledge.sections] == ["water", "bread"]
    assert list(knowledge.passages) == ["water#1", "bread#1"]


def test_sections_of_another_folder_stand_beside_in_one_order(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    write_section(own, "parking", WATER, order=15, source="clinic")
    (own / "sources.yaml").write_text("clinic: {title: Leaflet, publisher: Clinic, date: '2026'}\n")
    knowledge = load_knowledge(own, folder)
    assert [section.id for section in knowledge.sections] == ["water", "parking", "bread"]
    assert set(knowledge.sources) == {"town", "clinic"}
    assert knowledge.folder == own
    assert knowledge.digest not in (load_knowledge(own).digest, load_knowledge(folder).digest)


def test_two_folders_may_not_say_different_things_under_one_name(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    write_section(own, "water", BREAD)
    (own / "sources.yaml").write_text((folder / "sources.yaml").read_text())
    with pytest.raises(ContentError, match="share the id 'water'"):
        load_knowledge(own, folder)
    (own / "water.md").rename(own / "tea.md")
    (own / "tea.md").write_text((own / "tea.md").read_text().replace("id: water", "id: tea"))
    assert "tea" in load_knowledge(own, folder).by_id
    (own / "sources.yaml").write_text("town: {title: Another report, publisher: Town, date: '2026'}\n")
    with pytest.raises(ContentError, match="the source 'town' stands elsewhere"):
        load_knowledge(own, folder)


def test_windows_line_ends_do_no_harm(folder: Path) -> None:
    path = folder / "water.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_knowledge(folder).passages["water#1"].text == WATER


def test_a_doi_is_the_address_of_a_source_that_has_one() -> None:
    source = Source(title="Paper", publisher="Journal", date="2026", url="https://example.org", doi="10.1/x")
    assert source.address == "https://doi.org/10.1/x"
    assert source.label == "Paper, Journal, 2026"
    assert Source(title="Page", publisher="P", date="2026", url="https://example.org").address == "https://example.org"
    assert Source(title="Talk", publisher="P", date="2026").address == ""


@pytest.mark.parametrize(
    ("front", "signed"),
    [
        ({}, True),
        ({"reviewer": "The project (DRAFT)"}, False),
        ({"reviewer": None}, False),
        ({"reviewed": None}, False),
    ],
)
def test_a_section_is_signed_once_somebody_has_reviewed_it_and_calls_it_no_draft(
    folder: Path, front: dict[str, object], signed: bool
) -> None:
    write_section(folder, "water", WATER, order=10, **front)
    assert load_knowledge(folder).by_id["water"].signed is signed


def test_a_section_is_overdue_the_day_after_its_review_was_due(folder: Path) -> None:
    section = load_knowledge(folder).by_id["water"]
    assert not section.overdue(date(2027, 5, 1))
    assert section.overdue(date(2027, 5, 2))
    assert not read_section(write_section(folder, "bread", BREAD, review_due=None)).overdue(date(2099, 1, 1))


def test_the_digest_changes_with_what_the_index_holds_and_with_nothing_else(folder: Path) -> None:
    before = load_knowledge(folder).digest
    write_section(folder, "water", WATER, ["Is tap water clean?", "who tests the tap water"], order=11, reviewer="B")
    assert load_knowledge(folder).digest == before
    write_section(folder, "water", WATER, ["Is tap water clean?"], order=10)
    without_question = load_knowledge(folder).digest
    write_section(folder, "water", f"{WATER} More.", ["Is tap water clean?"], order=10)
    assert len({before, without_question, load_knowledge(folder).digest}) == 3


BROKEN = {
    "no front matter": (WATER, "has no front matter"),
    "front matter that does not end": (f"---\nid: water\n{WATER}", "has no front matter"),
    "front matter that is no YAML": (f"---\nid: [\n---\n{WATER}", "not valid YAML"),
    "front matter that is a list": (f"---\n- id\n---\n{WATER}", "valid dictionary"),
    "a missing key": (f"---\nid: water\n---\n{WATER}", "title: Field required"),
}


@pytest.mark.parametrize(("content", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_section_is_named(folder: Path, content: str, problem: str) -> None:
    (folder / "water.md").write_text(content)
    with pytest.raises(ContentError, match=problem) as caught:
        load_knowledge(folder)
    assert str(folder / "water.md") in caught.value.problem
    assert caught.value.mend


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        ({"colour": "blue"}, "colour: Extra inputs"),
        ({"id": "Water Works"}, "id: String should match"),
        ({"title": '""'}, "title: String should have at least 1"),
        ({"order": "first"}, "order: Input should be a valid integer"),
        ({"reviewed": "soon"}, "reviewed: "),
        ({"questions": "[is it clean]"}, "questions: "),
        ({"questions": "{1: is it clean}"}, "questions.1: "),
        ({"questions": "{2: [is it clean]}"}, "questions name paragraph 2 of 1"),
        ({"questions": "{0: [is it clean]}"}, "questions name paragraph 0 of 1"),
        ({"source": "gone"}, "unknown source 'gone'"),
    ],
)
def test_a_front_matter_that_does_not_fit_is_named_with_its_key(
    folder: Path, front: dict[str, object], problem: str
) -> None:
    write_section(folder, "water", WATER, **front)
    with pytest.raises(ContentError, match=re.escape(problem)) as caught:
        load_knowledge(folder)
    assert str(folder / "water.md") in caught.value.problem


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "has no text"),
        ("\n \n", "has no text"),
        ("[@town]", "paragraph 1 holds only citations"),
        (f"{WATER}\n\n[@town]", "paragraph 2 holds only citations"),
        (f"{WATER} [@town; @gone]", "unknown source 'gone'"),
    ],
)
def test_a_text_that_cannot_be_used_is_named(folder: Path, body: str, problem: str) -> None:
    write_section(folder, "water", body)
    with pytest.raises(ContentError, match=re.escape(problem)) as caught:
        load_knowledge(folder)
    assert str(folder / "water.md") in caught.value.problem


def test_two_sections_of_one_id_name_both_files(folder: Path) -> None:
    write_section(folder, "bread", BREAD, id="water")
    with pytest.raises(ContentError, match="share the id 'water'") as caught:
        load_knowledge(folder)
    assert "water.md" in caught.value.problem
    assert "bread.md" in caught.value.problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file"),
        ("", "valid dictionary"),
        ("- town", "valid dictionary"),
        ("town: {title: Town}", "town.publisher: Field required"),
        ("town: {title: T, publisher: P, date: '1', colour: blue}", "town.colour: Extra inputs"),
        ("town: {title: T, publisher: P, date: 2026}", "town.date: Input should be a valid string"),
        ("town: [", "not valid YAML"),
    ],
)
def test_a_broken_bibliography_is_named(folder: Path, content: str | None, problem: str) -> None:
    path = folder / "sources.yaml"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ContentError, match=problem) as caught:
        read_sources(path)
    assert str(path) in caught.value.problem
    with pytest.raises(ContentError):
        load_knowledge(folder)


def test_a_file_that_is_not_utf8_is_named(folder: Path) -> None:
    (folder / "water.md").write_bytes(b"---\nid: \xe9\n---\n")
    with pytest.raises(ContentError, match=r"water\.md: it is not UTF-8"):
        load_knowledge(folder)


def test_a_missing_or_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"gone does not exist\. Correct the setting 'knowledge'"):
        load_knowledge(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("Nothing yet.")
    with pytest.raises(ContentError, match="empty has no sections"):
        load_knowledge(tmp_path / "empty")


def test_the_shipped_knowledge_loads_and_every_passage_has_a_source() -> None:
    knowledge = load_knowledge(content_folder("knowledge"))
    assert len(knowledge.sections) >= 12
    assert all(passage.sources and passage.text for passage in knowledge.passages.values())
