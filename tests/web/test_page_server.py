"""The server: what every response carries, which routes are shut, and what is never written down."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from standin import StandIn
from visitor import serving

from askdmt.errors import ServeError
from askdmt.web.server import check_port, create_app
from askdmt.wording import load_wording

PRIVATE = "zanzibar-lighthouse-seventeen"  # a question that must not turn up anywhere

SHUT = [
    "/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/gradio_api/runs", "/gradio_api/info", "/gradio_api/call/a",
    "/gradio_api/run/predict", "/gradio_api/api/predict", "/gradio_api/openapi.json", "/gradio_api/proxy=http://x.org/",
    "/gradio_api/stream/1", "/gradio_api/component_server", "/gradio_api/vibe-edit", "/gradio_api/deep_link", "/config",
    "/monitoring", "/monitoring/summary", "/login", "/manifest.json", "/page/server.py",
    "/page/..%2fserver.py", "/nowhere",
]  # fmt: skip


def call(address: str, path: str, method: str = "GET", body: str | None = None) -> tuple[HTTPResponse, str]:
    connection = HTTPConnection(address.removeprefix("http://"), timeout=30)
    headers = {"Content-Type": "application/json", **({"Accept-Encoding": "gzip, br"} if path == "/" else {})}
    connection.request(method, path, body=body, headers=headers)
    response = connection.getresponse()
    return response, response.read().decode()


def ask(address: str, question: str) -> str:
    """Send a question the way the page does; return the events of the answer."""
    _, page = call(address, "/")
    config = json.loads(re.search(r"window\.gradio_config = (\{.*?\});</script>", page)[1])
    asking = next(event for event in config["dependencies"] if len(event["targets"]) == 2)
    sent = {"data": [question, None, "gb"], "fn_index": asking["id"], "session_hash": "s1", "trigger_id": None}
    response, _ = call(address, "/gradio_api/queue/join", "POST", json.dumps(sent))
    assert response.status == 200
    return call(address, "/gradio_api/queue/data?session_hash=s1")[1]


def test_health(address: str) -> None:
    response, body = call(address, "/healthz")
    assert (response.status, body) == (200, '{"status":"ok"}')


@pytest.mark.parametrize("path", ["/", "/healthz", "/page/page.css", "/theme.css", "/nowhere", "/gradio_api/upload"])
def test_every_response_carries_the_headers(address: str, path: str) -> None:
    response, _ = call(address, path)
    assert response.getheader("Cache-Control") == "no-store"
    assert response.getheader("Referrer-Policy") == "no-referrer"
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    assert "geolocation=()" in response.getheader("Permissions-Policy", "")
    policy = response.getheader("Content-Security-Policy", "")
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'self'" in policy
    assert "script-src-attr 'none'" in policy
    assert "*" not in policy
    assert "http" not in policy
    assert "unsafe-inline" not in policy.split("script-src ")[1].split(";")[0]
    assert response.getheader("Set-Cookie") is None
    assert response.getheader("Server") is None or "uvicorn" in response.getheader("Server", "")


def test_every_script_of_the_page_has_this_responses_nonce(address: str) -> None:
    (first, page), (second, _) = call(address, "/"), call(address, "/")
    policies = [response.getheader("Content-Security-Policy", "") for response in (first, second)]
    nonces = [re.search(r"'nonce-([\w-]+)'", policy)[1] for policy in policies]
    assert nonces[0] != nonces[1]
    assert re.findall(r"<script(?: nonce=\"([\w-]+)\")?", page) == [nonces[0]] * page.count("<script")


def test_the_page_names_its_language_and_helps_without_scripts(address: str) -> None:
    _, page = call(address, "/")
    unscripted = page.split("<noscript>")[1].split("</noscript>")[0]
    assert '<html\n\tlang="en" dir="ltr"' in page
    assert "tel:999" in unscripted
    assert load_wording("en").page.title in unscripted
    assert "og:image" not in page
    assert "raw.githubusercontent" not in page


def test_the_page_speaks_the_operators_language() -> None:
    standin = StandIn(language="de", region="de")
    with serving(create_app(standin, standin.settings)) as address:
        _, page = call(address, "/")
    german, english = load_wording("de").page, load_wording("en").page
    config = page.split("window.gradio_config = ")[1].split(";</script>")[0]
    shown = json.dumps(json.loads(config), ensure_ascii=False)
    assert 'lang="de"' in page
    for name in ("message_label", "send", "stop", "clear", "download", "region_label", "examples_label", "notice"):
        assert getattr(german, name) in shown
        assert f'"{getattr(english, name)}"' not in shown


@pytest.mark.parametrize("path", SHUT)
def test_routes_that_the_page_does_not_need_are_shut(address: str, path: str) -> None:
    assert call(address, path)[0].status == 404
    assert call(address, path, "POST", "{}")[0].status in (404, 405)


def test_large_bodies_are_turned_away_from_the_page_too(address: str) -> None:
    assert call(address, "/gradio_api/queue/join", "POST", "x" * 70_000)[0].status == 413


def test_another_origin_gets_no_permission(address: str) -> None:
    connection = HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.request("GET", "/", headers={"Origin": "https://elsewhere.example"})
    assert connection.getresponse().getheader("Access-Control-Allow-Origin") is None


def test_the_answer_comes_over_the_queue(address: str) -> None:
    events = ask(address, "What is DMT?")
    assert "process_completed" in events
    assert "not medical advice" in events


def test_a_broken_route_says_nothing_but_where_help_is(
    standin: StandIn, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(standin, standin.settings)

    def broken() -> None:
        raise RuntimeError(PRIVATE)

    app.router.add_api_route("/broken", broken)
    app.router.routes.insert(0, app.router.routes.pop())
    with serving(app) as address:
        response, body = call(address, "/broken")
    output = "".join(capfd.readouterr()) + caplog.text
    assert response.status == 500
    assert load_wording().replies.error == json.loads(body)["detail"]
    assert "999" in body
    assert PRIVATE not in body
    assert response.getheader("Cache-Control") == "no-store"
    assert "RuntimeError" in output
    assert PRIVATE not in output


def test_a_taken_port_is_named_with_the_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=rf"127\.0\.0\.1:{port}.*--port"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(ServeError, match="Cannot listen"):
        check_port("192.0.2.1", 7860)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server as a process of its own, with its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    here = Path(__file__).parent
    code = (
        "from standin import StandIn; from askdmt.web.server import run; "
        f"standin = StandIn(port={port}); run(standin, standin.settings)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{here.parents[1] / 'src'}:{here}", "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def test_nothing_that_is_asked_reaches_output_or_disk(
    server: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, address = server
    assert process.stdout is not None
    assert address in process.stdout.readline()
    assert "process_completed" in ask(address, PRIVATE)
    assert "process_completed" in ask(address, f"explode {PRIVATE}")
    open_page = HTTPConnection(address.removeprefix("http://"), timeout=30)
    open_page.request("GET", "/gradio_api/heartbeat/s1")
    assert open_page.getresponse().status == 200
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert PRIVATE not in output
    assert "queue" not in output  # no request line either
    assert "RuntimeError" in output
    assert "Traceback" not in output
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(PRIVATE.encode() in path.read_bytes() for path in written)
