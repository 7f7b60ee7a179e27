"""The exit code of an evaluation: figures against floors, and against a run from before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from askdmt.errors import InputError
from askdmt.evaluation.metrics import Share
from askdmt.evaluation.output_guard import GuardResult
from askdmt.evaluation.runner import Result

LOW_IS_GOOD = frozenset({"benign wrongly refused", "look-alikes wrongly refused", "good sentences wrongly dropped"})
Measured = Sequence[Result | GuardResult]


def below_floors(results: Measured, file: Path) -> list[str]:
    """Return a line for each figure that is worse than its floor; the file has floors by dataset and figure."""
    floors = _read(file)
    figures = {result.dataset: result.figures for result in results}
    faults = []
    for dataset, wanted in floors.items():
        for name, floor in wanted.items() if dataset in figures else ():
            share = figures[dataset].get(name)
            if share is None:
                raise InputError(f"{file}: {dataset} has no figure '{name}'.", "Correct the name.")
            if _is_worse(name, share.value, float(floor)):
                faults.append(f"{dataset}: {name} is {share.value:.1%}, its floor is {float(floor):.1%}")
    return faults


def below_baseline(results: Measured, file: Path) -> list[str]:
    """Return a line for each figure whose whole interval is worse than in an earlier run of the same items."""
    before = {result["dataset"]: result for result in _read(file)["results"]}
    faults = []
    for result in results:
        earlier = before.get(result.dataset)
        if earlier and (earlier["digest"], earlier["items"]) != (result.digest, len(result.rows)):
            faults.append(f"{result.dataset}: {file} is of other items; publish a new run")
            continue
        for name, share in result.figures.items():
            old = earlier["figures"].get(name) if earlier else None
            if old is not None and _is_worse(name, _best_end(name, share), float(old["value"])):
                faults.append(f"{result.dataset}: {name} fell from {old['value']:.1%} to {share.value:.1%}")
    return faults


def differences(results: Measured, file: Path) -> list[tuple[str, str, float, float]]:
    """Return (dataset, figure, before, now) of all figures that an earlier run has too."""
    before = {result["dataset"]: result["figures"] for result in _read(file)["results"]}
    return [
        (result.dataset, name, float(before[result.dataset][name]["value"]), share.value)
        for result in results
        for name, share in result.figures.items()
        if name in before.get(result.dataset, {})
    ]


def _best_end(name: str, share: Share) -> float:
    low, high = share.interval
    return low if name in LOW_IS_GOOD else high


def _is_worse(name: str, value: float, wanted: float) -> bool:
    return value > wanted if name in LOW_IS_GOOD else value < wanted


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, ValueError, TypeError) as error:
        raise InputError(f"Cannot read {file}.", "Give a JSON file that 'askdmt eval --out' wrote.") from error
