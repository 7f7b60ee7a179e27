"""From nothing: how long a new process takes to its first reply, and how much memory it needs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import httpx

from bench.figures import Figure, Part, Spread
from bench.processes import Finished, resident, run
from bench.questions import mixed
from bench.serving import served

_ASK = ("-m", "askdmt", "ask", "What is DMT?")


def measure(rounds: int) -> Part:
    """Start processes in turn, then a server that answers a few questions."""
    run(*_ASK)  # builds what is built once
    asks, imports, helps = [], [], []
    for _ in range(rounds):
        asks.append(run(*_ASK))
        imports.append(run("-c", "import sentence_transformers"))
        helps.append(run("-m", "askdmt", "--help"))
    first = "new process to first reply (`askdmt ask`)"
    alone = "`import sentence_transformers` alone"
    memory = [process.megabytes for process in asks]
    return Part(
        [
            Figure(first, "s", _clock(asks), "≤ 0.4", alone, _clock(imports)),
            Figure(f"{first}, processor time", "s", _processor(asks), "≤ 0.4", alone, _processor(imports)),
            Figure("`askdmt --help`", "s", _clock(helps), "≤ 0.5"),
            Figure("memory of `askdmt ask` at its height", "MB", Spread.of(memory), "≤ 300"),
            Figure("memory of a server with its page", "MB", Spread.of([_served_memory()]), "≤ 450"),
        ]
    )


def _clock(processes: Sequence[Finished]) -> Spread:
    return Spread.of([process.seconds for process in processes])


def _processor(processes: Sequence[Finished]) -> Spread:
    return Spread.of([process.processor for process in processes])


def _served_memory() -> float:
    with served(cores=1) as (address, pid):
        memory = []
        for question in mixed(20):
            httpx.post(f"{address}/api/reply", json={"text": question}, timeout=60).raise_for_status()
            memory.append(resident(pid))
        httpx.get(address, timeout=60).raise_for_status()
        return max(statistics.median(memory), resident(pid))
