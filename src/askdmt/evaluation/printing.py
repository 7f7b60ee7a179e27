"""Prints figures for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from askdmt.evaluation.metrics import Share

if TYPE_CHECKING:
    from rich.console import Console


def print_figures(dataset: str, figures: Mapping[str, Share]) -> Console:
    """Print the table of a dataset's figures; return the console, for what comes below it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=dataset, title_justify="left", show_edge=False)
    table.add_column("figure")
    table.add_column("share")
    for name, share in figures.items():
        table.add_row(name, str(share))
    console.print(table)
    return console
