"""Progress bars on standard error; nothing is drawn until there is something to report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes (done, total) and draws the bar."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True))
    started = False

    def advance(done: int, total: int) -> None:
        nonlocal started
        if not started:
            progress.start()
            progress.add_task(label, total=total)
            started = True
        progress.update(progress.task_ids[0], completed=done, total=total)

    try:
        yield advance
    finally:
        if started:
            progress.stop()
