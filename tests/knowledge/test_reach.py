"""Reach: each question is tried in an index that lacks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from askdmt.knowledge.reach import Reach, measure_reach
from askdmt.knowledge.sections import load_knowledge
from fakes import BREAD, WATER, FakeEncoder, small_knowledge, write_section


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Water and bread, and four sections that all questions on foxes lead to."""
    small_knowledge(tmp_path)
    for number in range(4):
        write_section(
            tmp_path, f"fox{number}", f"A fox ran. {BREAD}", ["a fox", f"fox {number} ran"], order=50 + number
        )
    return tmp_path


def reach(folder: Path, passage: str) -> Reach:
    return next(found for found in measure_reach(load_knowledge(folder), FakeEncoder()) if found.passage == passage)


def test_every_passage_is_measured_in_reading_order(folder: Path) -> None:
    knowledge = load_knowledge(folder)
    assert [found.passage for found in measure_reach(knowledge, FakeEncoder())] == list(knowledge.passages)


def test_a_question_does_not_reach_its_section_through_itself(folder: Path) -> None:
    write_section(folder, "water", WATER, ["fox ran unheard"], order=10)
    assert reach(folder, "water#1") == Reach("water#1", found=0, asked=1)


def test_a_question_reaches_its_section_through_the_text(folder: Path) -> None:
    write_section(folder, "water", WATER, ["does a lab test for lead in the pipes"], order=10)
    assert reach(folder, "water#1").found == 1


def test_a_question_reaches_its_section_through_another_question(folder: Path) -> None:
    write_section(folder, "water", WATER, ["zebra stripes", "stripes of a zebra"], order=10)
    assert reach(folder, "water#1").found == 2


def test_a_question_reaches_its_section_through_another_passage_of_it(folder: Path) -> None:
    zebra = "A zebra has black and white stripes, and no two zebras have the same stripes."
    write_section(folder, "water", f"{WATER}\n\n{zebra}", "{1: [stripes of a zebra], 2: [black and white]}", order=10)
    assert reach(folder, "water#1").found == 1


@pytest.mark.parametrize(("lost", "enough"), [(0, True), (1, True), (2, False)])
def test_half_of_a_passages_questions_must_reach_it(folder: Path, lost: int, enough: bool) -> None:
    questions = ["does a lab test for lead in the pipes", "fox ran unheard", "fox ran unseen"][: lost + 1]
    write_section(folder, "water", WATER, questions, order=10)
    found = reach(folder, "water#1")
    assert (found.asked, found.enough) == (lost + 1, enough)


def test_a_passage_without_questions_lacks_no_reach(folder: Path) -> None:
    write_section(folder, "water", WATER, order=10)
    assert reach(folder, "water#1") == Reach("water#1", found=0, asked=0)
    assert reach(folder, "water#1").enough


def test_every_text_is_encoded_once(folder: Path) -> None:
    encoder = FakeEncoder()
    list(measure_reach(load_knowledge(folder), encoder))
    assert encoder.calls == 1
