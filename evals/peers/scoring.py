"""Counts every side by the definitions of `askdmt eval`, and writes them side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from askdmt.decisions import Decision
from askdmt.errors import InputError
from askdmt.evaluation.metrics import Row, Share, figures
from peers.data import Dataset

OURS = "AskDMT"
FIGURES = (
    "right decision",
    "danger met",
    "risk not let through",
    "benign wrongly refused",
    "look-alikes wrongly refused",
    "other languages: right or safely declined",
    "other languages: danger met",
)


@dataclass(frozen=True, slots=True)
class Side:
    """What one guard decided on each dataset, or why it decided nothing."""

    name: str
    settings: str = ""
    version: str = ""
    decisions: Mapping[str, Sequence[Decision | None]] = field(default_factory=dict)  # by dataset
    not_run: str = ""  # of the whole side
    skipped: Mapping[str, str] = field(default_factory=dict)  # why, by dataset

    def figures(self, dataset: Dataset) -> dict[str, Share]:
        """Return the figures that two guards without answers can be compared by."""
        rows = [
            Row(message.item, decision, "", has_disclaimer=False)
            for message, decision in zip(dataset.messages, self.decisions[dataset.name], strict=True)
        ]
        counted = figures(rows)
        return {name: counted[name] for name in FIGURES if name in counted}

    def why_not(self, dataset: Dataset) -> str:
        """Return why there are no figures; empty where there are."""
        missing = "" if dataset.name in self.decisions else "no decisions"
        return self.not_run or self.skipped.get(dataset.name, missing)

    def as_dict(self, datasets: Sequence[Dataset]) -> dict[str, Any]:
        """Return the side as JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "settings": self.settings,
            "results": [
                {"dataset": dataset.name, "not_run": why}
                if (why := self.why_not(dataset))
                else {"dataset": dataset.name, "figures": _as_json(self.figures(dataset))}
                for dataset in datasets
            ],
        }


def read_ours(path: Path, datasets: Sequence[Dataset]) -> Side:
    """Read our decisions from the run.json of `askdmt eval --out`.

    Raises:
        InputError: it cannot be read.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        results = {result["dataset"]: result for result in run["results"]}
        version = f"askdmt {run['version']}, run of {run['date']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"Cannot read {path}.", "Give the run.json that 'askdmt eval --out FOLDER' wrote.") from error
    decisions: dict[str, list[Decision | None]] = {}
    skipped = {}
    for dataset in datasets:
        result = results.get(dataset.name)
        given = result["decisions"] if result else {}
        if result is None:
            skipped[dataset.name] = "not in the given run"
        elif result["digest"] != dataset.digest or any(m.item.id not in given for m in dataset.messages):
            skipped[dataset.name] = "the given run is of another state of this file"
        else:
            found = (given[message.item.id] for message in dataset.messages)
            decisions[dataset.name] = [Decision(decision) if decision else None for decision in found]
    return Side(OURS, "as shipped", version, decisions, skipped=skipped)


def as_markdown(sides: Sequence[Side], datasets: Sequence[Dataset], heading: str) -> str:
    """Return one table a dataset."""
    parts = [heading, *(_table(sides, dataset) for dataset in datasets)]
    parts.append("## Settings\n\n" + "\n".join(f"- {_settings(side)}" for side in sides))
    return "\n\n".join(parts) + "\n"


def _table(sides: Sequence[Side], dataset: Dataset) -> str:
    counted = {side.name: side.figures(dataset) for side in sides if not side.why_not(dataset)}
    names = [name for name in FIGURES if any(name in shares for shares in counted.values())]
    rows = [["guard", *names], ["---"] * (len(names) + 1)]
    for side in sides:
        if why := side.why_not(dataset):
            rows.append([side.name, f"not run: {why}", *[""] * (len(names) - 1)])
        else:
            rows.append([side.name, *(_cell(counted[side.name].get(name)) for name in names)])
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"## {dataset.name}, {len(dataset.messages)} messages\n\n{lines}"


def _cell(share: Share | None) -> str:
    if share is None:
        return "–"
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"


def _settings(side: Side) -> str:
    version = f" ({side.version})" if side.version else ""
    return f"{side.name}{version}: {f'not run: {side.not_run}' if side.not_run else side.settings}"


def _as_json(counted: Mapping[str, Share]) -> dict[str, Any]:
    return {
        name: {"count": share.count, "total": share.total, "value": round(share.value, 4),
               "interval": [round(end, 4) for end in share.interval]}
        for name, share in counted.items()
    }  # fmt: skip
