"""What a careless or hostile client sends: never a 5xx of ours, and others are still answered."""

from __future__ import annotations

import resource
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance
from standin import StandIn
from visitor import serving

from askdmt.decisions import Decision
from askdmt.web.connections import allow_many, impatient
from askdmt.web.server import create_app
from fakes import FakeEncoder, ScriptedClassifier, small_assistant

QUESTION = {"messages": [{"role": "user", "content": "What is DMT?"}]}
HALF = b"POST /api/reply HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The application over an assistant whose guard, search and texts are the real ones."""
    assistant = small_assistant(
        tmp_path_factory.mktemp("small"), ScriptedClassifier(Decision.ANSWER), FakeEncoder(), rate_limit="off"
    )
    with serving(create_app(assistant, assistant.settings)) as address:
        yield address


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
def test_whatever_the_document_allows_or_forbids_is_answered_without_a_5xx(fuzzed: str, mode: GenerationMode) -> None:
    asked: Counter[str] = Counter()
    document = schemathesis.openapi.from_url(f"{fuzzed}/openapi.json")
    for operation in (found.ok() for found in document.get_all_operations()):
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue  # nothing that could be wrong

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def is_answered(case: schemathesis.Case) -> None:
            response = case.call(timeout=30)
            asked[case.operation.path] += 1
            assert response.status_code < 500
            case.validate_response(response, checks=[content_type_conformance, status_code_conformance])

        is_answered()
    assert asked["/api/reply"] >= 20
    assert asked["/v1/chat/completions"] >= 20


@pytest.fixture
def patient() -> Iterator[str]:
    """A server with its own time limit on connections, a short one."""
    standin = StandIn()
    with serving(create_app(standin, standin.settings), http=impatient(0.3)) as address:
        yield address


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


@pytest.mark.parametrize("sent", [b"", b"GET ", HALF])
def test_a_connection_that_does_not_finish_its_head_is_closed(patient: str, sent: bytes) -> None:
    with connect(patient) as connection:
        connection.sendall(sent)
        assert connection.recv(1) == b""


def test_a_second_request_of_a_connection_must_come_in_time_too(patient: str) -> None:
    with connect(patient) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /hea")
        assert connection.recv(1) == b""


def test_an_answer_may_take_longer_than_a_head() -> None:
    standin = StandIn()
    standin.hold.clear()
    with serving(create_app(standin, standin.settings), http=impatient(0.1)) as address, connect(address) as connection:
        body = b'{"text": "What is DMT?"}'
        connection.sendall(HALF + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert standin.came.acquire(timeout=20)
        with connect(address) as idle:
            assert idle.recv(1) == b""  # closed after a tenth of a second; the other must outlive it
        standin.hold.set()
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_thousand_half_open_connections_leave_it_answering(address: str) -> None:
    allow_many()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2500:
        pytest.skip("the system allows too few open files")
    with ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(connect(address))
            connection.sendall(HALF if number % 2 else HALF + b"Content-Length: 50\r\n\r\n{")
        assert httpx.get(f"{address}/healthz", timeout=30).status_code == 200
        assert httpx.post(f"{address}/api/reply", json=QUESTION, timeout=30).json()["decision"] == "answer"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/reply HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/reply HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        HALF + b"Transfer-Encoding: chunked\r\n\r\nnot-a-size\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_next_is_answered(address: str, sent: bytes) -> None:
    with connect(address) as connection:
        connection.sendall(sent)
        answer = connection.recv(65536)
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert httpx.get(f"{address}/healthz").status_code == 200
