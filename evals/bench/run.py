"""The benchmark: `make bench`, or `make bench ARGS="--parts latency,batch --batch 10000"`.

Both sides of a comparison are measured in one run, in turn; read the ratios, since machines differ and are noisy.
Writes bench.json, bench.md and its curves. No figure decides the exit code.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

from askdmt.evaluation.charts import curves
from bench import batching, growing, latency, serving, starting
from bench.figures import Part, as_table
from bench.processes import EVALS, PEERS_PYTHON
from bench.questions import MIXED

_AXES = {
    "latency.svg": (("milliseconds", "share of the questions"), "How many questions took no longer"),
    "waits.svg": (("seconds", "share of the replies"), "How many replies came no later, 64 clients"),
    "growth.svg": (("passages, power of ten", "milliseconds"), "Median reply by passages"),
}
_SMALL = {"questions": 12, "rounds": 1, "requests": 64, "batch": 64, "sizes": [100, 1000], "starts": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for, and write what they found."""
    given = _arguments(arguments)
    if given.peers and not PEERS_PYTHON.exists():
        subprocess.run(["bash", str(EVALS / "peers" / "run.sh"), "--limit", "1", "--exemplars", "40"], check=True)
    measured: dict[str, Callable[[], Part]] = {
        "latency": lambda: latency.measure(given.questions, given.rounds, given.peers),
        "start": lambda: starting.measure(given.starts),
        "serve": lambda: serving.measure(given.requests, given.rounds),
        "batch": lambda: batching.measure(given.batch, given.rounds),
        "growth": lambda: growing.measure(given.sizes, given.questions),
    }
    parts: dict[str, Part] = {}
    for name in given.parts or measured:
        started = time.perf_counter()
        parts[name] = measured[name]()
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)  # noqa: T201
    write(given, parts)
    return 0


def write(given: argparse.Namespace, parts: dict[str, Part]) -> None:
    """Write the figures, their table and the curves, and print the table."""
    figures = [figure for part in parts.values() for figure in part.figures]
    machine = f"{os.cpu_count()}-core {platform.machine().replace('_', '-')}, {_processor()}"
    how = f"{date.today().isoformat()}, {machine}. Median, and in brackets the tenth and ninetieth percentile."
    if given.short:
        how = f"A short check, no result. {how}"
    whole = {
        "date": date.today().isoformat(),
        "machine": machine,
        "short_check": given.short,
        "figures": [figure.as_dict() for figure in figures],
        "details": {name: part.details for name, part in parts.items() if part.details},
    }
    folder: Path = given.out
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "bench.md").write_text(f"{how}\n\n{as_table(figures)}\n", encoding="utf-8")
    for part in parts.values():
        for name, lines in part.lines.items():
            axes, label = _AXES[name]
            drawn = curves(lines, axes, f"{label}. {how}")
            drawn = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1)
            (folder / name).write_text(f"{drawn}\n", encoding="utf-8")
    print(as_table(figures))  # noqa: T201


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def _sizes(text: str) -> list[int]:
    sizes = sorted(_some(part) for part in text.split(","))
    if sizes[-1] > 1_000_000:
        raise argparse.ArgumentTypeError("a million passages at most")
    return sizes


def _some(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("give whole numbers, 1 or more")
    return int(text)


def _parts(text: str) -> list[str]:
    parts = text.split(",")
    if unknown := set(parts) - {"latency", "start", "serve", "batch", "growth"}:
        raise argparse.ArgumentTypeError(f"there is no part {min(unknown)}")
    return parts


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measures speed and memory, both sides in turn.")
    parser.add_argument("--parts", type=_parts, help="of latency,start,serve,batch,growth; all if left out")
    parser.add_argument("--short", action="store_true", help="a quick check that it works; its figures mean nothing")
    parser.add_argument("--peers", action="store_true", help="also against the peers; installs them at first")
    parser.add_argument("--questions", type=_some, default=MIXED)
    parser.add_argument("--rounds", type=_some, default=3, help="times that everything is measured")
    parser.add_argument("--starts", type=_some, default=5, help="processes that are started of each kind")
    parser.add_argument("--requests", type=_some, default=1000, help="questions over HTTP")
    parser.add_argument("--batch", type=_some, default=1000, help="questions of the batch; 10000 for the whole")
    parser.add_argument("--sizes", type=_sizes, default=[100, 1000, 10_000], help="passages; up to 1000000")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args(arguments)
    if given.short:
        vars(given).update(_SMALL)
        if given.out == parser.get_default("out"):
            given.out = EVALS / "results" / "latest"  # a short check overwrites no result
    return given


if __name__ == "__main__":
    raise SystemExit(main())
