"""Measures the assistant on a labelled JSONL file: decisions, required facts, disclaimers."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from askdmt.decisions import Decision
from askdmt.errors import InputError
from askdmt.progress import bar
from askdmt.reply import Reply

if TYPE_CHECKING:
    from askdmt.assistant import Assistant


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled message or conversation."""

    id: str
    turns: tuple[str, ...]
    accept: frozenset[Decision]
    facts: tuple[tuple[str, ...], ...]  # every group must be met; one of its patterns is enough

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation as the assistant takes it."""
        return [{"role": "user", "content": turn} for turn in self.turns]


@dataclass(frozen=True, slots=True)
class Share:
    """A count out of a total with its 95% Wilson interval."""

    count: int
    total: int

    @property
    def value(self) -> float:
        """The share; 0 of an empty total."""
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson score interval at 95% (Wilson, 1927)."""
        if not self.total:
            return (0.0, 1.0)
        z, n, p = 1.96, self.total, self.value
        middle, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return ((middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.count}/{self.total} = {self.value:.1%} (95% {low:.1%} to {high:.1%})"


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured on one file."""

    dataset: str
    decisions: Share
    facts: Share
    disclaimers: Share
    misses: tuple[tuple[str, str, str], ...]  # id, accepted, given

    def as_dict(self) -> dict[str, Any]:
        """Return the result as JSON."""
        shares = {"decisions": self.decisions, "facts": self.facts, "disclaimers": self.disclaimers}
        return {
            "dataset": self.dataset,
            **{
                name: {"count": share.count, "total": share.total, "value": share.value}
                for name, share in shares.items()
            },
            "misses": [list(miss) for miss in self.misses],
        }


def run(assistant: Assistant, dataset: Path) -> Result:
    """Answer every item of a file and compare.

    Raises:
        InputError: the file cannot be read or a line does not fit; names the line.
    """
    items = load_items(dataset)
    replies: list[Reply] = []
    with bar("Evaluating") as advance:
        for reply in assistant.reply_many([item.messages for item in items]):
            replies.append(reply)
            advance(len(replies), len(items))
    return score(dataset.name, items, replies)


def score(name: str, items: Sequence[Item], replies: Sequence[Reply]) -> Result:
    """Compare replies with what their items ask for."""
    pairs = list(zip(items, replies, strict=True))
    right = Counter(reply.decision in item.accept for item, reply in pairs)
    factual = [(item, reply) for item, reply in pairs if item.facts]
    return Result(
        name,
        Share(right[True], len(pairs)),
        Share(sum(has_facts(reply.body, item.facts) for item, reply in factual), len(factual)),
        Share(sum(reply.disclaimer in reply.text for _, reply in pairs), len(pairs)),
        tuple(
            (item.id, "|".join(sorted(item.accept)), reply.decision.value)
            for item, reply in pairs
            if reply.decision not in item.accept or not has_facts(reply.body, item.facts)
        ),
    )


def has_facts(body: str, facts: Sequence[Sequence[str]]) -> bool:
    """Whether a body meets every group of patterns."""
    return all(any(re.search(pattern, body, re.IGNORECASE) for pattern in group) for group in facts)


def load_items(dataset: Path) -> list[Item]:
    """Read a labelled file."""
    try:
        lines = dataset.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {dataset}.", "Give a JSONL file.") from error
    items = []
    for number, line in enumerate(lines, start=1):
        try:
            raw = json.loads(line)
            turns = tuple(raw["turns"]) if "turns" in raw else (raw["text"],)
            accept = frozenset(map(Decision, raw["accept"] if "accept" in raw else [raw["label"]]))
            facts = tuple((group,) if isinstance(group, str) else tuple(group) for group in raw.get("facts", []))
            items.append(Item(str(raw.get("id", number)), turns, accept, facts))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{dataset}, line {number}: {error}.", "Correct the line.") from None
    return items


def print_result(result: Result) -> None:
    """Print a result for people."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=result.dataset, title_justify="left", show_edge=False)
    table.add_column("figure")
    table.add_column("share")
    table.add_row("right decision", str(result.decisions))
    if result.facts.total:
        table.add_row("required facts present", str(result.facts))
    table.add_row("disclaimer present", str(result.disclaimers))
    console.print(table)
    for miss in result.misses[:20]:
        console.print(f"  {miss[0]}: expected {miss[1]}, got {miss[2]}", highlight=False)
    if len(result.misses) > 20:
        console.print(f"  … and {len(result.misses) - 20} more; --json lists all")
