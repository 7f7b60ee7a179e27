"""Limits: how often, how much at once, how large and how slow; and who is told apart from whom."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from standin import StandIn
from visitor import serving

from askdmt.errors import SettingsError
from askdmt.settings import Settings
from askdmt.web.limits import RateLimit
from askdmt.web.server import create_app
from askdmt.wording import load_wording

QUESTION = {"messages": [{"role": "user", "content": "What is DMT?"}]}
Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a stand-in with these settings, and give a client."""
    open_servers: list[Any] = []

    def start(standin: StandIn | None = None, **settings: Any) -> httpx.Client:
        standin = standin or StandIn(**settings)
        server = serving(create_app(standin, standin.settings))
        open_servers.append(server)
        return httpx.Client(base_url=server.__enter__(), timeout=30)

    yield start
    for server in open_servers:
        server.__exit__(None, None, None)


def is_a_problem_with_help(response: httpx.Response, status: int, text: str) -> bool:
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert text[:40] in problem["detail"]
    assert "{" not in problem["detail"]
    assert problem["disclaimer"] == load_wording().disclaimer
    assert any("999" in (line["call"] or "") for line in problem["support"])
    return True


# How often


def test_who_asks_too_often_is_told_when_to_come_back_and_where_help_is(serve: Serve) -> None:
    client = serve(rate_limit="2/minute")
    answers = [client.post("/api/reply", json=QUESTION) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert answers[2].headers["retry-after"] in answers[2].json()["detail"]
    assert is_a_problem_with_help(answers[2], 429, load_wording().replies.rate_limited)


def test_the_limit_counts_for_all_channels_together(serve: Serve) -> None:
    client = serve(rate_limit="1/minute")
    assert client.post("/api/reply", json=QUESTION).status_code == 200
    assert client.post("/v1/chat/completions", json={"model": "askdmt", **QUESTION}).status_code == 429
    assert client.get("/healthz").status_code == 200


def test_a_question_that_does_not_fit_is_not_counted(serve: Serve) -> None:
    client = serve(rate_limit="1/minute")
    assert client.post("/api/reply", json={}).status_code == 422
    assert client.post("/api/reply", json=QUESTION).status_code == 200


def test_the_limit_can_be_off(serve: Serve) -> None:
    client = serve(rate_limit="off")
    assert {client.post("/api/reply", json=QUESTION).status_code for _ in range(40)} == {200}


def test_a_stream_is_limited_before_it_begins(serve: Serve) -> None:
    client = serve(rate_limit="1/minute")
    client.post("/api/reply", json=QUESTION)
    response = client.post("/api/reply", json=QUESTION, headers={"Accept": "text/event-stream"})
    assert is_a_problem_with_help(response, 429, load_wording().replies.rate_limited)


def asked_for(client: httpx.Client, forwarded: str) -> int:
    return client.post("/api/reply", json=QUESTION, headers={"X-Forwarded-For": forwarded}).status_code


def test_a_proxy_that_is_not_listed_is_not_believed(serve: Serve) -> None:
    client = serve(rate_limit="1/minute")
    assert [asked_for(client, f"192.0.2.{number}") for number in range(3)] == [200, 429, 429]


def test_a_listed_proxy_is_believed_and_what_stands_before_it_is_not(serve: Serve) -> None:
    client = serve(rate_limit="1/minute", trusted_proxies=["127.0.0.1", "10.0.0.0/8"])
    assert asked_for(client, "192.0.2.1") == 200
    assert asked_for(client, "192.0.2.2") == 200
    assert asked_for(client, "192.0.2.2, 10.1.2.3") == 429
    assert asked_for(client, "192.0.2.77, 192.0.2.1") == 429  # a visitor may write anything in front


def waits(limit: RateLimit, *addresses: str) -> list[bool]:
    async def ask() -> list[bool]:
        return [bool(await limit.seconds_to_wait(address)) for address in addresses]

    return asyncio.run(ask())


def test_addresses_of_one_ipv6_network_are_one_visitor() -> None:
    limit = RateLimit(Settings(rate_limit="1/hour"))
    assert waits(limit, "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1") == [False, True, False]
    assert waits(limit, "192.0.2.1", "::ffff:192.0.2.1", "", "somewhere") == [False, True, False, False]


def test_what_is_stored_is_no_address_and_another_each_day() -> None:
    day = "2026-11-23"
    limit = RateLimit(Settings(rate_limit="1/hour", rate_limit_secret="salt"), lambda: day)  # noqa: S106
    waits(limit, "192.0.2.1")
    (first,) = limit._memory.storage.events
    assert "192.0.2.1" not in first
    assert waits(limit, "192.0.2.1") == [True]
    day = "2026-11-24"
    assert waits(limit, "192.0.2.1") == [False]
    assert len(limit._memory.storage.events) == 2


def test_processes_of_one_secret_hash_alike_and_others_do_not() -> None:
    def key(secret: str) -> str:
        return RateLimit(Settings(rate_limit_secret=secret), lambda: "2026-11-23")._key("192.0.2.1")

    assert key("a") == key("a") != key("b")
    assert key("") != key("")


def test_without_the_shared_store_each_process_counts_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    limit = RateLimit(Settings(rate_limit="1/hour", rate_limit_storage=f"redis://user:s3cret@127.0.0.1:{port}/0"))
    assert waits(limit, "192.0.2.1", "192.0.2.1") == [False, True]
    assert "the rate limit's store failed" in caplog.text
    assert "s3cret" not in caplog.text


def test_a_store_that_cannot_be_named_so_stops_the_start() -> None:
    standin = StandIn(rate_limit="1/hour", rate_limit_storage="redis://host:port/0")
    with pytest.raises(SettingsError, match="rate_limit_storage"):
        create_app(standin, standin.settings)


# How much at once


def test_one_question_too_many_at_once_is_told_to_come_back(serve: Serve) -> None:
    standin = StandIn(max_concurrent=2)
    client = serve(standin)
    standin.hold.clear()
    with ThreadPoolExecutor(2) as visitors:
        asking = [visitors.submit(client.post, "/api/reply", json=QUESTION) for _ in range(2)]
        assert all(standin.came.acquire(timeout=30) for _ in asking)
        refused = client.post("/api/reply", json=QUESTION)
        alive = client.get("/healthz")
        standin.hold.set()
        assert [answer.result().status_code for answer in asking] == [200, 200]
    assert is_a_problem_with_help(refused, 503, load_wording().replies.busy)
    assert refused.headers["retry-after"] == "5"
    assert alive.status_code == 200
    assert client.post("/api/reply", json=QUESTION).status_code == 200


def test_a_visitor_who_leaves_keeps_the_place_until_the_answer_is_there(serve: Serve) -> None:
    standin = StandIn(max_concurrent=1)
    client = serve(standin)
    standin.hold.clear()
    with client.stream("POST", "/api/reply", json=QUESTION, headers={"Accept": "text/event-stream"}):
        pass
    assert client.post("/api/reply", json=QUESTION).status_code == 503
    standin.hold.set()
    while client.post("/api/reply", json=QUESTION).status_code == 503:
        assert len(standin.asked) < 3


# How long and how many messages


def test_only_the_last_messages_are_read(serve: Serve) -> None:
    standin = StandIn(max_messages=3)
    client = serve(standin)
    many = [{"role": "user", "content": str(number)} for number in range(10)]
    assert client.post("/api/reply", json={"messages": many}).status_code == 200
    assert [message["content"] for message in standin.asked[-1][0]] == ["7", "8", "9"]


# How large and how slow


@pytest.mark.parametrize("path", ["/api/reply", "/v1/chat/completions", "/gradio_api/queue/join"])
def test_a_body_that_is_too_large_is_a_problem(serve: Serve, path: str) -> None:
    client = serve(max_body_bytes=5000)
    too_large = client.post(path, content=b"x" * 5001, headers={"Content-Type": "application/json"})
    assert is_a_problem_with_help(too_large, 413, load_wording().replies.too_long[:30])
    assert client.post("/api/reply", json=QUESTION).status_code == 200


def test_a_body_in_pieces_is_read_up_to_the_same_size(serve: Serve) -> None:
    client = serve(max_body_bytes=5000)
    headers = {"Content-Type": "application/json"}
    small = client.post("/api/reply", content=iter([b'{"text": ', b'"What is DMT?"}']), headers=headers)
    assert small.status_code == 200
    large = client.post("/api/reply", content=(b"x" * 1000 for _ in range(6)), headers=headers)
    assert is_a_problem_with_help(large, 413, load_wording().replies.too_long[:30])


def test_a_body_that_is_too_slow_is_a_problem(serve: Serve) -> None:
    client = serve(request_seconds=0.2)
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as connection:
        connection.sendall(b"POST /api/reply HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))  # to its end: the server closes
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert load_wording().disclaimer in json.loads(answer.partition(b"\r\n\r\n")[2])["disclaimer"]
