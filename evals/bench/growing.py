"""Larger and larger knowledge: invented passages beside the real ones.

The invented passages are of invented words, and their vectors are drawn rather than encoded: what is measured is the
search, and what it costs to change one section of a thousand.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from askdmt.assistant import Assistant
from askdmt.encoder import Encoder, Vectors
from askdmt.knowledge.index import open_index
from askdmt.knowledge.search import Search
from askdmt.knowledge.sections import Knowledge, Passage, Section
from bench.figures import Figure, Part, Spread
from bench.processes import resident
from bench.questions import mixed

_WORDS = 30_000  # different invented words, the commonest thousands of times as common as the rarest
_LENGTH = 40  # words of a passage
_OF_A_SECTION = 10  # passages
_MARK = "Zz"  # begins every invented passage, and no real one
_SECTIONS = 1000
_LIKENESS = 0.3  # of an invented passage to the direction that all real texts share


class DrawnEncoder(Encoder):
    """Encodes real texts, draws a vector for an invented one, and counts what it is asked."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self._encoder = encoder
        self.name = f"{encoder.name}+drawn"
        self.asked = 0
        common = encoder.encode(mixed(40)).mean(axis=0)
        self._common = common / np.linalg.norm(common)

    @property
    def width(self) -> int:
        return self._encoder.width

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += len(texts)
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        real = [row for row, text in enumerate(texts) if not text.startswith(_MARK)]
        if real:
            vectors[real] = self._encoder.encode([texts[row] for row in real])
        for row in set(range(len(texts))) - set(real):
            vectors[row] = self._drawn(texts[row])
        return vectors

    def _drawn(self, text: str) -> Vectors:
        chance = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
        own = chance.standard_normal(self.width, dtype=np.float32)
        mixed_ = _LIKENESS * self._common + (1 - _LIKENESS) * own / np.linalg.norm(own)
        return np.asarray(mixed_ / np.linalg.norm(mixed_), dtype=np.float32)


def measure(sizes: Sequence[int], questions: int) -> Part:
    """Ask the same questions over each size, then change one section of a thousand."""
    assistant = Assistant.load()
    encoder = DrawnEncoder(assistant.encoder)
    points, details = [], []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            grown, seconds = _grown(assistant, encoder, size, Path(folder))
            times = _times(grown, mixed(questions))
        points.append((size, times))
        details.append(
            {"passages": size, "median_ms": times.median, "built_in_s": round(seconds, 1), "megabytes": _memory()}
        )
    (least, first), (most, last) = points[0], points[-1]
    growth = Figure(
        f"median reply over {most:,} passages", "ms", last, "≤ 2", f"over {least:,}", first
    )  # fmt: skip
    curve = [(float(np.log10(size)), times.median) for size, times in points]
    encoded, seconds = _reindexed(assistant, encoder)
    changed = Figure(
        f"texts encoded after one changed section of {_SECTIONS:,}", f"of the section's {_OF_A_SECTION}",
        Spread.of([encoded]), f"≤ {_OF_A_SECTION}",
    )  # fmt: skip
    return Part([growth, changed], {"growth.svg": {"reply": curve}}, {"sizes": details, "reindexed_in_s": seconds})


def _grown(assistant: Assistant, encoder: DrawnEncoder, size: int, cache: Path) -> tuple[Assistant, float]:
    """Return the assistant over `size` passages, and how many seconds it took to index them."""
    real = assistant.knowledge
    invented = _invented(max(size - len(real.passages), 0) if size > len(real.passages) else 0)
    knowledge = Knowledge((*real.sections, *invented), real.sources, real.folder)
    if size < len(real.passages):
        knowledge = Knowledge(tuple(_first(real.sections, size)), real.sources, real.folder)
    started = time.perf_counter()
    index = open_index(knowledge, encoder, cache)
    search = Search(knowledge, index)
    seconds = time.perf_counter() - started
    parts = (assistant.settings, assistant.encoder, assistant.guard, knowledge, search, assistant.support)
    return Assistant(*parts), seconds


def _first(sections: Sequence[Section], passages: int) -> Iterator[Section]:
    for section in sections:
        if passages > 0:
            yield replace(section, passages=section.passages[:passages])
        passages -= len(section.passages)


def _invented(passages: int, changed: int = -1) -> list[Section]:
    """Return sections of invented passages; the one of number `changed` says something else than otherwise."""
    return [_section(number, min(_OF_A_SECTION, passages - number * _OF_A_SECTION), number == changed)
            for number in range(-(-passages // _OF_A_SECTION))]  # fmt: skip


def _section(number: int, passages: int, changed: bool) -> Section:
    chance = np.random.default_rng([number, int(changed)])
    words = (_WORDS ** chance.random((passages, _LENGTH))).astype(int)  # the logarithm is even: as Zipf has it
    key = f"invented-{number}"
    texts = (" ".join([_MARK, *(f"w{word}x" for word in row)]) for row in words)
    made = tuple(Passage(f"{key}#{place}", key, text, ("invented",), ()) for place, text in enumerate(texts, start=1))
    return Section(key, f"Invented {number}", 10_000 + number, None, None, None, made, Path(f"{key}.md"))


def _times(assistant: Assistant, questions: Sequence[str]) -> Spread:
    times = []
    for question in [*questions[:5], *questions]:
        started = time.perf_counter()
        assistant.reply(question)
        times.append((time.perf_counter() - started) * 1000)
    return Spread.of(times[5:])


def _reindexed(assistant: Assistant, encoder: DrawnEncoder) -> tuple[int, float]:
    """Return how many texts are encoded after one section of a thousand has changed, and the seconds it takes."""
    real = assistant.knowledge
    with tempfile.TemporaryDirectory() as folder:
        for changed in (-1, 500):
            encoder.asked = 0
            started = time.perf_counter()
            sections = tuple(_invented(_SECTIONS * _OF_A_SECTION, changed))
            open_index(Knowledge(sections, real.sources, real.folder), encoder, Path(folder))
            seconds = time.perf_counter() - started
    return encoder.asked, round(seconds, 1)


def _memory() -> int:
    return round(resident(os.getpid()))
