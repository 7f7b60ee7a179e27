"""A load test: visitors who think between questions, more and more of them at once. `make load` starts it.

It serves the assistant itself on a loopback port, or takes one that is served already (`--address`), and writes
load.json, load.md and two curves as SVG. It asks no address but loopback ones.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import os
import platform
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from askdmt.evaluation.charts import curves
from askdmt.evaluation.datasets import Item, load_items
from askdmt.wording import load_wording

EVALS = Path(__file__).parents[1]
_QUESTIONS = ("guard.jsonl", "article_questions.jsonl", "silent_questions.jsonl")
_PATIENCE = 60.0  # seconds a visitor waits for an answer
_MOST_SECONDS = 600.0  # of one step
_MOST_VISITORS = 256


@dataclass
class Step:
    """What so many visitors at once met."""

    visitors: int
    seconds: float
    waits: list[float] = field(default_factory=list)  # seconds to each answer
    decisions: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)  # a status, a type of error, or the safe reply

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return len(self.waits) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the wait in seconds that so large a share of the answers did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

    def as_dict(self) -> dict[str, object]:
        """Return the step as it stands in load.json."""
        return {
            "visitors": self.visitors, "seconds": round(self.seconds, 1), "answers": len(self.waits),
            "answers_per_second": round(self.throughput, 2),
            **{f"p{round(share * 100)}": round(self.percentile(share), 3) for share in (0.5, 0.95, 0.99)},
            "errors": dict(self.errors), "decisions": dict(self.decisions),
        }  # fmt: skip


class Questions:
    """Questions of the published sets: half of them to be answered, the rest of all other decisions in turn."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        self._by_label: dict[str, list[Item]] = {}
        for name in _QUESTIONS:
            for item in load_items(EVALS / "datasets" / name):
                self._by_label.setdefault(item.label.value, []).append(item)
        self._others = sorted(self._by_label.keys() - {"answer"})

    def draw(self) -> list[dict[str, str]]:
        """Return one conversation."""
        label = "answer" if self._random.random() < 0.5 else self._random.choice(self._others)
        return list(self._random.choice(self._by_label[label]).messages)

    def think(self, mean: float) -> float:
        """Return how long a visitor reads and thinks, in seconds: mostly short, at times long."""
        return min(self._random.expovariate(1 / mean), 4 * mean) if mean else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if every question of every step was answered, else 1."""
    given = _arguments(arguments)
    with served(given.address) as address:
        steps = [asyncio.run(run_step(address, count, given)) for count in given.visitors]
    write(given.out, steps, given)
    print(as_table(steps))  # noqa: T201
    return int(any(step.errors for step in steps))


@contextmanager
def served(address: str | None) -> Iterator[str]:
    """Give a ready server's address; of one that is started here if none is given."""
    if address:
        yield address
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "ASKDMT_PORT": str(port), "ASKDMT_RATE_LIMIT": "off", "ASKDMT_LOG_LEVEL": "error"}
    process = subprocess.Popen([sys.executable, "-m", "askdmt", "serve"], env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while not _is_ready(address):
            if process.poll() is not None:
                raise SystemExit("The server did not start; try: askdmt serve")
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


async def run_step(address: str, count: int, given: argparse.Namespace) -> Step:
    """Let so many visitors ask for a while."""
    step, questions = Step(count, given.seconds), Questions(given.seed + count)
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    async with httpx.AsyncClient(base_url=address, timeout=_PATIENCE, limits=limits) as client:
        started = time.perf_counter()
        end = started + given.seconds

        async def visit() -> None:
            await asyncio.sleep(questions.think(given.think))  # they don't all come at once
            while time.perf_counter() < end:
                await ask(client, questions.draw(), step)
                await asyncio.sleep(questions.think(given.think))

        await asyncio.gather(*(visit() for _ in range(count)))
        step.seconds = max(given.seconds, time.perf_counter() - started - 4 * given.think)
    return step


async def ask(client: httpx.AsyncClient, messages: list[dict[str, str]], step: Step) -> None:
    """Ask once, and take down how it went."""
    started = time.perf_counter()
    try:
        response = await client.post("/api/reply", json={"messages": messages})
    except httpx.HTTPError as error:
        step.errors[type(error).__name__] += 1
        return
    if response.status_code != 200:
        step.errors[str(response.status_code)] += 1
        return
    reply, words = response.json(), load_wording().replies
    if reply["body"] in (words.timeout, words.unsure, words.error):
        step.errors["safe reply"] += 1
        return
    step.waits.append(time.perf_counter() - started)
    step.decisions[reply["decision"]] += 1


def as_table(steps: Sequence[Step]) -> str:
    """Return the steps as a Markdown table."""
    rows = [
        f"| {step.visitors} | {len(step.waits)} | {step.throughput:.1f} | {step.percentile(0.5):.2f} "
        f"| {step.percentile(0.95):.2f} | {step.percentile(0.99):.2f} | {step.errors.total()} |"
        for step in steps
    ]
    head = "| visitors at once | answers | a second | p50, s | p95, s | p99, s | errors |"
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- | --- |", *rows])


def write(folder: Path, steps: Sequence[Step], given: argparse.Namespace) -> None:
    """Write the figures and the curves."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = f"{os.cpu_count()} processors ({platform.machine()}), server and visitors on one machine"
    how = f"{date.today().isoformat()}, {machine}; {given.seconds:g} s a step, {given.think:g} s between questions."
    figures = {"date": date.today().isoformat(), "machine": machine, "seconds": given.seconds, "think": given.think}
    whole = {**figures, "steps": [step.as_dict() for step in steps]}
    (folder / "load.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    (folder / "load.md").write_text(f"{how}\n\n{as_table(steps)}\n", encoding="utf-8")
    waits = {
        f"p{round(share * 100)}": [(float(step.visitors), step.percentile(share)) for step in steps if step.waits]
        for share in (0.5, 0.95, 0.99)
    }
    answers = {"answers": [(float(step.visitors), step.throughput) for step in steps]}
    charts = {
        "waits.svg": curves(waits, ("visitors at once", "seconds to an answer"), f"Waits by visitors at once. {how}"),
        "answers.svg": curves(answers, ("visitors at once", "answers a second"), f"Answers a second. {how}"),
    }
    for name, chart in charts.items():
        drawn = chart.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1)
        (folder / name).write_text(f"{drawn}\n", encoding="utf-8")


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def _loopback(address: str) -> str:
    host = urlsplit(address).hostname or ""
    try:
        if not ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError("only an address of this machine, such as http://127.0.0.1:7860") from None
    return address


def _counts(text: str) -> list[int]:
    counts = [int(part) for part in text.split(",")]
    if not all(1 <= count <= _MOST_VISITORS for count in counts):
        raise argparse.ArgumentTypeError(f"1 to {_MOST_VISITORS} visitors")
    return counts


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= _MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"0 to {_MOST_SECONDS:g} seconds")
    return seconds


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Let visitors ask a server on this machine.")
    parser.add_argument("--address", type=_loopback, help="a server that runs; else one is started")
    parser.add_argument("--visitors", type=_counts, default=[1, 8, 16, 32, 64], help="for example 1,16,64")
    parser.add_argument("--seconds", type=_seconds, default=60.0, help="of each step")
    parser.add_argument("--think", type=_seconds, default=10.0, help="mean seconds between a visitor's questions")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
