"""Articles in, draft sections out: what is dropped, how it is shaped, and every way it can fail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from askdmt.errors import AskDMTError, InputError
from askdmt.knowledge.check import check
from askdmt.knowledge.ingest import ingest
from askdmt.knowledge.readability import word_count
from askdmt.knowledge.sections import Knowledge, load_knowledge

BEES = (
    "Honey bees live in a hive with one queen. The queen lays all of the eggs, and the workers feed the young. "
    "A hive may hold many thousand bees when the summer is warm and flowers are near."
)
DANCE = (
    "A worker that has found flowers flies home and dances. The dance tells the other bees how far away the flowers "
    "are and which way to fly. Scientists learnt to read the dance in the last century."
)
WINTER = (
    "In winter the bees stay close together and eat the honey that they have stored. Their bodies keep the hive warm. "
    "A strong hive can live through months of snow and wake up again in spring."
)
TAG_LINE = "Smartest Garden Platform designed for everything from seeds to harvest."
INTRO = "The keeper has to look after the following:"


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def turn(tmp_path: Path) -> Callable[..., Knowledge]:
    """Ingest a file's content under a name, and load what came of it."""

    def run(name: str, content: str | bytes, **options: str) -> Knowledge:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        ingest(file, tmp_path / "out", **options)
        return load_knowledge(tmp_path / "out")

    return run


def text_of(knowledge: Knowledge) -> str:
    return "\n".join(passage.text for passage in knowledge.passages.values())


def titles(knowledge: Knowledge) -> list[str]:
    return [section.title for section in knowledge.sections]


# What a draft is


def test_a_draft_is_unreviewed_has_no_questions_and_cites_the_article(turn: Callable[..., Knowledge]) -> None:
    knowledge = turn("bees.md", f"# All about bees\n\n## The hive\n\n{BEES}\n")
    (section,) = knowledge.sections
    assert (section.title, section.id, section.order) == ("The hive", "the-hive", 10)
    assert (section.reviewed, section.reviewer, section.review_due) == (None, None, None)
    assert section.passages[0].questions == ()
    assert section.passages[0].sources == ("article",)
    assert knowledge.sources["article"].title == "All about bees"
    assert knowledge.sources["article"].date == "undated"


def test_the_sections_files_are_returned_in_order(tmp_path: Path) -> None:
    file = written(tmp_path / "bees.md", f"# Bees\n\n## Hive\n\n{BEES}\n\n## Dance\n\n{DANCE}\n")
    paths = ingest(file, tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["01-hive.md", "02-dance.md"]
    assert all(path.is_file() for path in paths)
    assert {path.name for path in (tmp_path / "new" / "out").iterdir()} == {
        *(path.name for path in paths),
        "sources.yaml",
    }
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_drafts_lack_nothing_but_review_and_questions(tmp_path: Path, turn: Callable[..., Knowledge]) -> None:
    turn("bees.md", f"# Bees\n\n## Hive\n\n{BEES}\n\n## Dance\n\n{DANCE}\n")
    report = check(tmp_path / "out", today=date(2026, 11, 23))
    assert {finding.rule for finding in report.findings} == {"missing-questions", "not-reviewed", "support-lines"}


def test_the_title_given_wins(turn: Callable[..., Knowledge]) -> None:
    knowledge = turn("bees.md", f"# Wrong\n\n## Hive\n\n{BEES}\n", title=" Right:  'title' ")
    assert knowledge.sources["article"].title == "Right: 'title'"


def test_a_file_without_a_title_has_its_name(turn: Callable[..., Knowledge]) -> None:
    assert turn("bees.txt", BEES).sources["article"].title == "bees"


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert ingest(written(tmp_path / "bees.txt", BEES), tmp_path / "out")


def test_titles_that_are_alike_or_have_no_latin_letters_get_ids_of_their_own(turn: Callable[..., Knowledge]) -> None:
    knowledge = turn(
        "b.md", f"## Hive\n\n{BEES}\n\n## Hive\n\n{DANCE}\n\n## Пчёлы\n\n{WINTER}\n\n## Été\n\n{BEES[:-1]}!"
    )
    assert [section.id for section in knowledge.sections] == ["hive", "hive-2", "section-3", "ete"]


# Lost headings, lost lists, site text


def lost(*, end: str = "") -> str:
    return "\n".join([BEES, DANCE, INTRO, WINTER]) + end


def test_paragraphs_without_headings_become_sections_of_one_to_three(turn: Callable[..., Knowledge]) -> None:
    many = "\n".join([BEES, DANCE, WINTER, *(f"{BEES} {number}." for number in range(4))])
    knowledge = turn("bees.txt", many)
    assert all(1 <= len(section.passages) <= 3 for section in knowledge.sections)
    assert len(knowledge.passages) == 7
    assert titles(knowledge)[0].startswith("Honey bees live in a hive")


def test_paragraphs_on_one_topic_share_a_section_and_others_do_not(turn: Callable[..., Knowledge]) -> None:
    trains = (
        "Steam trains burn coal to boil water. The steam pushes pistons, and the pistons turn the wheels on the rails. "
        "Engine drivers shovel coal into the fire for as long as the train is moving."
    )
    wheels = "Coal and steam made trains fast. The pistons and the wheels of a train wear out, as do the rails. " * 2
    assert [len(section.passages) for section in turn("a.txt", "\n".join([BEES, trains, wheels])).sections] == [1, 2]


def test_a_tag_line_behind_blank_lines_at_the_end_is_dropped(turn: Callable[..., Knowledge]) -> None:
    assert TAG_LINE not in text_of(turn("bees.txt", lost(end=f"\n\n\n\n\n{TAG_LINE}\n")))


def test_a_last_paragraph_behind_blank_lines_is_kept(turn: Callable[..., Knowledge]) -> None:
    assert "This post gives general information" in text_of(
        turn("bees.txt", lost(end=f"\n\n\n\n\nThis post gives general information on bees and no advice. {BEES}\n"))
    )


def test_a_last_line_that_is_no_sentence_is_dropped(turn: Callable[..., Knowledge]) -> None:
    assert "Garden Platform" not in text_of(turn("bees.txt", lost(end="\n\nThe Garden Platform for Everyone\n")))


def test_a_line_that_leads_into_a_lost_list_is_dropped(turn: Callable[..., Knowledge]) -> None:
    assert "following" not in text_of(turn("bees.txt", lost()))


@pytest.mark.parametrize("mark", ["-", "*", "•", "1."])
def test_a_list_is_joined_to_the_line_that_leads_into_it(turn: Callable[..., Knowledge], mark: str) -> None:
    items = f"\n{mark} the queen and her eggs\n{mark} the stores of honey;\n{mark} mites.\n"
    text = text_of(turn("bees.txt", f"{BEES}\n\n{INTRO}\n{items}\n{DANCE}"))
    assert f"{INTRO} the queen and her eggs; the stores of honey; mites." in text


@pytest.mark.parametrize(
    "line",
    [
        "We use cookies to give you the best experience. Accept all cookies.",
        "By going on you agree to our use of cookies.",
        "Share this article",
        "Share on Facebook.",
        "Subscribe to our newsletter!",
        "5 min read",
        "By Jane Miller",
        "12 March 2026",
        "© 2026 The Garden Company. All rights reserved.",
        "Home > Blog > Bees",
        "* * *",
    ],
)
def test_text_of_the_site_is_dropped(turn: Callable[..., Knowledge], line: str) -> None:
    kept = turn("bees.txt", f"{BEES}\n\n{line}\n\n{DANCE}\n")
    assert text_of(kept).replace("\n", " ") == f"{BEES} {DANCE}"
    assert line not in titles(kept)


def test_a_sentence_on_sharing_or_cookies_in_a_paragraph_is_kept(turn: Callable[..., Knowledge]) -> None:
    sharing = (
        "Share this honey with the bees. Printing a label is easy, and many keepers like to bake with honey in winter."
    )
    assert sharing in text_of(turn("bees.txt", f"{BEES}\n\n{sharing} {DANCE[:60]} for a long time.\n"))


def test_a_short_sentence_of_the_article_is_kept(turn: Callable[..., Knowledge]) -> None:
    assert "Home hives help many bees." in text_of(
        turn("bees.txt", f"{BEES}\n\nHome hives help many bees.\n\n{DANCE}\n")
    )


def test_a_paragraph_that_stands_twice_is_kept_once(turn: Callable[..., Knowledge]) -> None:
    assert text_of(turn("bees.txt", f"{BEES}\n\n{DANCE}\n\n{BEES}\n")).count("one queen") == 1


def test_reference_marks_and_invisible_characters_go(turn: Callable[..., Knowledge]) -> None:
    text = BEES.replace("queen.", "queen.[1, 2]").replace("workers", "work\u00aders\u200b") + " [@smith2020]"
    assert text_of(turn("bees.txt", text)) == BEES


def test_sentences_with_amounts_are_left_out_and_said_so(
    turn: Callable[..., Knowledge], caplog: pytest.LogCaptureFixture
) -> None:
    text = text_of(turn("bees.txt", f"{BEES} They were given 20 mg of sugar each. {DANCE}"))
    assert "mg" not in text
    assert "one queen" in text
    assert "left out 1 sentences" in caplog.text
    assert "sugar" not in caplog.text


def test_a_title_or_heading_with_an_amount_is_not_used(turn: Callable[..., Knowledge]) -> None:
    knowledge = turn("bees.md", f"# Bees need 20 mg of salt\n\n## Why 20 mg of salt helps\n\n{BEES}\n")
    assert knowledge.sources["article"].title == "bees"
    assert titles(knowledge) == ["Honey bees live in a hive with one queen"]


def test_a_given_title_with_an_amount_is_refused(turn: Callable[..., Knowledge]) -> None:
    with pytest.raises(InputError, match="holds an amount"):
        turn("bees.txt", BEES, title="Ten milligrams of bees")


# Paragraphs


def test_a_long_paragraph_is_split_at_sentence_ends(turn: Callable[..., Knowledge]) -> None:
    whole = " ".join([BEES, DANCE, WINTER, BEES.replace("Honey", "Wild"), DANCE.replace("worker", "scout")])
    knowledge = turn("bees.txt", whole)
    assert all(25 <= word_count(passage.text) <= 90 for passage in knowledge.passages.values())
    assert text_of(knowledge).replace("\n", " ") == whole


def test_a_short_paragraph_joins_its_neighbour(turn: Callable[..., Knowledge]) -> None:
    knowledge = turn("bees.txt", f"{BEES}\nBees also make wax for their combs.\n{DANCE}")
    assert all(25 <= word_count(passage.text) <= 90 for passage in knowledge.passages.values())
    assert "near. Bees also make wax" in text_of(knowledge)


def test_a_short_paragraph_does_not_cross_a_heading(turn: Callable[..., Knowledge]) -> None:
    knowledge = turn("bees.md", f"## Hive\n\n{BEES}\n\n## Wax\n\nBees also make wax.\n\n## Dance\n\n{DANCE}\n")
    assert titles(knowledge) == ["Hive", "Wax", "Dance"]


# What cannot be used


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.rtf", b"{}", "not supported"),
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\n ", "has no paragraphs"),
        ("a.md", b"# Only a title\n", "has no paragraphs"),
        ("a.html", b"<html><body><nav>Home</nav></body></html>", "has no paragraphs"),
        ("a.pdf", b"no PDF at all", "cannot be read as a PDF"),
        ("a.txt", b"Take 50 mg of it each day and then rest for the whole of the week.", "has no paragraphs"),
    ],
)
def test_a_file_that_cannot_be_used_names_its_mend_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        ingest(tmp_path / name, tmp_path / "out")
    assert problem in str(caught.value)
    assert caught.value.mend
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    written(out / "mine.md", "mine")
    with pytest.raises(InputError, match="not an empty folder"):
        ingest(written(tmp_path / "bees.txt", BEES), out)
    assert [path.read_text() for path in out.iterdir()] == ["mine"]


def test_a_file_in_place_of_the_folder_is_left_as_it_is(tmp_path: Path) -> None:
    out = written(tmp_path / "out", "mine")
    with pytest.raises(InputError, match="not an empty folder"):
        ingest(written(tmp_path / "bees.txt", BEES), out)
    assert out.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_an_error_with_its_mend(tmp_path: Path) -> None:
    written(tmp_path / "file", "in the way")
    with pytest.raises(InputError, match="Name a folder you may write to"):
        ingest(written(tmp_path / "bees.txt", BEES), tmp_path / "file" / "out")


def test_nothing_half_written_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    file = written(tmp_path / "bees.txt", BEES)
    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(AskDMTError, match="No space left"):
        ingest(file, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["bees.txt"]
