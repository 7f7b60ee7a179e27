"""Proves all that can be proved of a knowledge folder without reading it for its meaning."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Literal, TypeVar

from askdmt.errors import ContentError
from askdmt.knowledge.reach import TextEncoder, measure_reach
from askdmt.knowledge.readability import grade, word_count
from askdmt.knowledge.sections import (
    SOURCES_FILE,
    SUPPORT_FILE,
    Knowledge,
    Passage,
    Section,
    Source,
    read_section,
    read_sources,
)
from askdmt.resources import parse_yaml, read_text
from askdmt.support import SupportDirectory, load_support

HARDEST_GRADE = 8.0
FEWEST_WORDS, MOST_WORDS = 25, 90
_CHECKED_WITHIN = timedelta(days=366)  # twelve months, a leap year's too

Severity = Literal["error", "warning"]
_T = TypeVar("_T")

_COUNT = (
    r"(?:\d[\d.,⁄]*|half|quarter|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty"
    r"|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|dozens?|several|few)"
)
_UNIT = (
    r"(?:mgs?|mcgs?|[uμ]gs?|mls?|cc|iu|(?:milli|micro|nano)?gram(?:me)?s?|millilit(?:er|re)s?|lit(?:er|re)s?|ounces?|oz"
    r"|tablets?|pills?|capsules?|tabs|drops|puffs?|(?:tea|table)?spoon(?:ful)?s?|ampoules?|vials?)"
)
_AMOUNT = re.compile(
    rf"\b{_COUNT}[\s-]*(?:of\s+)?(?:an?\s+)?{_UNIT}\b|\d\s*g\b"
    r"|\b(?:mg|mcg|[uμ]g|g|ml|(?:milli|micro)grams?)\s*(?:/|per)?\s*kg\b|\bper\s+(?:kilo(?:gram)?s?|kg)\b",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"(?:this|that|these|those|they|their|it|its|he|she|his|her|such|both|others?|another|also|however|but|and|so|yet|then"
    r"|therefore|thus|moreover|furthermore|instead|in addition|in contrast|as above|for (?:this|that) reason"
    r"|the (?:former|latter|same))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what mends it."""

    file: str
    paragraph: int | None  # from 1; None: the file as a whole
    rule: str
    problem: str
    mend: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Report:
    """What the check found."""

    findings: tuple[Finding, ...]
    sections: int
    passages: int
    worst_grade: float  # Flesch–Kincaid, of the hardest paragraph

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; warnings may remain."""
        return not any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True)
class _Folder:
    """What could be read of a knowledge folder."""

    path: Path
    today: date
    sections: tuple[Section, ...]
    sources: dict[str, Source] | None  # None: the bibliography cannot be read
    support: SupportDirectory | None
    broken: tuple[Finding, ...]

    @property
    def passages(self) -> list[tuple[Section, int, Passage]]:
        """Every passage with its section and its paragraph number."""
        return [
            (section, number, passage)
            for section in self.sections
            for number, passage in enumerate(section.passages, start=1)
        ]


def check(folder: Path, *, today: date, encoder: TextEncoder | None = None) -> Report:
    """Check every file of a knowledge folder; with an encoder, whether its own questions find each passage.

    The search is tried once a question: about half a minute for 1,400 questions on two cores.

    Raises:
        ContentError: the folder does not exist or has no sections.
    """
    state = _read(folder, today)
    findings = [*state.broken, *(finding for rule in _RULES for finding in rule(state))]
    if encoder is not None and not any(finding.rule == "duplicate-id" for finding in findings):
        findings += _unreached(state, encoder)
    grades = [grade(passage.text) for _, _, passage in state.passages]
    findings.sort(key=lambda finding: (finding.file, finding.paragraph or 0))
    return Report(tuple(findings), len(state.sections), len(grades), max(grades, default=0.0))


def has_amount(text: str) -> bool:
    """Whether a text gives an amount of something that is taken, in figures or in words."""
    return _AMOUNT.search(unicodedata.normalize("NFKC", text)) is not None


def _read(folder: Path, today: date) -> _Folder:
    if not folder.is_dir():
        raise ContentError(f"The knowledge folder {folder} does not exist.", "Correct the path.")
    paths = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    if not paths:
        raise ContentError(f"The knowledge folder {folder} has no sections.", "Add Markdown files with front matter.")
    broken: list[Finding] = []
    sections = [section for path in paths if (section := _attempt(read_section, path, broken))]
    sources = _attempt(read_sources, folder / SOURCES_FILE, broken)
    support_file = folder / SUPPORT_FILE
    support = _attempt(load_support, support_file, broken) if support_file.exists() else None
    return _Folder(folder, today, tuple(sections), sources, support, tuple(broken))


def _attempt(read: Callable[[Path], _T], path: Path, broken: list[Finding]) -> _T | None:
    try:
        return read(path)
    except ContentError as error:
        broken.append(Finding(path.name, None, "schema", error.problem.replace(str(path), path.name), error.mend))
        return None


def _unknown_source(state: _Folder) -> Iterator[Finding]:
    if state.sources is None:
        return
    for section in state.sections:
        named: list[tuple[int | None, str]] = [(None, _own_source(section))]
        named += [(number, key) for number, passage in enumerate(section.passages, 1) for key in passage.sources]
        seen: set[str] = set()
        for number, key in named:
            if key not in state.sources and key not in seen:
                seen.add(key)
                yield Finding(
                    section.path.name, number, "unknown-source", f"The source '{key}' is not in {SOURCES_FILE}.",
                    "Add it there, or correct the key.",
                )  # fmt: skip


def _unused_source(state: _Folder) -> Iterator[Finding]:
    if any(finding.file != SUPPORT_FILE for finding in state.broken):
        return  # a file that cannot be read may use it
    used = {key for _, _, passage in state.passages for key in passage.sources}
    used |= {_own_source(section) for section in state.sections}
    for key in (state.sources or {}).keys() - used:
        yield Finding(
            SOURCES_FILE, None, "unused-source", f"No section uses the source '{key}'.", "Remove or cite it.", "warning"
        )


def _own_source(section: Section) -> str:
    """Return the source in the front matter, which no passage shows when each cites others."""
    front = read_text(section.path).split("---", 2)[1]
    return str(parse_yaml(front, str(section.path))["source"])


def _shared_id(state: _Folder) -> Iterator[Finding]:
    yield from _shared(state, "duplicate-id", "id", lambda section: section.id)


def _shared_order(state: _Folder) -> Iterator[Finding]:
    yield from _shared(state, "duplicate-order", "order", lambda section: str(section.order))


def _shared(state: _Folder, rule: str, name: str, value: Callable[[Section], str]) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for section in state.sections:
        file = section.path.name
        if (other := first.setdefault(value(section), file)) != file:
            yield Finding(file, None, rule, f"{other} has the same {name}, {value(section)}.", "Change one of the two.")


def _review(state: _Folder) -> Iterator[Finding]:
    for section in state.sections:
        file = section.path.name
        if section.reviewed is None:
            yield Finding(
                file, None, "not-reviewed", "Nobody has reviewed this section.",
                "Have it reviewed, then set reviewed, reviewer and review_due.", "warning",
            )  # fmt: skip
        elif section.reviewed > state.today or section.review_due is None or not section.reviewer:
            yield Finding(
                file, None, "review-dates", "The review lies in the future, or has no reviewer or no next date.",
                "Set reviewed, reviewer and review_due.",
            )  # fmt: skip
        elif section.overdue(state.today):
            yield Finding(
                file, None, "review-overdue", f"Its review was due on {section.review_due}.",
                "Review it again and set reviewed and review_due.",
            )  # fmt: skip


def _length(state: _Folder) -> Iterator[Finding]:
    for section, number, passage in state.passages:
        words = word_count(passage.text)
        if not FEWEST_WORDS <= words <= MOST_WORDS:
            yield Finding(
                section.path.name, number, "length", f"It has {words} words.",
                f"Bring it to {FEWEST_WORDS} to {MOST_WORDS} words.",
            )  # fmt: skip


def _reading_grade(state: _Folder) -> Iterator[Finding]:
    for section, number, passage in state.passages:
        if (reached := round(grade(passage.text), 1)) > HARDEST_GRADE:
            yield Finding(
                section.path.name, number, "reading-grade", f"Its reading grade is {reached:.1f}.",
                f"Use shorter sentences and words, down to {HARDEST_GRADE:.0f}.",
            )  # fmt: skip


def _leans_on_before(state: _Folder) -> Iterator[Finding]:
    for section, number, passage in state.passages:
        if opening := _LEANS.match(passage.text):
            yield Finding(
                section.path.name, number, "leans-on-before",
                f"It opens with '{opening[0]}', and a reader may see it alone.", "Name the thing.",
            )  # fmt: skip


def _amount(state: _Folder) -> Iterator[Finding]:
    mend = "Take the amount out: the knowledge holds none."
    for section, number, passage in state.passages:
        if any(map(has_amount, (passage.text, *passage.questions))):
            yield Finding(section.path.name, number, "amount", "It gives an amount of something taken.", mend)
    for section in state.sections:
        if has_amount(section.title):
            yield Finding(section.path.name, None, "amount", "Its title gives an amount.", mend)
    for key, source in (state.sources or {}).items():
        if has_amount(source.title):
            yield Finding(SOURCES_FILE, None, "amount", f"The title of '{key}' gives an amount.", mend)


def _missing_questions(state: _Folder) -> Iterator[Finding]:
    for section, number, passage in state.passages:
        if not any(question.strip() for question in passage.questions):
            yield Finding(
                section.path.name, number, "missing-questions", "It has no questions, so that few wordings find it.",
                "Add questions that it answers, in patients' words.",
            )  # fmt: skip


def _duplicate_question(state: _Folder) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for section, number, passage in state.passages:
        for question in passage.questions:
            plain = " ".join(re.findall(r"\w+", question.casefold()))
            if plain in first:
                yield Finding(
                    section.path.name, number, "duplicate-question", f"'{question}' stands at {first[plain]} too.",
                    "Keep it at the paragraph that answers it best.",
                )  # fmt: skip
            first.setdefault(plain, passage.id)


def _support_lines(state: _Folder) -> Iterator[Finding]:
    if not (state.path / SUPPORT_FILE).exists():
        yield Finding(
            SUPPORT_FILE, None, "support-lines", "The folder has no help lines, so that those of the release are used.",
            "Add the file where other lines are wanted.", "warning",
        )  # fmt: skip
    for where, checked in _checks(state.support):
        if state.today - checked > _CHECKED_WITHIN:
            yield Finding(
                SUPPORT_FILE, None, "stale-check", f"{where} was last checked on {checked}.",
                "Call or open it, then set checked.",
            )  # fmt: skip


def _checks(support: SupportDirectory | None) -> Iterator[tuple[str, date]]:
    if support is None:
        return
    yield "The whole file", support.checked
    for key, region in support.regions.items():
        if region.emergency:
            yield f"{key}: the emergency number", region.emergency.checked
        for line in (*region.lines, *([region.poison] if region.poison else [])):
            yield f"{key}: {line.name}", line.checked


_RULES: tuple[Callable[[_Folder], Iterator[Finding]], ...] = (
    _unknown_source,
    _unused_source,
    _shared_id,
    _shared_order,
    _review,
    _length,
    _reading_grade,
    _leans_on_before,
    _amount,
    _missing_questions,
    _duplicate_question,
    _support_lines,
)


def _unreached(state: _Folder, encoder: TextEncoder) -> Iterator[Finding]:
    knowledge = Knowledge(state.sections, state.sources or {}, state.path)
    for (section, number, _), reach in zip(state.passages, measure_reach(knowledge, encoder), strict=True):
        if not reach.enough:
            yield Finding(
                section.path.name, number, "unreachable",
                f"{reach.found} of its {reach.asked} questions find this section when they are not in the index "
                "themselves.",
                "Add questions nearer to each other and to the text, or move those that belong elsewhere.", "warning",
            )  # fmt: skip
