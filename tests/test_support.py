"""Help lines: everybody is shown some, whatever the region."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askdmt.errors import ContentError, SettingsError
from askdmt.knowledge.sections import SUPPORT_FILE
from askdmt.resources import content_folder
from askdmt.support import INTERNATIONAL, SupportDirectory, load_support
from askdmt.wording import load_wording

FILE = """
checked: 2026-11-01
regions:
  international:
    name: Anywhere else
    emergency: {call: "112", also: "911", source: "https://example.org", checked: 2026-11-01}
    lines:
      - {name: Find A Line, for: crisis, chat: example.org, source: "https://example.org", checked: 2026-11-01}
  gb:
    name: United Kingdom
    emergency: {call: "999", also: "112", source: "https://example.org", checked: 2026-11-01}
    poison: {name: Poisons, for: poison, call: "111", source: "https://example.org", checked: 2026-11-01}
    lines:
      - {name: Listeners, for: crisis, call: 116 123, hours: always, source: [a, b], checked: 2026-11-01}
  xx:
    name: Nowhere
    lines: []
"""
WORDS = load_wording().support


def load(tmp_path: Path, text: str) -> SupportDirectory:
    path = tmp_path / "support_lines.yaml"
    path.write_text(text, encoding="utf-8")
    return load_support(path)


@pytest.fixture
def directory(tmp_path: Path) -> SupportDirectory:
    return load(tmp_path, FILE)


@pytest.fixture(scope="module")
def shipped() -> SupportDirectory:
    return load_support(content_folder("knowledge") / SUPPORT_FILE)


def test_a_region_shows_its_emergency_number_its_lines_and_the_international_ones(directory: SupportDirectory) -> None:
    lines = directory.lines("gb", WORDS)
    assert [line.name for line in lines] == [WORDS.emergency, "Listeners", "Find A Line"]
    assert (lines[0].call, lines[0].region) == ("999 or 112", "United Kingdom")
    assert (lines[1].call, lines[1].hours, lines[1].region) == ("116 123", "always", "United Kingdom")


def test_the_poison_line_is_shown_where_it_is_wanted_and_there_is_one(directory: SupportDirectory) -> None:
    assert [line.name for line in directory.lines("gb", WORDS, poison=True)][1] == "Poisons"
    assert "Poisons" not in [line.name for line in directory.lines("international", WORDS, poison=True)]


def test_a_region_without_a_number_has_the_international_ones(directory: SupportDirectory) -> None:
    assert directory.emergency_numbers("xx") == ("112", "911")
    assert [line.name for line in directory.lines("xx", WORDS)] == [WORDS.emergency, "Find A Line"]


def test_the_international_lines_are_not_shown_twice(directory: SupportDirectory) -> None:
    assert [line.name for line in directory.lines("international", WORDS)] == [WORDS.emergency, "Find A Line"]


def test_the_case_of_a_region_does_not_matter(directory: SupportDirectory) -> None:
    assert directory.lines("GB", WORDS) == directory.lines("gb", WORDS)


@pytest.mark.parametrize("key", ["", "uk", "atlantis", "g b"])
def test_an_unknown_region_names_the_known_ones(directory: SupportDirectory, key: str) -> None:
    with pytest.raises(SettingsError, match=f"Unknown region '{key}'. Known regions: international, gb, xx"):
        directory.region(key)


def test_a_file_without_the_international_region_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"support_lines\.yaml has no region 'international'"):
        load(tmp_path, FILE.replace("international:", "elsewhere:"))


def test_an_international_region_without_a_number_is_refused(tmp_path: Path) -> None:
    without = "\n".join(line for line in FILE.splitlines() if '"112", also: "911"' not in line)
    with pytest.raises(ContentError, match="'international' has no emergency number"):
        load(tmp_path, without)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("for: crisis, chat", "fro: crisis, chat", "regions.international.lines.0"),
        ("name: United Kingdom\n", "nom: United Kingdom\n", "regions.gb"),
        ('call: "999"', "call: 999", "regions.gb.emergency.call"),
        ("checked: 2026-11-01\nregions", "checked: soon\nregions", "checked"),
        ("    lines: []", "", "regions.xx.lines"),
    ],
)
def test_a_file_that_does_not_fit_names_the_place(tmp_path: Path, old: str, new: str, where: str) -> None:
    assert old in FILE
    with pytest.raises(ContentError, match=rf"support_lines\.yaml: {where}"):
        load(tmp_path, FILE.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "[]", "regions: {}", "a: ["])
def test_a_file_of_another_shape_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContentError, match=r"support_lines\.yaml"):
        load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"gone\.yaml"):
        load_support(tmp_path / "gone.yaml")


def test_every_shipped_region_gives_a_number_and_a_line_that_people_staff(shipped: SupportDirectory) -> None:
    assert INTERNATIONAL in shipped.regions
    for key in shipped.regions:
        lines = shipped.lines(key, WORDS)
        assert lines[0].call
        assert len(lines) >= 2
        assert all(line.call or line.text or line.chat for line in lines), key


@settings(deadline=None, max_examples=100)
@given(key=st.text(max_size=12))
def test_a_region_is_known_or_refused(shipped: SupportDirectory, key: str) -> None:
    if key.lower() in shipped.regions:
        assert shipped.lines(key, WORDS)
    else:
        with pytest.raises(SettingsError):
            shipped.lines(key, WORDS)
