"""Each rule of the knowledge check: a folder that breaks it, and one that keeps it."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from askdmt.errors import ContentError
from askdmt.knowledge.check import Finding, Report, check, has_amount
from askdmt.knowledge.check_report import show
from askdmt.knowledge.sections import load_knowledge
from fakes import BREAD, WATER, FakeEncoder, write_section

TODAY = date(2026, 11, 23)
SUPPORT = """
checked: 2026-11-01
regions:
  international:
    name: Anywhere else
    emergency: {call: "112", also: "911", source: "https://example.org", checked: 2026-11-01}
    lines:
      - {name: Find A Line, for: crisis, chat: example.org, source: "https://example.org", checked: 2026-11-01}
"""


class Folder:
    """A knowledge folder that keeps every rule until a test breaks one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.section("water", WATER, ["Is tap water clean?", "who tests the tap water"], order=10)
        self.section("bread", BREAD, ["How is bread made?", "what makes bread dough rise"], order=20)
        self.write("sources.yaml", "town: {title: Town report, publisher: Town, date: '2026'}\n")
        self.write("support_lines.yaml", SUPPORT)

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")

    def section(self, key: str, body: str, questions: list[str] | None = None, **front: object) -> None:
        write_section(self.path, key, body, questions or (), **front)

    def check(self, *, today: date = TODAY) -> Report:
        return check(self.path, today=today)

    def rules(self) -> set[str]:
        return {finding.rule for finding in self.check().findings}

    def finding(self, rule: str) -> Finding:
        (finding,) = [finding for finding in self.check().findings if finding.rule == rule]
        return finding


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_folder_that_keeps_every_rule_has_no_findings_and_loads(folder: Folder) -> None:
    report = check(folder.path, today=TODAY, encoder=FakeEncoder())
    assert report.findings == ()
    assert report.ok
    assert (report.sections, report.passages) == (2, 2)
    assert 0 < report.worst_grade <= 8
    assert load_knowledge(folder.path).passages.keys() == {"water#1", "bread#1"}


def test_a_missing_or_empty_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="does not exist"):
        check(tmp_path / "nowhere", today=TODAY)
    with pytest.raises(ContentError, match="no sections"):
        check(tmp_path, today=TODAY)


def test_an_unknown_key_is_named_and_the_other_files_are_still_checked(folder: Folder) -> None:
    folder.section("water", WATER, ["Is tap water clean?"], order=10, colour="blue")
    folder.section("bread", "Too short.", ["How is bread made?"], order=20)
    finding = folder.finding("schema")
    assert finding.file == "water.md"
    assert "colour" in finding.problem
    assert str(folder.path) not in finding.problem
    assert folder.finding("length").file == "bread.md"
    assert folder.check().sections == 1


@pytest.mark.parametrize("text", ["no front matter", "---\nid: [\n---\ntext\n", "---\nid: water\n---\ntext\n"])
def test_a_broken_section_is_a_finding(folder: Folder, text: str) -> None:
    folder.write("water.md", text)
    assert folder.finding("schema").file == "water.md"
    assert not folder.check().ok


def test_a_broken_bibliography_is_a_finding_and_hides_no_other(folder: Folder) -> None:
    folder.write("sources.yaml", "town: {title: Town report}\n")
    folder.section("bread", "Too short.", ["How is bread made?"], order=20)
    assert folder.rules() == {"schema", "length"}


def test_a_dead_reference_is_found_with_its_paragraph(folder: Folder) -> None:
    folder.section("bread", f"{BREAD} [@town; @gone]", ["How is bread made?", "bread dough"], order=20)
    finding = folder.finding("unknown-source")
    assert (finding.file, finding.paragraph) == ("bread.md", 1)
    assert "gone" in finding.problem


def test_a_dead_source_in_the_front_matter_is_found_even_if_every_paragraph_cites_others(folder: Folder) -> None:
    folder.section("bread", f"{BREAD} [@town]", ["How is bread made?", "bread dough"], order=20, source="gone")
    assert folder.finding("unknown-source").paragraph is None


def test_an_unused_source_is_a_warning(folder: Folder) -> None:
    folder.write("sources.yaml", (folder.path / "sources.yaml").read_text() + "b: {title: B, publisher: C, date: '1'}")
    finding = folder.finding("unused-source")
    assert finding.severity == "warning"
    assert "'b'" in finding.problem
    assert folder.check().ok


def test_a_source_is_not_called_unused_while_a_file_cannot_be_read(folder: Folder) -> None:
    folder.write("water.md", "broken")
    folder.write("bread.md", "broken")
    assert folder.rules() == {"schema"}


def test_two_sections_of_one_order_are_found(folder: Folder) -> None:
    folder.section("bread", BREAD, ["How is bread made?"], order=10)
    finding = folder.finding("duplicate-order")
    assert "bread.md" in finding.problem
    assert finding.file == "water.md"


def test_two_sections_of_one_id_are_found_and_their_search_is_not_tried(folder: Folder) -> None:
    folder.section("bread", BREAD, ["How is bread made?"], order=20, id="water")
    report = check(folder.path, today=TODAY, encoder=FakeEncoder())
    assert [finding.rule for finding in report.findings] == ["duplicate-id"]


def test_a_hard_paragraph_is_found(folder: Folder) -> None:
    hard = "Municipal administrations systematically investigate microbiological contamination. " * 5
    folder.section("water", hard, ["Is tap water clean?"], order=10)
    assert folder.finding("reading-grade").paragraph == 1
    assert folder.check().worst_grade > 8


@pytest.mark.parametrize(("words", "found"), [(24, True), (25, False), (90, False), (91, True)])
def test_a_paragraph_has_25_to_90_words(folder: Folder, words: int, found: bool) -> None:
    body = " ".join((["The", "cat", "and", "dog", "ran."] * 20)[:words])
    folder.section("bread", body, ["How is bread made?"], order=20)
    assert ("length" in folder.rules()) is found


@pytest.mark.parametrize(
    "text",
    [
        "50 mg", "50mg", "50-mg", "0.3 mg/kg", "20–30 micrograms", "5 μg", "5 µg", "５０ mg", "20 ㎎", "two tablets",
        "half a tablet", "twenty-five milligrams", "a few drops", "hundreds of micrograms", "3 g", "ten grams",
        "1,000 mcg", "2 ml", "one capsule", "mg/kg", "per kilo of weight", "per kg", "fifteen millilitres", "4 puffs",
        "a quarter of a gram", "0·3 mg", "two and a half pills", "3 Gramm of it or 3 grams",
    ],
)  # fmt: skip
def test_an_amount_is_seen_in_figures_and_in_words(text: str) -> None:
    assert has_amount(f"People had {text} that day.")


@pytest.mark.parametrize(
    "text",
    [
        "7.4 points", "34 people", "44 percent", "44%", "20 to 30 minutes", "two weeks apart", "12 weeks",
        "a single dose",
        "two doses", "17 people, 12 of whom took an SSRI", "a p-value of 0.002", "5-MeO-DMT", "5-HT2A receptors",
        "the MADRS, from 0 to 60", "call 112 or 911", "24 hours a day", "one group", "a tablet", "your tablets",
        "phase 2 grants", "two grandparents", "one programme",
    ],
)  # fmt: skip
def test_a_figure_that_nobody_could_take_is_no_amount(text: str) -> None:
    assert not has_amount(f"The trial had {text} in it.")


def test_an_amount_is_found_in_text_question_title_and_bibliography(folder: Folder) -> None:
    folder.section("water", f"{WATER} Each cup has 50 mg of salt.", ["Is tap water clean?"], order=10)
    folder.section("bread", BREAD, ["is 20 grams of bread enough"], order=20, title="Bread with two spoons of salt")
    folder.write("sources.yaml", "town: {title: Trial of 10 mg, publisher: Town, date: '2026'}\n")
    found = [(item.file, item.paragraph) for item in folder.check().findings if item.rule == "amount"]
    assert found == [("bread.md", None), ("bread.md", 1), ("sources.yaml", None), ("water.md", 1)]


def test_an_overdue_review_is_found_the_day_after_it_was_due(folder: Folder) -> None:
    assert folder.check(today=date(2027, 5, 1)).ok
    found = folder.check(today=date(2027, 5, 2)).findings
    assert {finding.rule for finding in found} == {"review-overdue"}


@pytest.mark.parametrize("front", [{"review_due": None}, {"reviewer": None}, {"reviewed": "2026-12-24"}])
def test_a_review_needs_its_reviewer_its_next_date_and_a_day_that_has_been(
    folder: Folder, front: dict[str, object]
) -> None:
    folder.section("bread", BREAD, ["How is bread made?"], order=20, **front)
    assert folder.finding("review-dates").file == "bread.md"


def test_a_draft_is_a_warning(folder: Folder) -> None:
    folder.section("bread", BREAD, ["How is bread made?"], order=20, reviewed=None, reviewer=None, review_due=None)
    assert folder.finding("not-reviewed").severity == "warning"
    assert folder.check().ok


@pytest.mark.parametrize("questions", [[], [" "]])
def test_a_paragraph_without_questions_is_found(folder: Folder, questions: list[str]) -> None:
    folder.section("bread", BREAD, questions, order=20)
    assert folder.finding("missing-questions").file == "bread.md"


@pytest.mark.parametrize("again", ["Is tap water clean?", "is TAP water clean", "is tap  water clean..."])
def test_a_question_that_stands_twice_is_found_whatever_its_spelling(folder: Folder, again: str) -> None:
    folder.section("zebra", BREAD, [again], order=30)
    finding = folder.finding("duplicate-question")
    assert finding.file == "zebra.md"
    assert "water#1" in finding.problem


@pytest.mark.parametrize("opening", ["This is", "They say it is", "It is", "However, it is", "But it is", "Such is"])
def test_a_paragraph_that_leans_on_what_came_before_is_found(folder: Folder, opening: str) -> None:
    folder.section("bread", f"{opening} so. {BREAD}", ["How is bread made?"], order=20)
    assert folder.finding("leans-on-before").paragraph == 1


@pytest.mark.parametrize("opening", ["Italy is", "Thistle is", "Nobody says it is", "Some say this is", "Sofia is"])
def test_a_paragraph_that_names_its_thing_is_not_found(folder: Folder, opening: str) -> None:
    folder.section("bread", f"{opening} so. {BREAD}", ["How is bread made?"], order=20)
    assert folder.rules() == set()


def test_help_lines_that_do_not_fit_their_schema_are_found(folder: Folder) -> None:
    folder.write("support_lines.yaml", SUPPORT.replace("for: crisis", "fro: crisis"))
    assert folder.finding("schema").file == "support_lines.yaml"


def test_a_folder_without_help_lines_is_a_warning(folder: Folder) -> None:
    (folder.path / "support_lines.yaml").unlink()
    assert folder.finding("support-lines").severity == "warning"


def test_each_help_line_unchecked_for_a_year_is_found(folder: Folder) -> None:
    folder.write("support_lines.yaml", SUPPORT.replace('org", checked: 2026-11-01', 'org", checked: 2025-11-01'))
    found = [item for item in folder.check().findings if item.rule == "stale-check"]
    assert len(found) == 2
    assert any("Find A Line" in item.problem for item in found)
    assert any("emergency number" in item.problem for item in found)


def test_a_passage_that_its_own_questions_do_not_find_is_a_warning(folder: Folder) -> None:
    for number in range(4):
        folder.section(f"fox{number}", f"A fox ran. {BREAD}", ["a fox", f"fox {number} ran"], order=50 + number)
    folder.section("water", WATER, ["fox ran unheard", "the fox"], order=10)
    findings = check(folder.path, today=TODAY, encoder=FakeEncoder()).findings
    finding = next(finding for finding in findings if (finding.file, finding.rule) == ("water.md", "unreachable"))
    assert (finding.paragraph, finding.severity) == (1, "warning")
    assert finding.problem.startswith("0 of its 2 questions")


def test_without_an_encoder_the_search_is_not_tried(folder: Folder) -> None:
    folder.section("water", WATER, ["zebra stripes"], order=10)
    assert "unreachable" not in folder.rules()


def test_findings_come_in_reading_order(folder: Folder) -> None:
    folder.section("bread", f"This is short.\n\n{BREAD}\n\nIt is short.", ["How is bread made?"], order=20)
    places = [(item.file, item.paragraph or 0) for item in folder.check().findings]
    assert places == sorted(places)


def shown(report: Report) -> str:
    out = io.StringIO()
    show(report, Console(width=200, file=out))
    return out.getvalue()


def test_the_table_shows_errors_before_warnings_and_the_sum(folder: Folder) -> None:
    folder.section("bread", BREAD, ["How is bread made?"], order=20, reviewed=None, reviewer=None, review_due=None)
    folder.section("water", "Too short.", ["Is tap water clean?"], order=10)
    text = shown(folder.check())
    assert text.index("error: length") < text.index("warning: not-reviewed")
    assert "water.md ¶1" in text
    assert "2 sections, 2 paragraphs" in text
    assert "1 errors, 1 warnings" in text


def test_the_table_shows_brackets_in_a_file_as_they_stand(folder: Folder) -> None:
    folder.section("bread", BREAD, ["what about [bold]bread[/bold]", "what about bold bread bold"], order=20)
    folder.section("zebra", BREAD, ["What about [bold]bread[/bold]?"], order=30)
    assert "[bold]bread[/bold]" in shown(folder.check())


def test_a_clean_report_is_one_line(folder: Folder) -> None:
    assert len(shown(folder.check()).strip().splitlines()) == 1
