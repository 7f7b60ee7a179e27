"""What the embed's addresses give, without a browser."""

from __future__ import annotations

import dataclasses
import gzip
import html
import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from embedding import EmbedServer
from fastapi.testclient import TestClient
from standin import StandIn

from askdmt.knowledge.sections import Section
from askdmt.settings import Settings
from askdmt.web import embed
from askdmt.web.server import create_app
from askdmt.web.warming import AssistantSource
from askdmt.wording import languages, load_wording
from datasets import ROOT

FILES = Path(embed.__file__).parent / "embed"
OURS = ["/embed", "/embed.js", "/embed/page.css", "/embed/page.js", "/embed/lines"]
LISTED = "https://www.clinic.example"
STORAGE = ["localStorage", "sessionStorage", "indexedDB", "document.cookie", "caches", "serviceWorker"]
MARKUP = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "DOMParser", "srcdoc"]


def client(**settings: Any) -> TestClient:
    return TestClient(EmbedServer(StandIn(**settings)))


@pytest.fixture(scope="module")
def visitor() -> TestClient:
    return client(allowed_origins=(LISTED, "http://localhost:8000"))


def site(page: str) -> dict[str, Any]:
    """Return what the page tells its script."""
    found = re.search(r'<script type="application/json" id="site">(.*?)</script>', page)
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


# Headers


@pytest.mark.parametrize("path", [*OURS, "/embed/nothing", "/embed/embed.js", "/embed/page.html"])
def test_every_response_carries_the_headers(visitor: TestClient, path: str) -> None:
    headers = visitor.get(path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "microphone=()" in headers["permissions-policy"]
    assert "set-cookie" not in headers
    assert "x-frame-options" not in headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "base-uri 'none'" in policy
    assert f"frame-ancestors 'self' {LISTED} http://localhost:8000;" in policy


def test_without_listed_origins_only_this_server_may_show_it() -> None:
    for path in OURS:
        assert "frame-ancestors 'self';" in client().get(path).headers["content-security-policy"]


def preflight(visitor: TestClient, origin: str, path: str = "/api/reply") -> str | None:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    allowed: str | None = visitor.options(path, headers=asked).headers.get("access-control-allow-origin")
    return allowed


def test_only_listed_origins_may_ask_the_api(visitor: TestClient) -> None:
    assert preflight(visitor, LISTED) == LISTED
    assert preflight(visitor, "https://elsewhere.example") is None
    assert preflight(visitor, LISTED, "/embed") is None
    assert preflight(client(), LISTED) is None
    body = {"messages": [{"role": "user", "content": "What is DMT?"}], "region": "gb"}
    for origin, allowed in ((LISTED, LISTED), ("https://elsewhere.example", None)):
        answer = visitor.post("/api/reply", json=body, headers={"origin": origin})
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert answer.headers.get("access-control-allow-credentials") is None


def test_other_addresses_of_the_server_are_not_shown_elsewhere(visitor: TestClient) -> None:
    policy = visitor.get("/openapi.json").headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert LISTED not in policy


# Size and what is in the files


def zipped(visitor: TestClient, path: str) -> int:
    with visitor.stream("GET", path, headers={"accept-encoding": "gzip"}) as response:
        assert response.headers["content-encoding"] == "gzip"
        return len(b"".join(response.iter_raw()))


def test_the_script_for_the_clinics_page_is_small(visitor: TestClient) -> None:
    assert zipped(visitor, "/embed.js") <= 3_000


@pytest.mark.parametrize("language", languages())
def test_page_style_and_script_together_are_small(visitor: TestClient, language: str) -> None:
    together = [f"/embed?language={language}", "/embed/page.css", "/embed/page.js"]
    assert sum(zipped(visitor, path) for path in together) <= 15_000


@pytest.mark.parametrize("language", languages())
def test_they_stay_small_where_visitors_are_asked_whether_it_helped(language: str) -> None:
    standin = StandIn(feedback=True)
    with TestClient(create_app(standin, standin.settings)) as visitor:
        together = [f"/embed?language={language}", "/embed/page.css", "/embed/page.js"]
        assert sum(zipped(visitor, path) for path in together) <= 15_000


@pytest.mark.parametrize("path", ["/embed", "/embed.js", "/embed/page.css", "/embed/lines"])
def test_a_monitor_may_ask_for_the_head_alone(visitor: TestClient, path: str) -> None:
    response = visitor.head(path)
    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["content-length"]) > 0


def test_a_client_that_cannot_unpack_gets_it_plain(visitor: TestClient) -> None:
    plain = visitor.get("/embed.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with visitor.stream("GET", "/embed.js", headers={"accept-encoding": "gzip"}) as packed:
        assert gzip.decompress(b"".join(packed.iter_raw())) == plain.content


@pytest.mark.parametrize("path", OURS)
def test_nothing_is_stored_and_text_is_never_read_as_markup(visitor: TestClient, path: str) -> None:
    text = visitor.get(path).text
    assert [word for word in [*STORAGE, *MARKUP] if word in text] == []


def test_nothing_is_loaded_from_elsewhere(visitor: TestClient) -> None:
    page, style = visitor.get("/embed").text, visitor.get("/embed/page.css").text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', re.sub(r"<a .*?</a>", "", page))
    assert sorted(loaded) == ["data:,", "embed/page.css", "embed/page.js"]
    assert not re.search(r"url\(|@import|@font-face", style)
    assert " style=" not in page
    assert not re.search(r"<script(?! type=\"application/json\")[^>]*>[^<]", page)


# What it says


@pytest.mark.parametrize("language", languages())
def test_the_page_speaks_each_language(visitor: TestClient, language: str) -> None:
    page = visitor.get("/embed", params={"language": language.upper() + "-XX"}).text
    wording = load_wording(language)
    shown = html.unescape(page)
    assert f'<html lang="{language}" dir="{wording.direction}">' in page
    for text in (wording.page.notice, wording.page.draft_notice, wording.embed.no_script, *wording.suggestions.default):
        assert text.strip() in shown
    problems = site(page)["problems"]
    assert problems["lost"] == wording.embed.lost
    assert site(page)["page"]["disclaimer"] == wording.disclaimer


@pytest.mark.parametrize("language", ["xx", "../en", "", "<b>"])
def test_an_unknown_language_gives_the_operators(language: str) -> None:
    assert '<html lang="de"' in client(language="de").get("/embed", params={"language": language}).text


def test_only_the_operators_languages_are_offered() -> None:
    visitor = client(languages=("en", "fr"))
    assert '<html lang="fr"' in visitor.get("/embed?language=fr").text
    assert '<html lang="en"' in visitor.get("/embed?language=de").text
    assert load_wording("de").embed.launcher not in visitor.get("/embed.js").text


def test_the_script_has_the_launchers_words_in_every_language(visitor: TestClient) -> None:
    script = visitor.get("/embed.js").text
    for language in languages():
        words = load_wording(language).embed
        for text in (words.launcher, words.loading, words.unavailable):
            assert json.dumps(text, ensure_ascii=False) in script


def test_the_region_chooses_the_help_lines(visitor: TestClient) -> None:
    assert 'href="tel:988"' in visitor.get("/embed?region=US").text
    assert 'href="tel:988"' not in visitor.get("/embed").text
    assert site(visitor.get("/embed?region=us").text)["region"] == "us"
    assert site(visitor.get("/embed?region=atlantis").text)["region"] == "gb"
    lines = visitor.get("/embed/lines?region=de&language=de").json()["lines"]
    assert lines[0]["name"] == load_wording("de").support.emergency
    assert visitor.get("/embed/lines?region=atlantis").json() == visitor.get("/embed/lines?region=gb").json()


def test_overdue_and_unsigned_knowledge_is_told() -> None:
    standin, words = StandIn(), load_wording()
    visitor = TestClient(EmbedServer(standin))

    def shown(sections: Iterable[Section]) -> tuple[bool, bool]:
        """Return whether the page says that content is overdue, and that it is a draft."""
        standin.knowledge = dataclasses.replace(standin.knowledge, sections=tuple(sections))
        page = visitor.get("/embed").text
        return words.embed.overdue in page, words.page.draft_notice.strip() in page

    due = [dataclasses.replace(section, review_due=date.today()) for section in standin.knowledge.sections]
    late = dataclasses.replace(due[3], review_due=date.today() - timedelta(days=1))
    assert shown(due) == (False, True)
    assert shown([*due[:3], late, *due[4:]]) == (True, True)
    assert shown(dataclasses.replace(section, reviewer="Dr A Person") for section in due) == (False, False)


def test_the_page_is_there_while_the_assistant_is_loaded() -> None:
    def never() -> NoReturn:
        raise AssertionError("nobody asked anything")

    page = TestClient(create_app(AssistantSource(never), Settings(region="gb"))).get("/embed").text
    assert load_wording().page.draft_notice.strip() in page
    assert 'href="tel:999"' in page


def test_the_operators_title_greeting_and_colour_are_shown_as_text() -> None:
    visitor = client(title='Ask <b>us</b> "now"', greeting="</script><script>alert(1)</script>", colour="#7a1f5c")
    page, script = visitor.get("/embed").text, visitor.get("/embed.js").text
    assert "<h1>Ask &lt;b&gt;us&lt;/b&gt; &#34;now&#34;</h1>" in page
    assert "<script>alert" not in page
    assert site(page)["colour"] == "#7a1f5c"
    assert '"colour":"#7a1f5c"' in script
    assert r'"Ask <b>us</b> \"now\""' in script


def test_every_attribute_of_the_tag_is_documented() -> None:
    page = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    script = (FILES / "embed.js").read_text(encoding="utf-8")
    loop = re.search(r"for \(const name of \[(.*?)\]", script)
    assert loop
    read = {*re.findall(r"given\.(\w+)", script), *re.findall(r"\w+", loop[1])}
    assert {f"data-{name}" for name in read} == set(re.findall(r"^\| `(data-\w+)`", page, re.MULTILINE))


def test_only_the_files_of_the_page_are_given_out(visitor: TestClient) -> None:
    assert {path.name for path in FILES.iterdir()} == {"embed.js", "page.html", "page.css", "page.js"}
    for name in ("page.html", "embed.js", "..%2fembed.py", "%2e%2e/embed.py"):
        assert visitor.get(f"/embed/{name}").status_code == 404


def test_it_stays_out_of_the_api_document(visitor: TestClient) -> None:
    assert not any("embed" in path for path in visitor.get("/openapi.json").json()["paths"])


# Colours

OWN = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", (FILES / "page.css").read_text(encoding="utf-8")))
CHAT_PAGE = (FILES.parent / "page.css").read_text(encoding="utf-8")


def test_the_colours_are_those_of_the_chat_page() -> None:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root \{(.*?)\}", CHAT_PAGE, re.DOTALL)
    )
    assert {name: f"{light[name]}, {dark[name]}" for name in light} == {k: v for k, v in OWN.items() if k != "button"}
    assert OWN["button"] == OWN["accent"]
