"""Prints why a reply was decided so, for `askdmt why`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from askdmt.reply import Reply


def print_trace(reply: Reply) -> None:
    """Print the reply's trace as tables."""
    trace = reply.trace or {}
    console = Console()
    console.print(Text(f"Decision: {reply.decision.value}", style="bold"))
    if "rule" not in trace:
        failed = trace.get("failed")
        why = f"the stage {failed} failed, see the log" if failed else "the message was empty or too long"
        console.print(f"Nothing was judged: {why}.")
        return
    console.print(Text(f"By {trace['rule']}: {trace['explanation']}"))
    if trace["judged"] != trace["decision"]:
        console.print(Text(f"The guard said {trace['judged']}; the search settled it."))
    if trace["deciding_text"]:
        console.print(Text(f"Deciding text: {trace['deciding_text']}"))
    console.print(Text(f"Read as: {trace['normalised']}"))
    if trace["changes"]:
        console.print(f"Undone: {', '.join(trace['changes'])}")
    _table(console, "Scores", ("decision", "score", "threshold"), _scores(trace["scores"], trace["thresholds"]))
    _table(console, "Nearest exemplars", ("label", "cosine", "text"), trace["nearest"])
    _table(console, "Passages", ("passage", "score"), trace["passages"])
    answerable = trace["answerable"]
    console.print(f"Sources answer it: {'yes' if answerable['yes'] else 'no'} (confidence {answerable['confidence']})")
    if "rewritten" in trace:
        console.print(Text(f"Rewritten by the model: {trace['rewritten']}"))
    if "llm" in trace:
        _draft(console, trace["llm"])
    console.print("Milliseconds: " + ", ".join(f"{step} {spent}" for step, spent in trace["milliseconds"].items()))


def _draft(console: Console, draft: Mapping[str, Any]) -> None:
    because = f", {draft['failure']}" if draft["failure"] else ""
    console.print(Text(f"Draft by {draft['model']}: {draft['outcome']}{because}"))
    console.print(Text(draft["draft"]))
    rows = ((row["text"] or "(not shown)", row["score"], ", ".join(row["reasons"])) for row in draft["sentences"])
    _table(console, "Sentences of the draft", ("sentence", "score", "reasons"), rows)


def _scores(scores: dict[str, float], thresholds: dict[str, float]) -> Iterable[tuple[object, ...]]:
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    return ((label, score, thresholds.get(label, "")) for label, score in ranked if score >= 0.01)


def _table(console: Console, title: str, columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> None:
    table = Table(title=title, title_justify="left", show_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)
