"""Two replicas over one Chroma server and one Redis: one is killed, and nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from visitor import free_port

HERE = Path(__file__).parent
QUESTIONS = ["Is tap water clean?", "who tests the tap water", "How is bread made?", "what makes bread dough rise"]
MARK = "zanzibarlighthouse"  # in every question, and nowhere afterwards
VISITORS = 8


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2).is_success
    except httpx.TransportError:
        return False


@dataclass
class Server:
    """A process that serves, and what it said."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)


@contextmanager
def started(command: Sequence[str], address: str, log: Path, ready: Callable[[], bool], **env: str) -> Iterator[Server]:
    """Start a process, and wait until it is ready."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **env}, cwd=log.parent
        )
    try:
        while not ready():
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield Server(address, process, log)
    finally:
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def redis(folder: Path) -> Iterator[Server]:
    tool = shutil.which("redis-server")
    assert tool, "Redis is missing; install Debian's package redis-server"
    port = free_port()
    command = [tool, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def ready() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    with started(command, f"redis://127.0.0.1:{port}/0", folder / "redis.log", ready) as server:
        yield server


@pytest.fixture(scope="module")
def chroma(folder: Path) -> Iterator[Server]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder / "chroma")]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    beat = f"{address}/api/v2/heartbeat"
    with started(
        command, address, folder / "chroma.log", lambda: answers(beat), ANONYMIZED_TELEMETRY="False"
    ) as server:
        yield server


@contextmanager
def replicas(folder: Path, redis: Server, chroma: Server, **settings: str) -> Iterator[tuple[Server, Server]]:
    """Start two replicas at the same moment; the proxy that they believe is this test."""
    home = Path(tempfile.mkdtemp(dir=folder))
    shared = {
        "PYTHONPATH": f"{HERE.parents[1] / 'src'}:{HERE.parent}", "ASKDMT_CHROMA_URL": chroma.address,
        "ASKDMT_RATE_LIMIT_STORAGE": redis.address, "ASKDMT_RATE_LIMIT_SECRET": f"secret of {home.name}",
        "ASKDMT_LOG_LEVEL": "debug", "ASKDMT_REGION": "gb", "ASKDMT_TRUSTED_PROXIES": "127.0.0.1", **settings,
    }  # fmt: skip
    with contextlib.ExitStack() as running:
        servers = []
        for name, port in (("first", free_port()), ("second", free_port())):
            command = [sys.executable, str(HERE / "replica.py"), str(home / name)]
            address, log = f"http://127.0.0.1:{port}", home / f"{name}.log"
            begun = started(command, address, log, lambda: True, **shared, ASKDMT_PORT=str(port))
            servers.append(running.enter_context(begun))
        for server in servers:
            while not answers(f"{server.address}/readyz"):
                assert server.process.poll() is None, server.log.read_text()
                time.sleep(0.1)
        yield servers[0], servers[1]


@pytest.fixture(scope="module")
def both(folder: Path, redis: Server, chroma: Server) -> Iterator[tuple[Server, Server]]:
    with replicas(folder, redis, chroma, ASKDMT_RATE_LIMIT="6/hour") as servers:
        yield servers


def post(server: Server, visitor: str, text: str = QUESTIONS[0]) -> httpx.Response:
    return httpx.post(
        f"{server.address}/api/reply", json={"text": text}, headers={"X-Forwarded-For": visitor}, timeout=30
    )


class Visitor:
    """Asks the replicas in turn, and asks the next one again if there is no answer; as a balancer would."""

    def __init__(self, number: int, *replicas: Server) -> None:
        self._turn = itertools.cycle(replicas[number % 2 :] + replicas[: number % 2])
        self._headers = {"X-Forwarded-For": f"10.0.0.{number}"}
        self.served: list[tuple[str, dict[str, Any]]] = []
        self.retried = 0

    async def ask(self, client: httpx.AsyncClient, question: str) -> None:
        for _ in range(10):
            address = next(self._turn).address
            try:
                asked = {"text": f"{question} {MARK}"}
                response = await client.post(f"{address}/api/reply", json=asked, headers=self._headers)
                if response.status_code != 503:
                    assert response.status_code == 200
                    self.served.append((address, response.json()))
                    return
            except httpx.TransportError:
                pass
            self.retried += 1
            await asyncio.sleep(0.05)
        pytest.fail("ten attempts gave no answer")


def test_a_killed_replica_loses_no_question_and_no_count(folder: Path, redis: Server, chroma: Server) -> None:
    with replicas(folder, redis, chroma, ASKDMT_RATE_LIMIT="40/hour") as (first, second):
        assert [post(first, "10.0.0.99").status_code for _ in range(41)] == [200] * 40 + [429]
        ask_while_the_first_is_killed(first, second)
        assert post(second, "10.0.0.99").status_code == 429
    assert len(httpx.get(collections_of(chroma)).json()) == 1  # both wrote into one, though they began together


def ask_while_the_first_is_killed(first: Server, second: Server) -> None:
    visitors = [Visitor(number, first, second) for number in range(VISITORS)]

    async def visit(client: httpx.AsyncClient, visitor: Visitor, killed: asyncio.Event) -> None:
        for number in range(12):
            await visitor.ask(client, QUESTIONS[number % len(QUESTIONS)])
            if number == 4:
                killed.set()

    async def everybody() -> None:
        killed = asyncio.Event()
        async with httpx.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as group:
            for visitor in visitors:
                group.create_task(visit(client, visitor, killed))
            await killed.wait()
            await asyncio.to_thread(first.kill)

    asyncio.run(everybody())
    served = [answer for visitor in visitors for answer in visitor.served]
    by_replica = Counter(address for address, _ in served)
    assert len(served) == VISITORS * 12
    assert set(by_replica) == {first.address, second.address}
    assert by_replica[second.address] > by_replica[first.address]
    assert sum(visitor.retried for visitor in visitors) > 0
    assert {reply["decision"] for _, reply in served} == {"answer"}
    assert len({reply["id"] for _, reply in served}) == len(served)
    assert {reply["citations"][0]["section"] for _, reply in served} == {"water", "bread"}


def collections_of(chroma: Server) -> str:
    return f"{chroma.address}/api/v2/tenants/default_tenant/databases/default_database/collections"


def test_limits_are_shared_by_the_replicas(both: tuple[Server, Server]) -> None:
    first, second = both
    statuses = [post(server, "10.0.1.1").status_code for server in [first, second] * 4]
    assert statuses == [200] * 6 + [429] * 2
    assert post(first, "10.0.1.2").status_code == 200


def test_nothing_that_was_asked_is_in_a_log_or_on_the_disk_of_anybody(
    both: tuple[Server, Server], redis: Server, chroma: Server, folder: Path
) -> None:
    for server in both:
        reply = post(server, "10.0.2.1", f"{QUESTIONS[0]} {MARK}")
        assert reply.json()["decision"] == "answer"
        assert MARK not in reply.text
        assert MARK not in httpx.get(f"{server.address}/metrics").text
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        assert {line["decision"] for line in lines if line["event"] == "replied"} == {"answer"}
    held = redis_dump(redis)
    assert held
    assert MARK.encode() not in held
    assert b"10.0.2" not in held
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {chroma.log, redis.log, both[0].log} <= set(files)
    assert [file for file in files if MARK.encode() in file.read_bytes()] == []


def redis_dump(redis: Server) -> bytes:
    """Return every key and value that Redis holds."""
    import redis as client

    store = client.Redis.from_url(redis.address)
    held = [(key, store.dump(key)) for key in store.scan_iter()]
    store.close()
    return b"\n".join(key + (value or b"") for key, value in held)
