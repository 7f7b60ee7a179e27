"""`POST /api/reply`, as JSON and as events, over the whole application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from standin import BODY, StandIn
from visitor import serving

from askdmt.web import api
from askdmt.web.server import create_app
from askdmt.wording import load_wording


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


def ask(text: str = "What is DMT?", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def events(text: str) -> list[tuple[str, Any]]:
    """Return the name and the data of each event of a stream."""
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    return [(block["event"], json.loads(block["data"])) for block in blocks if "event" in block]


def test_a_question_gets_a_whole_reply(client: httpx.Client) -> None:
    response = client.post("/api/reply", json=ask())
    reply = response.json()
    assert response.status_code == 200
    assert reply["decision"] == "answer"
    assert reply["body"] == BODY
    assert reply["disclaimer"] in reply["text"]
    assert [citation["n"] for citation in reply["citations"]] == [1, 2]
    assert "trace" not in reply


def test_one_text_is_a_conversation_of_one_message(client: httpx.Client, standin: StandIn) -> None:
    assert client.post("/api/reply", json={"text": "What is DMT?"}).json()["decision"] == "answer"
    assert standin.asked[-1][0] == [{"role": "user", "content": "What is DMT?"}]


def test_events_are_the_sentences_of_the_body_and_then_the_reply(client: httpx.Client) -> None:
    response = client.post("/api/reply", json=ask(), headers={"Accept": "text/event-stream"})
    got = events(response.text)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [name for name, _ in got] == ["sentence"] * (len(got) - 1) + ["reply"]
    assert len(got) > 3
    assert "".join(data["text"] for _, data in got[:-1]) == BODY == got[-1][1]["body"]
    assert got[-1][1]["disclaimer"] == load_wording().disclaimer


def test_a_long_wait_is_filled_with_comments(
    client: httpx.Client, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HEARTBEAT_SECONDS", 0.05)
    standin.hold.clear()
    with client.stream("POST", "/api/reply", json=ask(), headers={"Accept": "text/event-stream"}) as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        standin.hold.set()
        assert any(line == "event: reply" for line in lines)


def test_the_region_chooses_the_help_lines(client: httpx.Client) -> None:
    reply = client.post("/api/reply", json=ask("crisis", region="us")).json()
    assert reply["decision"] == "crisis"
    assert any(line["region"] == "United States" for line in reply["support"])


def test_half_a_character_is_no_reason_to_refuse(client: httpx.Client, standin: StandIn) -> None:
    body = '{"messages": [{"role": "user", "content": "I feel \\ud83d"}]}'
    response = client.post("/api/reply", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    assert standin.asked[-1][0][-1]["content"] == "I feel \ufffd"


def test_an_assistant_that_fails_gives_the_safe_reply(client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    reply = client.post("/api/reply", json=ask("please explode")).json()
    assert reply["body"] == load_wording().replies.error
    assert reply["support"]
    assert "please explode" not in caplog.text


PROBLEMS = [
    ({"messages": []}, "messages"),
    ({}, "either 'messages' or 'text'"),
    ({"text": "a", "messages": [{"role": "user", "content": "a"}]}, "either 'messages' or 'text'"),
    (ask(colour="blue"), "colour"),
    (ask(region="atlantis"), "Known regions"),
    ({"messages": [{"role": "system", "content": "a"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
    ({"messages": [{"role": "assistant", "content": "a"}]}, "role 'user'"),
    ([], "body"),
]


@pytest.mark.parametrize(("body", "said"), PROBLEMS)
def test_what_does_not_fit_is_a_problem_that_says_what_to_correct(client: httpx.Client, body: Any, said: str) -> None:
    response = client.post("/api/reply", json=body)
    problem = response.json()
    assert response.status_code == problem["status"] == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "disclaimer", "support"}
    assert said in problem["detail"]
    assert problem["disclaimer"] == load_wording().disclaimer
    assert any("999" in (line["call"] or "") for line in problem["support"])


@pytest.mark.parametrize("body", ["{", '{"text": "my secret', '"\\ud800"', b"my secret \xff"])
def test_what_is_no_json_is_a_problem_that_quotes_nothing(client: httpx.Client, body: str | bytes) -> None:
    response = client.post("/api/reply", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert "secret" not in response.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/reply", 405), ("POST", "/api/nothing", 404)])
def test_a_wrong_method_or_path_is_a_problem(client: httpx.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path, json={})
    assert response.status_code == status


def test_another_site_may_ask_only_if_it_is_listed() -> None:
    standin = StandIn(allowed_origins=["https://clinic.example"])
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    with serving(create_app(standin, standin.settings)) as address, httpx.Client(base_url=address) as client:
        listed, other = {"Origin": "https://clinic.example"}, {"Origin": "https://other.example"}
        allowed = client.options("/api/reply", headers=listed | asking)
        assert allowed.headers["access-control-allow-origin"] == "https://clinic.example"
        assert client.options("/api/reply", headers=other | asking).status_code == 400
        answer = client.post("/api/reply", json=ask(), headers=listed)
        assert answer.headers["access-control-allow-origin"] == "https://clinic.example"
        assert "access-control-allow-origin" not in client.post("/api/reply", json=ask(), headers=other).headers
        assert "access-control-allow-origin" not in client.get("/", headers=listed).headers
