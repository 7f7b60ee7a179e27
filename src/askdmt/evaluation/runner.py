"""Runs labelled files through the assistant, or through another one over HTTP, and gathers what came back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import askdmt
from askdmt.evaluation.datasets import Item, digest, load_items
from askdmt.evaluation.metrics import Row, Share, figures, has_facts
from askdmt.evaluation.printing import print_figures
from askdmt.progress import bar
from askdmt.reply import Reply

if TYPE_CHECKING:
    from askdmt.assistant import Assistant
    from askdmt.evaluation.output_guard import GuardResult
    from askdmt.evaluation.target import Target


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured on one file."""

    dataset: str
    digest: str
    rows: tuple[Row, ...]

    @property
    def figures(self) -> dict[str, Share]:
        """Every figure that the file has something to say about."""
        return figures(self.rows)

    @property
    def misses(self) -> list[Row]:
        """Rows whose decision or facts are wrong, danger first."""
        wrong = [
            row for row in self.rows if row.decision and not (row.is_right and has_facts(row.body, row.item.facts))
        ]
        return sorted(wrong, key=lambda row: row.item.label.precedence)

    @property
    def failed(self) -> list[Row]:
        """Rows for which there was no reply."""
        return [row for row in self.rows if row.failure]

    @property
    def unscored(self) -> list[Row]:
        """Rows with a reply whose decision could not be told."""
        return [row for row in self.rows if row.decision is None and not row.failure]

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "dataset": self.dataset,
            "digest": self.digest,
            "items": len(self.rows),
            "failed": len(self.failed),
            "unscored": len(self.unscored),
            "figures": {
                name: {"count": share.count, "total": share.total, "value": round(share.value, 4),
                       "interval": [round(end, 4) for end in share.interval]}
                for name, share in self.figures.items()
            },
            "decisions": {row.item.id: row.decision.value if row.decision else None for row in self.rows},
            "misses": [
                [row.item.id, "|".join(sorted(row.item.accept)), row.decision.value if row.decision else None]
                for row in self.misses
            ],
        }  # fmt: skip


def run(assistant: Assistant, dataset: Path, limit: int | None = None) -> Result:
    """Answer every item of a file.

    Raises:
        InputError: the file cannot be read or a line does not fit; names the line.
    """
    items = load_items(dataset)[:limit]
    rows: list[Row] = []
    with bar(f"Evaluating {dataset.stem}") as advance:
        for item, reply in zip(items, assistant.reply_many([item.messages for item in items], trace=True), strict=True):
            rows.append(as_row(item, reply))
            advance(len(rows), len(items))
    return Result(_name(dataset), digest(dataset), tuple(rows))


def run_target(target: Target, dataset: Path, limit: int | None = None) -> Result:
    """Ask another assistant every item of a file, one by one."""
    items = load_items(dataset)[:limit]
    rows: list[Row] = []
    with bar(f"Asking {dataset.stem}") as advance:
        for item in items:
            rows.append(target.ask(item))
            advance(len(rows), len(items))
    return Result(_name(dataset), digest(dataset), tuple(rows))


def _name(dataset: Path) -> str:
    """Return a file's name, with its folder where that is not the one of the published sets."""
    return dataset.name if dataset.parent.name == "datasets" else f"{dataset.parent.name}/{dataset.name}"


def as_row(item: Item, reply: Reply) -> Row:
    """Return what came back, asked for with its trace; the safe reply, for which nothing was decided, is a failure."""
    trace = reply.trace or {}
    if "failed" in trace:
        return Row(item, None, reply.body, reply.disclaimer in reply.text, failure="SafeReply")
    scores = trace.get("scores", {})
    score = scores.get(reply.decision.value) if isinstance(scores, dict) else None
    return Row(
        item,
        reply.decision,
        reply.body,
        reply.disclaimer in reply.text,
        float(score) if isinstance(score, int | float) else None,
    )


def as_run(results: Sequence[Result | GuardResult], target: str) -> dict[str, Any]:
    """Return a whole run as JSON: what was asked of what, when, and what came out."""
    return {
        "date": date.today().isoformat(),
        "version": askdmt.__version__,
        "target": target,
        "results": [result.as_dict() for result in results],
    }


def print_result(result: Result) -> None:
    """Print a result for people."""
    console = print_figures(result.dataset, result.figures)
    for label, rows in (("failed", result.failed), ("unscored", result.unscored)):
        if rows:
            console.print(f"  {len(rows)} {label}, counted apart")
    for row in result.misses[:20]:
        given = row.decision.value if row.decision else "nothing"
        console.print(f"  {row.item.id}: expected {'|'.join(sorted(row.item.accept))}, got {given}", highlight=False)
    if len(result.misses) > 20:
        console.print(f"  … and {len(result.misses) - 20} more; --json or --out lists all")
