"""Sections, passages and bibliography: the reviewed content as it lies in `knowledge/`.

A section is one Markdown file with front matter; a passage is one of its paragraphs. A paragraph may end with
Pandoc citations (`[@key; @key]`) that name its sources; without them the section's own source counts.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from askdmt.errors import ContentError
from askdmt.resources import first_problem, parse_yaml, read_text, read_yaml

SOURCES_FILE = "sources.yaml"
SUPPORT_FILE = "support_lines.yaml"
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n(.*)\Z", re.DOTALL)
_CITED = re.compile(r"\s*\[(@[\w-]+(?:;\s*@[\w-]+)*)\]\s*\Z")


class Source(BaseModel):
    """One entry of the bibliography."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    publisher: str
    date: str
    url: str | None = None
    doi: str | None = None

    @property
    def address(self) -> str:
        """Where a reader finds it; empty if it has no address."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url or ""

    @property
    def label(self) -> str:
        """Title, publisher and date in one line."""
        return f"{self.title}, {self.publisher}, {self.date}"


class FrontMatter(BaseModel):
    """What a section says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str = Field(min_length=1)
    order: int
    source: str
    reviewed: date | None  # None: a draft that nobody has reviewed
    reviewer: str | None
    review_due: date | None
    questions: dict[int, list[str]]  # paragraph number, from 1 -> questions it answers, in patients' words


@dataclass(frozen=True, slots=True)
class Passage:
    """One paragraph: what the search finds and an answer is made of."""

    id: str  # section id, '#', paragraph number
    section: str
    text: str
    sources: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One file of `knowledge/`."""

    id: str
    title: str
    order: int
    reviewed: date | None
    reviewer: str | None
    review_due: date | None
    passages: tuple[Passage, ...]
    path: Path

    @property
    def signed(self) -> bool:
        """Whether a clinician has signed it; a reviewer's note that says 'draft' means nobody has yet."""
        return self.reviewed is not None and bool(self.reviewer) and "draft" not in str(self.reviewer).lower()

    def overdue(self, today: date) -> bool:
        """Whether the next review should have happened by now."""
        return self.review_due is not None and self.review_due < today


@dataclass(frozen=True)
class Knowledge:
    """All sections in order, with their bibliography."""

    sections: tuple[Section, ...]
    sources: dict[str, Source]
    folder: Path

    @cached_property
    def passages(self) -> dict[str, Passage]:
        """Passages by id, in reading order."""
        return {passage.id: passage for section in self.sections for passage in section.passages}

    @cached_property
    def by_id(self) -> dict[str, Section]:
        """Sections by id."""
        return {section.id: section for section in self.sections}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the search index is built from."""
        content = [(passage.id, passage.text, passage.questions) for passage in self.passages.values()]
        return hashlib.sha256(repr(content).encode()).hexdigest()


def load_knowledge(folder: Path, *beside: Path) -> Knowledge:
    """Read every section of a folder, and of others that stand beside it.

    Raises:
        ContentError: a folder is missing or empty, a file is broken, or two say different things under one name; names
            the file and what to correct.
    """
    sections = sorted(
        (section for place in (folder, *beside) for section in _read_sections(place)), key=lambda section: section.order
    )
    sources: dict[str, Source] = {}
    for path in (place / SOURCES_FILE for place in (folder, *beside)):
        own = read_sources(path)
        if differing := next((key for key in sorted(own.keys() & sources) if own[key] != sources[key]), None):
            raise ContentError(f"{path}: the source '{differing}' stands elsewhere with other words.", "Rename it.")
        sources |= own
    _check_references(sections, sources)
    return Knowledge(tuple(sections), sources, folder)


def _read_sections(folder: Path) -> list[Section]:
    if not folder.is_dir():
        raise ContentError(f"The knowledge folder {folder} does not exist.", "Correct the setting 'knowledge'.")
    paths = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    if not paths:
        raise ContentError(f"The knowledge folder {folder} has no sections.", "Add Markdown files with front matter.")
    return [read_section(path) for path in paths]


def read_section(path: Path) -> Section:
    parts = _FRONT_MATTER.match(read_text(path))
    if not parts:
        raise ContentError(f"{path} has no front matter.", "Begin the file with '---', the keys, and '---'.")
    try:
        front = FrontMatter.model_validate(parse_yaml(parts[1], str(path)))
    except ValidationError as error:
        raise ContentError(f"{path}: {first_problem(error)}.", "Correct the front matter.") from None
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", parts[2]) if block.strip()]
    if not paragraphs:
        raise ContentError(f"{path} has no text.", "Write at least one paragraph below the front matter.")
    if strays := sorted(set(front.questions) - set(range(1, len(paragraphs) + 1))):
        raise ContentError(f"{path}: questions name paragraph {strays[0]} of {len(paragraphs)}.", "Renumber them.")
    passages = tuple(_passage(front, number, paragraph, path) for number, paragraph in enumerate(paragraphs, start=1))
    return Section(front.id, front.title, front.order, front.reviewed, front.reviewer, front.review_due, passages, path)


def _passage(front: FrontMatter, number: int, paragraph: str, path: Path) -> Passage:
    cited = _CITED.search(paragraph)
    text = paragraph[: cited.start()] if cited else paragraph
    if not text.strip():
        raise ContentError(f"{path}: paragraph {number} holds only citations.", "Join them to the paragraph before.")
    sources = tuple(key.strip().lstrip("@") for key in cited[1].split(";")) if cited else (front.source,)
    return Passage(f"{front.id}#{number}", front.id, text.strip(), sources, tuple(front.questions.get(number, ())))


def read_sources(path: Path) -> dict[str, Source]:
    raw: Any = read_yaml(path)
    try:
        return TypeAdapter(dict[str, Source]).validate_python(raw)
    except ValidationError as error:
        raise ContentError(f"{path}: {first_problem(error)}.", "Correct the bibliography.") from None


def _check_references(sections: list[Section], sources: dict[str, Source]) -> None:
    seen: dict[str, Path] = {}
    for section in sections:
        if section.id in seen:
            raise ContentError(f"{section.path} and {seen[section.id]} share the id '{section.id}'.", "Rename one.")
        seen[section.id] = section.path
        for passage in section.passages:
            for key in passage.sources:
                if key not in sources:
                    raise ContentError(f"{section.path}: unknown source '{key}'.", f"Add it to {SOURCES_FILE}.")
