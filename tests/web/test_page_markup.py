"""The page's HTML: complete, escaped, and without a word of its own."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser

import pytest
from bs4 import BeautifulSoup
from standin import CITATIONS, StandIn

from askdmt.decisions import Decision
from askdmt.reply import Citation, Reply, SupportLine
from askdmt.web import markup
from askdmt.web.chat import Turn, View
from askdmt.wording import languages, load_wording

EN = load_wording("en")
PAYLOADS = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "[click](javascript:alert(1))",
    "${alert(1)}{{constructor}}</article></li></ol>",
]


def page_of(view: View) -> BeautifulSoup:
    return BeautifulSoup(markup.conversation(view, EN) + markup.status(view), "html.parser")


class Tags(HTMLParser):
    """Collects the names of all elements and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {tag, *(name for name, _ in attrs)}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markup_of_a_visitor_or_a_file_stays_text(payload: str) -> None:
    hostile = Citation(1, payload, payload, payload, f"https://example.org/{payload}", None, payload)
    line = SupportLine(payload, payload, payload, payload, payload, payload)
    reply = EN.reply(Decision.ANSWER, f"{payload} [1]", citations=[hostile], support=[line])
    plain_line = SupportLine("a", "b", "c", "d", "e")
    plain = EN.reply(Decision.ANSWER, "Text. [1]", citations=CITATIONS[:1], support=[plain_line])
    view = View((Turn(payload, reply),), pending=payload)
    html = markup.conversation(view, EN) + markup.status(View((Turn(payload, reply),), notice=payload))
    expected = markup.conversation(View((Turn("q", plain),), pending="q"), EN) + markup.status(View(notice="n"))
    assert Tags(html).names <= Tags(expected).names
    assert page_of(view).select_one(".question p").get_text() == payload


@pytest.mark.parametrize(
    ("decision", "feedback", "asked"),
    [
        (Decision.ANSWER, True, 1),
        (Decision.ANSWER, False, 0),
        (Decision.CRISIS, True, 0),
        (Decision.EMERGENCY, True, 0),
    ],
)
def test_whether_a_reply_helped_is_asked_if_the_operator_wants_it_and_nobody_is_in_danger(
    decision: Decision, feedback: bool, asked: int
) -> None:
    view = View((Turn("q", EN.reply(decision, "Text.")),))
    page = BeautifulSoup(markup.conversation(view, EN, feedback=feedback), "html.parser")
    assert len(page.select(".vote")) == asked
    assert len(page.select(".vote button")) == 2 * asked


def test_an_answer_shows_body_sources_lines_and_disclaimer_in_that_order() -> None:
    line = SupportLine("Samaritans", "United Kingdom", "116 123")
    reply = EN.reply(Decision.ANSWER, "Short answer. [1]\n\nMore. [2] [9]", citations=CITATIONS, support=[line])
    article = page_of(View((Turn("Why?", reply),))).select_one("article.answer")
    assert [part.get("class", [part.name])[0] for part in article.find_all(recursive=False)] == [
        "h3", "body", "sources", "lines", "disclaimer",
    ]  # fmt: skip
    assert article.select_one(".disclaimer").get_text() == EN.disclaimer
    assert [link["href"] for link in article.select("a.cite")] == [f"#{tag['id']}" for tag in article.select("details")]
    assert "[9]" in article.select_one(".body").get_text()
    assert article["data-text"] == reply.text


def test_a_source_opens_its_passage_and_names_date_draft_and_address() -> None:
    reply = EN.reply(Decision.ANSWER, "Short. [1] [2]", citations=CITATIONS)
    first, second = page_of(View((Turn("Why?", reply),))).select("details")
    assert CITATIONS[0].passage in first.blockquote.get_text()
    assert first.select_one(".review").get_text() == EN.review_label(CITATIONS[0])
    assert "2026-11-23" in first.select_one(".review").get_text()
    link = first.select_one(".source a")
    assert (link["href"], link["target"], link["rel"]) == (CITATIONS[0].url, "_blank", ["noopener", "noreferrer"])
    assert second.select_one(".source a") is None


def test_the_link_names_only_the_source_it_leads_to() -> None:
    cited = Citation(1, "a", "A", "First, 2026; Second, 2025", "https://example.org/first", None, "C")
    source = page_of(View((Turn("Why?", EN.reply(Decision.ANSWER, "B [1]", citations=[cited])),))).select_one(".source")
    assert source.a.find(string=True) == "First, 2026"
    assert source.get_text().endswith("; Second, 2025")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//example.org", ""])
def test_a_source_links_only_to_web_addresses(url: str) -> None:
    reply = EN.reply(Decision.ANSWER, "Short. [1]", citations=[Citation(1, "a", "A", "B", url, date(2026, 1, 2), "C")])
    assert page_of(View((Turn("Why?", reply),))).select_one(".source a") is None


def test_every_region_can_be_dialled_and_names_all_its_lines() -> None:
    support = StandIn().support
    for key, region in support.regions.items():
        panel = BeautifulSoup(markup.help_lines(support.lines(key, EN.support), EN), "html.parser")
        links = [link["href"] for link in panel.select("a")]
        assert all(f"tel:{number}" in links for number in support.emergency_numbers(key))
        assert all(line.name in panel.get_text() for line in region.lines)
        assert all(re.fullmatch(r"(tel|sms):\+?\d+|https://[\w./-]+", link) for link in links)


def test_text_that_cannot_be_dialled_is_no_link() -> None:
    line = SupportLine("Line", "Here", None, "WhatsApp 087 163 2030", "ask at reception")
    panel = BeautifulSoup(markup.help_lines([line], EN), "html.parser")
    assert panel.find("a") is None
    assert [way.get_text() for way in panel.select(".way")] == [
        "Text WhatsApp 087 163 2030", "Chat at ask at reception",
    ]  # fmt: skip


def test_the_finished_answer_is_announced_once_with_its_disclaimer() -> None:
    reply = EN.reply(Decision.ANSWER, "Short. [1]", citations=CITATIONS[:1])
    regions = page_of(View((Turn("Why?", reply),))).select("[role=status], [aria-live], [role=alert], [role=log]")
    assert len(regions) == 1
    assert regions[0].get_text() == f"Short. [1] {EN.disclaimer}"


def test_a_reply_in_another_language_says_so_and_uses_its_words() -> None:
    german = load_wording("de")
    reply = german.reply(Decision.CRISIS, german.fixed(Decision.CRISIS), support=[SupportLine("Notruf", "DE", "112")])
    article = page_of(View((Turn("Warum?", reply),))).select_one("article.answer")
    assert article["lang"] == "de"
    assert german.support.heading in article.get_text()
    assert german.disclaimer in article.get_text()


@pytest.mark.parametrize("language", languages())
def test_all_words_come_from_the_language_file(language: str) -> None:
    wording = load_wording(language)
    failed = wording.reply(Decision.NOT_IN_SOURCES, wording.replies.error)
    html = markup.header(wording, draft=True, failed=failed) + markup.help_heading(wording)
    html += markup.examples_heading(wording) + markup.conversation(View(pending="?"), wording)
    soup = BeautifulSoup(html, "html.parser")
    known = {getattr(wording.page, name).strip() for name in type(wording.page).model_fields} | {"?"}
    assert {text.strip() for text in soup.find_all(string=True) if text.strip()} <= known
    assert soup.header["data-unsent"] == f"{wording.replies.error}\n\n{wording.disclaimer}"


def test_the_draft_note_is_shown_only_for_drafts() -> None:
    failed: Reply = EN.reply(Decision.NOT_IN_SOURCES, EN.replies.error)
    assert EN.page.draft_notice in markup.header(EN, draft=True, failed=failed)
    assert EN.page.draft_notice not in markup.header(EN, draft=False, failed=failed)
