"""Runs the peers on the published suites and writes peers.json and peers.md; start it by run.sh."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from typing import Any

from askdmt.errors import AskDMTError
from askdmt.evaluation.datasets import load_suites
from peers import linear_head, with_nemo_guardrails, with_semantic_router
from peers.data import Dataset, Message, Vectors, load_dataset, load_training, spread
from peers.scoring import OURS, Side, as_markdown, read_ours

EVALS = Path(__file__).parents[1]
DEVELOPMENT = EVALS / "datasets" / "development" / "guard.jsonl"
RESULTS = EVALS / "results"
PEERS = (linear_head, with_semantic_router, with_nemo_guardrails)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if every peer ran, else 1."""
    given = _arguments(arguments)
    datasets = [load_dataset(path, given.limit) for path in load_suites(["published"], EVALS / "suites.yaml")]
    development = spread(load_dataset(DEVELOPMENT).messages, given.limit)
    training = load_training(given.exemplars)
    ours = read_ours(given.ours, datasets) if given.ours else Side(OURS, not_run="no run given, see --ours")
    vectors = Vectors()
    vectors.prepare(message.text for group in (training, development, *_messages(datasets)) for message in group)
    sides = [ours, *(run_peer(peer, training, development, datasets, vectors) for peer in PEERS)]
    _write(given, sides, datasets, len(training), len(development))
    return int(any(side.not_run for side in sides[1:]))


def run_peer(
    peer: Any, training: Sequence[Message], development: Sequence[Message], datasets: Sequence[Dataset],
    vectors: Vectors,
) -> Side:  # fmt: skip
    """Return what a peer decided; one that cannot run says so in its row, and stops no other."""
    asked = [message.text for messages in _messages(datasets) for message in messages]
    try:
        settings, decisions = peer.decide(training, development, asked, vectors)
        if len(decisions) != len(asked):
            raise ValueError("a decision for each message was due")
    except Exception as error:
        traceback.print_exc()
        why = f"{error.name} is not installed" if isinstance(error, ModuleNotFoundError) else type(error).__name__
        return Side(peer.NAME, version=_version(peer.PACKAGE), not_run=why)
    rest = iter(decisions)
    by_dataset = {dataset.name: list(islice(rest, len(dataset.messages))) for dataset in datasets}
    return Side(peer.NAME, settings, _version(peer.PACKAGE), by_dataset)


def _messages(datasets: Sequence[Dataset]) -> list[tuple[Message, ...]]:
    return [dataset.messages for dataset in datasets]


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def _machine() -> str:
    return f"{os.cpu_count()}-core {platform.machine().replace('_', '-')}"


def _write(
    given: argparse.Namespace, sides: Sequence[Side], datasets: Sequence[Dataset], training: int, development: int
) -> None:
    today, machine = date.today().isoformat(), _machine()
    short = given.limit or given.exemplars
    heading = (
        f"# Peers on the published suites\n\n{today}, {machine}. {training} exemplars, {development} development "
        f"messages.{' A short check, no result.' if short else ''} Shares with 95% Wilson intervals; "
        "`answer` and `not_in_sources` count as one. [How it was done](../peers/README.md)."
    )
    whole = {
        "date": today,
        "machine": machine,
        "short_check": bool(short),
        "exemplars": training,
        "development": development,
        "datasets": {dataset.name: {"digest": dataset.digest, "items": len(dataset.messages)} for dataset in datasets},
        "sides": [side.as_dict(datasets) for side in sides],
    }
    folder: Path = given.out or (RESULTS / "latest" if short else RESULTS)  # a short check overwrites no result
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "peers.json").write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    (folder / "peers.md").write_text(as_markdown(sides, datasets, heading), encoding="utf-8")
    print(f"Wrote {folder / 'peers.json'} and peers.md")  # noqa: T201


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.sh", description="Runs other guards on our published suites.")
    parser.add_argument("--ours", type=Path, help="our run.json, from 'askdmt eval --suite published --out FOLDER'")
    parser.add_argument("--limit", type=_some, help="only so many messages of each file")
    parser.add_argument("--exemplars", type=_some, help="only so many exemplars, from all files")
    parser.add_argument("--out", type=Path, help="folder for peers.json and peers.md")
    return parser.parse_args(arguments)


def _some(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a whole number, 1 or more")
    return int(text)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AskDMTError as error:
        sys.exit(str(error))
