"""The page of transcripts in a real browser: what a visitor wrote never runs there."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from askdmt.transcripts.page import as_html
from askdmt.transcripts.redaction import redact
from askdmt.transcripts.store import Transcript

PAYLOADS = [
    "<img src=x onerror=\"alert('run')\">",
    "<script>alert('run')</script>",
    "<svg/onload=alert('run')>",
    "</td></table><script>alert('run')</script>",
    "<iframe src=\"javascript:alert('run')\"></iframe><details open ontoggle=alert('run')>",
    "\"' autofocus onfocus=alert('run') x='",
    "<style>*{display:none}</style><base href='https://elsewhere.example'>",
    "<form action='https://elsewhere.example'><input autofocus onfocus=alert('run')></form>",
    '=HYPERLINK("https://elsewhere.example")\x1b[2J\u202e',
]


def transcripts() -> list[Transcript]:
    day = date(2026, 11, 27)
    return [
        Transcript(f"{number}", day, "page", "answer", "classifier:message", redact(payload), payload, helpful)
        for number, (payload, helpful) in enumerate(zip(PAYLOADS, [True, False, None] * 3, strict=True))
    ]


@pytest.mark.browser
def test_markup_in_a_transcript_is_shown_as_text_and_never_runs(tmp_path: Path) -> None:
    file = tmp_path / "review.html"
    file.write_text(as_html(transcripts()), encoding="utf-8")
    troubles: list[str] = []
    requests: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda said: troubles.append(said.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        rows = page.locator("tbody tr")
        questions = [rows.nth(row).locator("td").nth(3).text_content() for row in range(rows.count())]
        bodies = [rows.nth(row).locator("td").nth(4).text_content() for row in range(rows.count())]
        strange = page.locator("tbody :is(img, script, svg, iframe, style, base, form, a, input, details)").count()
        page.evaluate(
            """document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.ran = 1">')"""
        )
        page.wait_for_timeout(200)
        ran = page.evaluate("window.ran")
        browser.close()
    assert questions == [one.question for one in reversed(transcripts())]
    assert bodies == PAYLOADS[::-1]
    assert (strange, ran) == (0, None)
    assert requests == [file.as_uri()]
    assert all("Content Security Policy" in trouble for trouble in troubles)  # what stopped the image just put in


def test_the_page_counts_decisions_and_says_so_when_there_is_nothing() -> None:
    assert "<li>answer: 9</li>" in as_html(transcripts())
    assert "There are no transcripts." in as_html([])
