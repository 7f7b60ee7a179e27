"""Processes that the benchmark starts: sides that measure themselves, commands with their time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

EVALS = Path(__file__).parents[1]
PEERS_PYTHON = EVALS / "peers" / ".venv" / "bin" / "python"


class Milliseconds(NamedTuple):
    """How long something took."""

    clock: float
    processor: float  # the same on a core that nothing else uses; on a busy machine, the fairer one


class Side:
    """A running side."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def measure(self, texts: Sequence[str]) -> Milliseconds:
        """Return how long the side takes for these texts."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(list(texts)) + "\n")
        self._process.stdin.flush()
        return Milliseconds(*map(float, self.line().split()))

    def line(self) -> str:
        """Wait for a line.

        Raises:
            RuntimeError: the side has ended.
        """
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise RuntimeError(f"{' '.join(map(str, self._process.args))} has ended.")  # type: ignore[union-attr]
        return line


@contextmanager
def side(name: str, cores: int = 1, python: Path | str = sys.executable) -> Iterator[Side]:
    """Start a side on so many cores and wait until it is loaded."""
    process = subprocess.Popen(
        [str(python), "-m", "bench.sides", name, str(cores)],
        env=environment(cores), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        started = Side(process)
        try:
            started.line()
            yield started
        finally:
            process.terminate()


def environment(cores: int) -> dict[str, str]:
    """Return the environment of a child: our source first, no network, so many threads."""
    threads = {"OMP_NUM_THREADS": str(cores), "OPENBLAS_NUM_THREADS": "1"}  # as askdmt's own commands set it
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "NEMO_GUARDRAILS_NO_USAGE_STATS": "1"}
    path = os.pathsep.join([str(EVALS.parent / "src"), str(EVALS)])
    return {**os.environ, **threads, **offline, "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": path}


@dataclass(frozen=True, slots=True)
class Finished:
    """How long a command took and how much memory it had at its height."""

    seconds: float
    processor: float  # seconds
    megabytes: float


def run(*command: str, cores: int = 1) -> Finished:
    """Run a Python command to its end.

    Raises:
        RuntimeError: it failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], env=environment(cores), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed.")
    seconds = time.perf_counter() - started
    return Finished(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def resident(pid: int, name: str = "VmRSS") -> float:
    """Return a process's memory in MB: what it has now, or at its height with `VmHWM`."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(f"{name}:"))
