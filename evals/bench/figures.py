"""What a benchmark says: figures with their spread, what they are measured against, and what they ought to reach."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """Many measurements of one thing."""

    median: float
    low: float  # tenth percentile
    high: float  # ninetieth
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of some values."""
        ordered = sorted(values)
        low, high = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.1, 0.9))
        return cls(statistics.median(ordered), low, high, len(ordered))

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g}–{self.high:.3g})" if self.count > 1 else f"{self.median:.3g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: ours, the other side, and their ratio; `bar` is what the ratio, or else ours, ought to reach."""

    name: str
    unit: str
    ours: Spread
    bar: str  # such as "≤ 0.5"; empty for a figure that has none
    against: str = ""
    theirs: Spread | None = None

    @property
    def value(self) -> float:
        """What the bar is for."""
        return self.ours.median / self.theirs.median if self.theirs else self.ours.median

    @property
    def reached(self) -> bool | None:
        """Whether the bar is reached; None where there is none."""
        if not self.bar:
            return None
        sign, bar = self.bar.split()
        return self.value <= float(bar) if sign == "≤" else self.value >= float(bar)

    def as_dict(self) -> dict[str, Any]:
        """Return the figure as it stands in bench.json."""
        return {**asdict(self), "value": self.value, "reached": self.reached}


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of the benchmark found; `lines` are its curves, by the chart's name."""

    figures: list[Figure]
    lines: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def as_table(figures: Sequence[Figure]) -> str:
    """Return the figures as a Markdown table."""
    rows = ["| what | ours | against | ratio | bar | |", "| --- | --- | --- | --- | --- | --- |"]
    for figure in figures:
        against = f"{figure.theirs} {figure.unit}, {figure.against}" if figure.theirs else ""
        ratio = f"{figure.value:.2f}" if figure.theirs else ""
        met = {True: "reached", False: "**missed**", None: ""}[figure.reached]
        rows.append(f"| {figure.name} | {figure.ours} {figure.unit} | {against} | {ratio} | {figure.bar} | {met} |")
    return "\n".join(rows)
