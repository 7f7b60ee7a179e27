"""Many visitors at once, who do not think between questions: replies a second over HTTP, and how long they wait."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlsplit

import httpx

from askdmt.wording import load_wording
from bench.figures import Figure, Part, Spread
from bench.processes import environment, side
from bench.questions import mixed

CLIENTS, CORES = 64, 2
_TEXTS_TOGETHER = 256  # that the encoder alone is given at once


@contextmanager
def served(cores: int) -> Iterator[tuple[str, int]]:
    """Serve AskDMT on a loopback port; give its address and its process's number once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {"ASKDMT_PORT": str(port), "ASKDMT_RATE_LIMIT": "off", "ASKDMT_LOG_LEVEL": "error"}
    process = subprocess.Popen(
        [sys.executable, "-m", "askdmt", "serve"], env={**environment(cores), **given}, stdout=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while not _is_ready(address):
            if process.poll() is not None:
                raise RuntimeError("The server did not start; try: askdmt serve")
            time.sleep(0.2)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=60)


def measure(requests: int, rounds: int) -> Part:
    """Let the server and the encoder alone take the same texts, in turn."""
    questions = mixed(requests)
    texts = encoded_texts(questions)
    rates: list[float] = []
    waits: list[float] = []
    alone: list[float] = []
    with served(CORES) as (address, _), side("batch_encoder", CORES) as encoder:
        asyncio.run(_ask_all(address, questions[:CLIENTS]))
        for _ in range(rounds):
            started = time.perf_counter()
            answered = asyncio.run(_ask_all(address, questions))
            rates.append(len(answered) / (time.perf_counter() - started))
            waits += answered
            spent = sum(encoder.measure(batch).clock for batch in _batches(texts)) / 1000
            alone.append(len(questions) / spent)
    ordered = sorted(waits) or [float("nan")]
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    return Part(
        [
            Figure(f"HTTP replies at {CLIENTS} clients, {CORES} cores", "a second", Spread.of(rates), "≥ 0.8",
                   "the encoder alone, in batches, on the texts of these questions", Spread.of(alone)),
            Figure("slowest wait in a hundred", "s", Spread.of([p99]), "≤ 10", "the median wait", Spread.of([p50])),
        ],
        {"waits.svg": {"waits": [(ordered[int(s / 20 * (len(ordered) - 1))], s / 20) for s in range(21)]}},
        {"questions": len(questions), "texts": len(texts), "timed_out": rounds * len(questions) - len(waits)},
    )  # fmt: skip


def encoded_texts(questions: Sequence[str]) -> list[str]:
    """Return all texts that the replies to these questions need vectors of."""
    from askdmt.assistant import Turn
    from askdmt.conversation import Conversation
    from askdmt.guardrails.input_guard import InputGuard

    read = InputGuard.load().read
    turns = (Turn(Conversation.of(text), "", read(text), (), too_long=False) for text in questions)
    return [text for turn in turns for text in dict.fromkeys(turn.texts)]


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + _TEXTS_TOGETHER] for start in range(0, len(texts), _TEXTS_TOGETHER))


async def _ask_all(address: str, questions: Sequence[str]) -> list[float]:
    """Ask every question once, by all clients; return the wait for each real reply in seconds."""
    numbers, waits, timeout = count(), [], load_wording().replies.timeout

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(address).port)
        while (number := next(numbers)) < len(questions):
            started = time.perf_counter()
            writer.write(_request(questions[number]))
            reply = json.loads(await _answer(reader))
            if reply["body"] != timeout:
                waits.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(client() for _ in range(min(CLIENTS, len(questions)))))
    return waits


def _request(question: str) -> bytes:
    """Return a request as it travels: a library would take as long for it as the server for the reply."""
    body = json.dumps({"text": question}).encode()
    head = (
        f"POST /api/reply HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    return head.encode() + b"\r\n\r\n" + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status, *lines = head.splitlines()
    if status.split()[1] != "200":
        raise RuntimeError(f"The server says: {status}")
    length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
    return await reader.readexactly(length)


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False
