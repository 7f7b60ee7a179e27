"""Whether a score of 0.8 is right eight times in ten."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from askdmt.evaluation.metrics import Outcome, Share

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """The outcomes whose score lies in one tenth of the scale."""

    low: float
    high: float
    score: float  # their mean
    right: Share


@dataclass(frozen=True, slots=True)
class Calibration:
    """Reliability by bins, and the expected calibration error (Naeini et al., 2015)."""

    bins: tuple[Bin, ...]

    @property
    def total(self) -> int:
        """How many outcomes have a score."""
        return sum(part.right.total for part in self.bins)

    @property
    def error(self) -> float:
        """Mean distance of score and share right, weighted by bin; 0 where nothing has a score."""
        gaps = sum(part.right.total * abs(part.score - part.right.value) for part in self.bins)
        return gaps / self.total if self.total else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        bins = [{**asdict(part), "right": part.right.as_dict()} for part in self.bins]
        return {"error": self.error, "total": self.total, "bins": bins}


def calibration(outcomes: Iterable[Outcome]) -> Calibration:
    """Sort outcomes that have a score into bins of equal width, leaving out empty bins."""
    scored = [(o.score, o.is_right) for o in outcomes if o.score is not None and not o.item.danger_only]
    sorted_in: dict[int, list[tuple[float, bool]]] = {}
    for score, right in scored:
        sorted_in.setdefault(min(int(score * _BINS), _BINS - 1), []).append((score, right))
    return Calibration(
        tuple(
            Bin(
                place / _BINS,
                (place + 1) / _BINS,
                sum(score for score, _ in part) / len(part),
                Share(sum(right for _, right in part), len(part)),
            )
            for place, part in sorted(sorted_in.items())
        )
    )
