"""The embed in a real browser, on a clinic's page of another origin."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from embedding import Clinic, EmbedServer, Guest
from playwright.sync_api import Browser, Frame, Page, expect
from standin import BODY, CITATIONS, StandIn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from visitor import serving

from askdmt.decisions import Decision
from askdmt.reply import Citation, SupportLine
from askdmt.wording import Wording, load_wording
from datasets import ROOT

pytestmark = pytest.mark.browser

EN = load_wording("en")
SHOTS = ROOT / "test-results" / "embed"  # a screenshot of each state, to look at
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 780}
SMALLEST = {"width": 320, "height": 256}  # 1280 by 1024 at 400%
PRIVATE = "zanzibar-lighthouse-seventeen"  # a question that must not turn up anywhere
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Visit = Callable[..., Guest]


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    return Clinic()


@pytest.fixture(scope="module")
def host(clinic: Clinic) -> Iterator[str]:
    """The clinic's address: another origin than the server's."""
    with serving(clinic.app) as where:
        yield where.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def server(host: str) -> EmbedServer:
    return EmbedServer(StandIn(allowed_origins=(host,), feedback=True))


@pytest.fixture(scope="module")
def ask_address(server: EmbedServer) -> Iterator[str]:
    with serving(server) as where:
        yield where


@pytest.fixture
def visit(browser: Browser, clinic: Clinic, host: str, server: EmbedServer, ask_address: str) -> Iterator[Visit]:
    """Open the clinic's page; nothing may go wrong on it, and nothing may be asked of anybody else."""
    clinic.as_first(ask_address)
    server.problem, server.streaming = None, True
    server.standin.hold.set()
    server.standin.asked.clear()
    server.seen.clear()
    guests: list[Guest] = []

    def open_page(address: str = host, **context: Any) -> Guest:
        page = browser.new_context(**{"viewport": DESKTOP, **context}).new_page()
        guests.append(Guest(page, address))
        return guests[-1]

    yield open_page
    for guest in guests:
        assert guest.page.context.cookies() == []
        guest.page.context.close()
        assert guest.troubles == []
        assert all(url.startswith((host, ask_address, "data:")) for url in guest.requests)


def faults(page: Page | Frame) -> list[str]:
    """Return what axe finds."""
    result = Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}}).response  # type: ignore[arg-type]
    return [f"{fault['id']}: {node['html'][:120]}" for fault in result["violations"] for node in fault["nodes"]]


def shoot(guest: Guest, name: str) -> None:
    """Keep a screenshot, and let axe look at the panel."""
    keep(guest, name)
    assert faults(guest.frame) == []


def keep(guest: Guest, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    guest.page.screenshot(path=SHOTS / f"{name}.png")


# The button and the panel


def test_nothing_is_loaded_before_somebody_asks_for_it(visit: Visit, server: EmbedServer) -> None:
    guest = visit()
    expect(guest.launcher).to_have_text(EN.embed.launcher)
    expect(guest.launcher).to_have_attribute("aria-expanded", "false")
    expect(guest.panel).to_be_hidden()
    assert [method for method, *_ in server.seen] == ["GET"]
    assert faults(guest.page) == []


def test_opening_and_closing_by_keyboard_moves_the_focus_there_and_back(visit: Visit) -> None:
    guest = visit()
    guest.page.keyboard.press("Tab")  # the clinic's own link
    guest.page.keyboard.press("Tab")
    expect(guest.launcher).to_be_focused()
    guest.page.keyboard.press("Enter")
    expect(guest.box).to_be_focused()
    expect(guest.launcher).to_have_attribute("aria-expanded", "true")
    assert faults(guest.page) == []
    guest.page.keyboard.type("half a thought")
    guest.page.keyboard.press("Escape")
    expect(guest.panel).to_be_hidden()
    expect(guest.launcher).to_be_focused()
    expect(guest.launcher).to_have_attribute("aria-expanded", "false")
    guest.page.keyboard.press("Space")
    expect(guest.box).to_be_focused()
    expect(guest.box).to_have_value("half a thought")
    guest.inside.get_by_role("button", name=EN.embed.close).press("Enter")
    expect(guest.launcher).to_be_focused()
    guest.page.keyboard.press("Enter")
    guest.launcher.focus()
    guest.page.keyboard.press("Escape")
    expect(guest.panel).to_be_hidden()


def test_the_button_covers_nothing_of_the_page_that_gets_the_focus(visit: Visit) -> None:
    guest = visit()
    guest.page.evaluate(
        """for (let n = 0; n < 40; n++) document.querySelector('main').insertAdjacentHTML('beforeend',
            `<p style="text-align: right"><a href="#${n}">One of many links, number ${n}</a></p>`)"""
    )
    for _ in range(40):
        guest.page.keyboard.press("Tab")
        link, button = guest.page.evaluate(
            """[document.activeElement, document.querySelector('askdmt-embed').shadowRoot.querySelector('button')]
                .map(e => e.getBoundingClientRect().toJSON())"""
        )
        assert link["bottom"] <= button["top"] or link["right"] <= button["left"]


def test_the_tab_key_reaches_every_control_with_a_visible_ring_and_leaves_again(visit: Visit) -> None:
    guest = visit().open()
    guest.ask("What is DMT?")
    guest.inside.locator("#close").focus()
    reached = []
    for _ in range(40):
        place = guest.frame.evaluate(
            """() => { const e = document.activeElement; if (!document.hasFocus() || e === document.body) return null;
                return [e.id || e.className || e.tagName, getComputedStyle(e).outlineStyle !== 'none']; }"""
        )
        if place is None:
            break
        reached.append(place)
        guest.page.keyboard.press("Tab")
    assert all(ringed for _, ringed in reached)
    controls = "[...document.querySelectorAll('a[href], button, summary, select, textarea')]"
    wanted = guest.frame.evaluate(
        f"{controls}.filter(e => e.checkVisibility()).map(e => e.id || e.className || e.tagName)"
    )
    assert [name for name in wanted if name not in {name for name, _ in reached}] == []
    assert [name for name, _ in reached][-2:] == ["box", "send"]


@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALLEST], ids=["desktop", "phone", "smallest"])
def test_targets_are_large_and_nothing_scrolls_sideways(visit: Visit, size: dict[str, int]) -> None:
    guest = visit(viewport=size).open()
    guest.ask("What is DMT?")
    guest.ask("crisis " + "x" * 300)
    guest.inside.locator("#help > summary").click()
    small = guest.frame.evaluate(
        """[...document.querySelectorAll('a, button, summary, select, textarea')]
            .filter(e => e.checkVisibility() && !e.matches('.cite, .source a'))
            .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
            .filter(([, box]) => box.width < 44 || box.height < 44)"""
    )
    assert small == []
    for place in (guest.frame, guest.page):
        width = place.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1]
    box = guest.launcher.bounding_box()
    assert box is None or min(box["width"], box["height"]) >= 44


def test_on_a_small_screen_the_panel_fills_it_and_can_be_closed(visit: Visit) -> None:
    guest = visit(viewport=PHONE).open()
    assert guest.panel.bounding_box() == {"x": 0, "y": 0, **PHONE}
    shoot(guest, "phone")
    guest.inside.get_by_role("button", name=EN.embed.close).click()
    expect(guest.panel).to_be_hidden()


def test_everything_can_be_reached_at_four_hundred_percent(visit: Visit) -> None:
    guest = visit(viewport=SMALLEST).open()
    guest.ask("What is DMT?")
    guest.answers.last.locator(".disclaimer").scroll_into_view_if_needed()
    expect(guest.answers.last.locator(".disclaimer")).to_be_in_viewport()
    guest.inside.get_by_role("button", name=EN.page.send).scroll_into_view_if_needed()
    expect(guest.inside.get_by_role("button", name=EN.page.send)).to_be_in_viewport()
    shoot(guest, "320-pixels")


def test_text_may_be_spaced_and_enlarged_without_loss(visit: Visit) -> None:
    guest = visit().open()
    guest.ask("crisis")
    guest.frame.evaluate(
        """() => { const sheet = new CSSStyleSheet();
            sheet.replaceSync('* {line-height: 1.5 !important; letter-spacing: 0.12em !important;'
              + 'word-spacing: 0.16em !important} html {font-size: 200% !important}');
            document.adoptedStyleSheets = [sheet]; }"""
    )
    assert guest.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cut = guest.frame.evaluate(
        """[...document.querySelectorAll('article, details, h1, button, label, .way, .line-name')]
            .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1 && e.clientWidth)
            .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert cut == []
    expect(guest.box).to_be_in_viewport()
    shoot(guest, "text-200-percent")


def test_motion_stops_on_request(visit: Visit, server: EmbedServer) -> None:
    guest = visit(reduced_motion="reduce").open()
    server.standin.hold.clear()
    guest.send("slow")
    guest.inside.locator(".dots").wait_for()
    assert guest.frame.evaluate("getComputedStyle(document.querySelector('.dots'), '::after').animationName") == "none"
    server.standin.hold.set()
    guest.answers.wait_for()


def test_right_to_left(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    mirrored = EN.model_copy(update={"direction": "rtl"})
    monkeypatch.setattr("askdmt.web.embed.load_wording", lambda *_: mirrored)
    guest = visit().open()
    guest.ask("What is DMT?")
    assert guest.frame.evaluate("document.dir") == "rtl"
    question, answer = (guest.inside.locator(f"article.{name}").bounding_box() for name in ("question", "answer"))
    close, title = guest.inside.locator("#close").bounding_box(), guest.inside.locator("h1").bounding_box()
    assert question
    assert answer
    assert close
    assert title
    assert question["x"] == answer["x"]
    assert close["x"] < title["x"]
    assert guest.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(guest, "right-to-left")


def test_forced_colours(visit: Visit) -> None:
    guest = visit(forced_colors="active").open()
    guest.ask("What is DMT?")
    borders = guest.frame.evaluate(
        "[...document.querySelectorAll('article, #send, #box, #close')].map(e => getComputedStyle(e).borderTopStyle)"
    )
    assert borders
    assert set(borders) == {"solid"}
    shoot(guest, "forced-colours")


# Every state


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_first_notice_then_ready(visit: Visit, scheme: str) -> None:
    guest = visit(color_scheme=scheme).open()
    for text in (EN.page.notice, EN.page.draft_notice):
        expect(guest.inside.get_by_text(text.strip())).to_be_visible()
    expect(guest.inside.locator(".example")).to_have_text(list(EN.suggestions.default))
    expect(guest.inside.get_by_role("heading", level=1)).to_have_text(EN.page.title)
    expect(guest.inside.locator("#greeting")).to_have_text(EN.page.tagline)
    shoot(guest, f"first-notice-{scheme}")
    guest.inside.get_by_text(EN.embed.notice_heading).click()
    expect(guest.inside.get_by_text(EN.page.notice.strip())).to_be_hidden()
    shoot(guest, f"ready-{scheme}")


def test_loading_says_so(visit: Visit, ask_address: str) -> None:
    guest = visit()
    held: list[Any] = []
    guest.page.route(f"{ask_address}/embed?*", lambda route: held.append(route))
    guest.launcher.click()
    expect(guest.panel.get_by_role("status")).to_have_text(EN.embed.loading)
    keep(guest, "loading")
    assert faults(guest.page) == []
    held[0].continue_()
    expect(guest.box).to_be_focused()
    expect(guest.panel.get_by_role("status")).to_have_text("")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sending(visit: Visit, server: EmbedServer, scheme: str) -> None:
    guest = visit(color_scheme=scheme).open()
    server.standin.hold.clear()
    guest.send("a slow question")
    expect(guest.inside.locator("article.working")).to_contain_text(EN.page.working)
    expect(guest.inside.locator("article.working")).to_have_attribute("aria-busy", "true")
    expect(guest.inside.get_by_role("button", name=EN.page.send)).to_be_hidden()
    expect(guest.box).to_be_focused()
    expect(guest.box).to_have_value("")
    shoot(guest, f"sending-{scheme}")
    guest.send("a second one")
    assert len(server.standin.asked) == 1
    server.standin.hold.set()
    guest.answers.wait_for()
    expect(guest.box).to_have_value("a second one")


@pytest.mark.parametrize("streaming", [True, False], ids=["events", "json"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_answer_with_sources(visit: Visit, server: EmbedServer, scheme: str, streaming: bool) -> None:
    server.streaming = streaming
    guest = visit(color_scheme=scheme).open()
    guest.ask("What is DMT?")
    answer = guest.answers.last
    for paragraph in BODY.split("\n\n"):
        expect(answer.locator(".body")).to_contain_text(paragraph.partition(" [")[0])
    expect(answer.locator(".disclaimer")).to_have_text(EN.disclaimer)
    expect(answer.locator(".name")).to_contain_text([citation.title for citation in CITATIONS])
    expect(answer.locator(".review")).to_have_text([EN.review_label(citation) for citation in CITATIONS])
    answer.locator(".cite").first.press("Enter")
    expect(answer.locator("summary").first).to_be_focused()
    expect(answer.locator("blockquote").first).to_have_text(CITATIONS[0].passage)
    expect(answer.locator("blockquote").first).to_be_in_viewport()
    link = answer.locator(".source a")
    expect(link).to_have_attribute("href", CITATIONS[0].url)
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(answer.locator("blockquote").nth(1)).to_be_hidden()
    shoot(guest, f"answer-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_refusal(visit: Visit, scheme: str) -> None:
    guest = visit(color_scheme=scheme).open()
    guest.ask("which dose?")
    expect(guest.answers.last).to_have_attribute("data-decision", "refuse_dosing")
    expect(guest.answers.last.locator(".disclaimer")).to_have_text(EN.disclaimer)
    expect(guest.inside.locator(".example")).to_have_text(list(EN.suggestions.refusal))
    shoot(guest, f"refusal-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_crisis(visit: Visit, scheme: str) -> None:
    guest = visit(color_scheme=scheme).open()
    guest.ask("crisis")
    answer = guest.answers.last
    expect(answer.get_by_role("link", name="Call 999")).to_have_attribute("href", "tel:999")
    expect(answer.get_by_text("Samaritans")).to_be_visible()
    expect(guest.inside.locator(".example:visible")).to_have_count(0)
    expect(answer.locator(".disclaimer")).to_have_text(EN.disclaimer)
    shoot(guest, f"crisis-{scheme}")


def test_limited(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    server.problem = "rate_limited"
    guest.page.clock.install()
    guest.send("one too many")
    expect(guest.problem).to_contain_text(EN.replies.rate_limited.format(seconds=7))
    expect(guest.problem).to_contain_text(EN.disclaimer)
    expect(guest.problem.get_by_text("Samaritans")).to_be_visible()
    expect(guest.box).to_have_value("one too many")
    retry = guest.inside.get_by_role("button", name=EN.embed.retry)
    expect(retry).to_be_hidden()
    shoot(guest, "limited")
    guest.page.clock.fast_forward(8000)
    expect(retry).to_be_visible()
    server.problem = None
    retry.click()
    guest.answers.wait_for()
    expect(guest.box).to_have_value("")
    guest.troubles.clear()  # the browser names every answer of 400 or more


def test_too_long(visit: Visit, server: EmbedServer) -> None:
    limit = server.standin.settings.max_characters
    said = EN.replies.too_long.format(limit=limit)
    guest = visit().open()
    guest.box.fill("x" * limit)
    expect(guest.inside.locator("#length")).to_have_text("")
    guest.box.fill("long " * (limit // 4))
    expect(guest.inside.locator("#length")).to_have_text(said)
    shoot(guest, "too-long")
    guest.box.press("Enter")  # it is sent all the same: its ends are read for danger
    guest.answers.wait_for()
    expect(guest.answers.last.locator(".body")).to_have_text(said)
    expect(guest.box).to_have_value("long " * (limit // 4))
    server.problem = "too_long"
    guest.box.press("Enter")
    expect(guest.problem).to_contain_text(said)
    guest.troubles.clear()


def test_server_error(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    server.problem = "error"
    guest.send("please answer")
    expect(guest.problem).to_contain_text(EN.replies.error)
    expect(guest.problem).to_contain_text(EN.disclaimer)
    expect(guest.inside.locator("article")).to_have_count(0)
    shoot(guest, "server-error")
    guest.page.route("**/api/reply", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"))
    guest.inside.get_by_role("button", name=EN.embed.retry).click()
    expect(guest.problem).to_contain_text(EN.replies.error)
    expect(guest.box).to_have_value("please answer")
    guest.troubles.clear()


def test_network_lost(visit: Visit) -> None:
    guest = visit().open()
    guest.page.context.set_offline(True)
    guest.send("a question that is not sent")
    expect(guest.problem).to_contain_text(EN.embed.lost)
    assert "112" in EN.embed.lost
    expect(guest.problem).to_contain_text(EN.disclaimer)
    expect(guest.box).to_have_value("a question that is not sent")
    expect(guest.box).to_be_focused()
    guest.inside.get_by_text(EN.page.help_heading).first.click()
    expect(guest.inside.locator("#help").get_by_role("link", name="Call 999")).to_be_visible()
    shoot(guest, "network-lost")
    guest.inside.locator("#region").select_option("us")  # cannot be fetched: what is there stays
    guest.page.context.set_offline(False)
    expect(guest.inside.locator("#help").get_by_role("link", name="Call 999")).to_be_visible()
    guest.inside.get_by_role("button", name=EN.embed.retry).click()
    guest.answers.wait_for()
    expect(guest.inside.locator(".question p")).to_have_text("a question that is not sent")
    expect(guest.problem).to_be_hidden()
    guest.troubles.clear()  # the failed requests themselves


def test_a_stream_that_breaks_off_or_falls_silent_is_lost(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    broken = 'event: sentence\ndata: {"text": "DMT is "}\n\n'
    events = {"content-type": "text/event-stream"}
    guest.page.route("**/api/reply", lambda route: route.fulfill(status=200, headers=events, body=broken))
    guest.send("what is DMT?")
    expect(guest.problem).to_contain_text(EN.embed.lost)
    expect(guest.inside.locator("article")).to_have_count(0)
    guest.page.unroute_all()
    guest.page.clock.install()
    server.standin.hold.clear()
    guest.inside.get_by_role("button", name=EN.embed.retry).click()
    guest.inside.locator("article.working").wait_for()
    guest.page.clock.fast_forward(60_000)
    expect(guest.problem).to_contain_text(EN.embed.lost)
    expect(guest.box).to_have_value("what is DMT?")
    server.standin.hold.set()


def test_knowledge_overdue(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("askdmt.knowledge.sections.Section.overdue", lambda *_: True)
    guest = visit().open()
    expect(guest.inside.get_by_text(EN.embed.overdue)).to_be_visible()
    shoot(guest, "overdue")
    guest.ask("What is DMT?")
    expect(guest.inside.get_by_text(EN.embed.overdue)).to_be_visible()


def test_without_javascript(visit: Visit, ask_address: str) -> None:
    guest = visit(f"{ask_address}/embed?region=gb", java_script_enabled=False, viewport={"width": 420, "height": 720})
    expect(guest.page.get_by_text(EN.embed.no_script)).to_be_visible()
    expect(guest.page.get_by_text(EN.page.notice.strip())).to_be_visible()
    expect(guest.page.locator("main").get_by_role("link", name="Call 999")).to_be_visible()
    expect(guest.page.locator("textarea")).to_be_hidden()
    SHOTS.mkdir(parents=True, exist_ok=True)
    guest.page.screenshot(path=SHOTS / "without-javascript.png")


def test_where_it_does_not_come_up_the_page_says_so(visit: Visit, ask_address: str) -> None:
    guest = visit()
    guest.page.clock.install()
    guest.page.route(f"{ask_address}/embed?*", lambda route: route.abort())
    guest.launcher.click()
    expect(guest.panel).to_contain_text(EN.embed.loading)
    guest.page.clock.fast_forward(11_000)
    expect(guest.panel).to_contain_text(EN.embed.unavailable)
    assert "112" in EN.embed.unavailable
    assert any("allowed_origins" in warning for warning in guest.warnings)
    keep(guest, "unavailable")
    assert faults(guest.page) == []
    guest.page.unroute_all()
    guest.launcher.click()
    guest.launcher.click()
    expect(guest.box).to_be_focused()
    guest.troubles.clear()


# What it does


def test_the_finished_answer_is_announced_once(visit: Visit) -> None:
    guest = visit().open()
    guest.frame.evaluate(
        """() => { window.spoken = [];
            for (const line of document.querySelectorAll('[role=status], [aria-live], [role=alert], [role=log]'))
              new MutationObserver(() => spoken.push(line.textContent))
                .observe(line, {childList: true, subtree: true, characterData: true}); }"""
    )
    guest.ask("crisis")
    guest.frame.wait_for_function("document.querySelector('#status').textContent.length > 200")
    spoken = guest.frame.evaluate("spoken")
    assert spoken[0] == EN.page.working
    assert len(spoken) == 2
    assert "Samaritans: Call 116 123." in spoken[1]
    assert spoken[1].endswith(EN.disclaimer)


def test_earlier_messages_and_the_region_go_along(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    guest.ask("What is DMT?")
    guest.ask("And then?")
    assert [message["role"] for message in server.standin.asked[-1][0]] == ["user", "assistant", "user"]
    assert [message["content"] for message in server.standin.asked[-1][0]][::2] == ["What is DMT?", "And then?"]
    assert server.standin.asked[-1][1] == "gb"
    guest.inside.get_by_text(EN.page.help_heading).first.click()
    guest.inside.get_by_label(EN.page.region_label).select_option("us")
    expect(guest.inside.locator("#lines").get_by_role("link", name="Call 911")).to_be_visible()
    guest.ask("crisis")
    assert server.standin.asked[-1][1] == "us"
    expect(guest.answers.last.get_by_role("link", name="Call 911")).to_be_visible()


def test_a_long_conversation_stays_within_the_servers_limits(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    for number in range(6):
        guest.ask(f"{number} " + "x" * 12_000)
    sent, _ = server.standin.asked[-1]
    assert len(json.dumps(sent)) < server.standin.settings.max_body_bytes
    assert len(sent) <= server.standin.settings.max_messages
    assert sent[-1]["content"].startswith("5 ")
    assert not any(message["content"].startswith("0 ") for message in sent)


def test_stopping_gives_the_question_back(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    server.standin.hold.clear()
    guest.send("a slow question")
    guest.inside.get_by_role("button", name=EN.page.stop).click()
    expect(guest.status).to_have_text(EN.page.stopped)
    expect(guest.box).to_have_value("a slow question")
    expect(guest.box).to_be_focused()
    expect(guest.inside.locator("article")).to_have_count(0)
    server.standin.hold.set()
    guest.box.press("Enter")
    guest.answers.wait_for()
    expect(guest.answers).to_have_count(1)


def test_clearing_forgets_the_conversation(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    guest.ask("which dose?")
    guest.inside.get_by_role("button", name=EN.page.clear).click()
    expect(guest.status).to_have_text(EN.page.cleared)
    expect(guest.inside.locator("article")).to_have_count(0)
    expect(guest.inside.locator(".example")).to_have_text(list(EN.suggestions.default))
    expect(guest.box).to_be_focused()
    guest.ask("And now?")
    assert [message["content"] for message in server.standin.asked[-1][0]] == ["And now?"]


def test_a_visitor_says_whether_a_reply_helped_but_nobody_in_danger_is_asked(
    visit: Visit, server: EmbedServer, ask_address: str
) -> None:
    guest = visit().open()
    guest.ask("a crisis")
    guest.ask("What is DMT?")
    button = guest.inside.get_by_role("button", name=EN.feedback.unhelpful, exact=True)
    expect(button).to_have_count(1)
    expect(button).to_have_accessible_description(EN.feedback.question)
    button.press("Enter")
    expect(guest.status).to_have_text(EN.feedback.thanks)
    expect(guest.box).to_be_focused()
    expect(button).to_have_count(0)
    shoot(guest, "voted")
    assert [(method, path) for method, path, _ in server.seen][-1] == ("POST", "/api/feedback?")
    assert 'askdmt_feedback_total{helpful="no"} 1.0' in httpx.get(f"{ask_address}/metrics").text


def test_an_example_is_asked_and_the_typed_text_stays(visit: Visit) -> None:
    guest = visit().open()
    guest.box.fill("half a thought")
    guest.inside.locator(".example").nth(1).press("Enter")
    guest.answers.wait_for()
    expect(guest.inside.locator(".question p")).to_have_text(EN.suggestions.default[1])
    expect(guest.box).to_have_value("half a thought")
    expect(guest.box).to_be_focused()


def test_enter_sends_and_shift_enter_breaks_the_line(visit: Visit, server: EmbedServer) -> None:
    guest = visit().open()
    guest.box.press("Enter")
    expect(guest.status).to_have_text(EN.page.message_placeholder)
    assert server.standin.asked == []
    guest.page.keyboard.type("What is")
    guest.page.keyboard.press("Shift+Enter")
    guest.page.keyboard.type("DMT?")
    guest.page.keyboard.press("Enter")
    guest.answers.wait_for()
    assert server.standin.asked[0][0][0]["content"] == "What is\nDMT?"


def test_a_reply_in_another_language_is_marked_and_has_that_languages_words(visit: Visit) -> None:
    guest = visit().open()
    guest.ask("auf deutsch, crisis")
    german = load_wording("de")
    expect(guest.answers.last).to_have_attribute("lang", "de")
    expect(guest.status).to_have_attribute("lang", "de")
    expect(guest.answers.last.locator(".disclaimer")).to_have_text(german.disclaimer)
    expect(guest.answers.last.get_by_role("heading", name=german.support.heading)).to_be_visible()
    expect(guest.answers.last.get_by_role("link", name=german.support.call.format(number="999"))).to_be_visible()


def test_the_language_is_the_clinics_pages_or_the_one_it_names(visit: Visit, clinic: Clinic) -> None:
    clinic.language = "fr-CA"
    french: Wording = load_wording("fr")
    guest = visit()
    expect(guest.launcher).to_have_text(french.embed.launcher)
    guest.open()
    expect(guest.inside.get_by_text(french.page.notice.strip())).to_be_visible()
    clinic.attributes = 'data-language="nl" data-region="nl"'
    dutch = visit()
    expect(dutch.launcher).to_have_text(load_wording("nl").embed.launcher)
    dutch.open()
    assert dutch.frame.evaluate("document.documentElement.lang") == "nl"


# Looks


def colours(guest: Guest, selector: str) -> list[str]:
    """Return colour of letters and ground."""
    found: list[str] = guest.inside.locator(selector).first.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
    )
    return found


def test_the_clinics_looks_are_taken_over(visit: Visit, clinic: Clinic) -> None:
    clinic.attributes = (
        'data-colour="#7a1f5c" data-radius="4" data-font="Georgia, serif" data-position="left" data-label="Ask us" '
        'data-title="Riverside answers" data-greeting="How can we help?" data-scheme="light"'
    )
    guest = visit(color_scheme="dark").open()
    expect(guest.launcher).to_have_text("Ask us")
    assert guest.launcher.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(122, 31, 92)"
    assert "Georgia" in guest.launcher.evaluate("e => getComputedStyle(e).fontFamily")
    box = guest.launcher.bounding_box()
    assert box is not None
    assert box["x"] < 100
    expect(guest.panel.locator("iframe")).to_have_attribute("title", "Riverside answers")
    expect(guest.inside.get_by_role("heading", level=1)).to_have_text("Riverside answers")
    expect(guest.inside.locator("#greeting")).to_have_text("How can we help?")
    assert colours(guest, "#send") == ["rgb(255, 255, 255)", "rgb(122, 31, 92)"]
    assert guest.inside.locator("#box").evaluate("e => getComputedStyle(e).borderRadius") == "4px"
    assert "Georgia" in guest.box.evaluate("e => getComputedStyle(e).fontFamily")
    guest.ask("crisis")
    shoot(guest, "own-looks")
    assert guest.warnings == []


def test_css_variables_of_the_clinics_page_do_it_too(visit: Visit, clinic: Clinic) -> None:
    clinic.style = ":root { --askdmt-colour: #1d4ed8; --askdmt-radius: 20px; --askdmt-font: Verdana, sans-serif; }"
    guest = visit().open()
    assert guest.launcher.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(29, 78, 216)"
    assert colours(guest, "#send")[1] == "rgb(29, 78, 216)"
    assert "Verdana" in guest.box.evaluate("e => getComputedStyle(e).fontFamily")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("colour", ["#767676", "#b3261e", "#000000"])
def test_any_colour_that_is_taken_keeps_contrast(visit: Visit, clinic: Clinic, colour: str, scheme: str) -> None:
    clinic.attributes = f'data-colour="{colour}"'
    guest = visit(color_scheme=scheme).open()
    guest.ask("What is DMT?")
    assert guest.warnings == []
    assert faults(guest.frame) == []
    guest.inside.locator("summary", has_text=CITATIONS[0].title).hover()
    assert faults(guest.frame) == []


@pytest.mark.parametrize("colour", ["#12a4b4", "#ffffff", "teal", "url(https://x.example)", "#fff", "12616a"])
def test_a_colour_that_cannot_be_read_is_refused_with_a_reason(visit: Visit, clinic: Clinic, colour: str) -> None:
    clinic.attributes = f'data-colour="{colour}"'
    guest = visit().open()
    assert any(colour in warning and "#rrggbb" in warning for warning in guest.warnings)
    assert guest.launcher.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(18, 97, 106)"
    assert colours(guest, "#send")[1] == "rgb(18, 97, 106)"


def test_other_looks_that_do_not_fit_are_refused_with_a_reason(visit: Visit, clinic: Clinic) -> None:
    clinic.attributes = (
        f'data-radius="90px" data-font="x; background: url(//x.example)" data-scheme="pink" data-title="{"t" * 61}" '
        f'data-greeting="{"g" * 301}"'
    )
    guest = visit().open()
    for name in ("radius", "font", "scheme", "title", "greeting"):
        assert any(f"the {name} " in warning for warning in guest.warnings), name
    expect(guest.inside.get_by_role("heading", level=1)).to_have_text(EN.page.title)


def test_one_origin_for_both_is_warned_of(visit: Visit, server: EmbedServer) -> None:
    page = HTMLResponse('<link rel="icon" href="data:,"><iframe></iframe>')
    with serving(Starlette(routes=[Route("/own", page), Mount("/", server)])) as where:
        guest = visit(f"{where}/own")
        guest.page.evaluate("document.querySelector('iframe').src = `/embed#host=${location.origin}`")
        expect(guest.inside.locator("#close")).to_be_visible()
        assert any("own origin" in warning for warning in guest.warnings)
        guest.requests.clear()


def test_a_link_cannot_put_words_on_the_page(visit: Visit, ask_address: str, host: str) -> None:
    guest = visit(f"{ask_address}/embed#title=Call+this+number&greeting=Pay+here&host={host}")
    expect(guest.page.get_by_role("heading", level=1)).to_have_text(EN.page.title)
    expect(guest.page.locator("#greeting")).to_have_text(EN.page.tagline)
    expect(guest.page.locator("#close")).to_be_hidden()


# Other origins


def test_a_page_that_is_not_listed_is_refused_by_the_browser(visit: Visit, host: str) -> None:
    guest = visit(host.replace("localhost", "127.0.0.1"))  # another origin, which nobody listed
    guest.page.clock.install()
    with guest.page.expect_console_message(lambda said: "frame-ancestors" in said.text):
        guest.launcher.click()
    guest.page.clock.fast_forward(11_000)
    expect(guest.panel).to_contain_text(EN.embed.unavailable)
    expect(guest.inside.locator("#box")).to_have_count(0)
    guest.troubles.clear()
    guest.requests.clear()


SPY = """
window.heard = [];
for (const kind of ['keydown', 'keyup', 'keypress', 'input', 'beforeinput', 'paste', 'message', 'focusin', 'submit'])
  addEventListener(kind, event => heard.push([kind, JSON.stringify(event.data ?? event.key ?? '')]), true);
for (const name of ['fetch', 'postMessage']) {
  const real = window[name];
  window[name] = (...given) => { heard.push([name, JSON.stringify(given)]); return real.apply(window, given); };
}
const open = XMLHttpRequest.prototype.open;
XMLHttpRequest.prototype.open = function (...given) {
  heard.push(['xhr', String(given)]);
  return open.apply(this, given);
};
null
"""


def test_the_clinics_scripts_cannot_reach_what_is_asked(visit: Visit, server: EmbedServer, host: str) -> None:
    guest = visit()
    guest.page.evaluate(SPY)
    guest.open()
    guest.page.keyboard.type(PRIVATE)
    guest.page.keyboard.press("Enter")
    guest.answers.wait_for()
    assert server.standin.asked[0][0][0]["content"] == PRIVATE
    reached = guest.page.evaluate(
        """() => { const frame = document.querySelector('askdmt-embed').shadowRoot.querySelector('iframe');
            const tries = {document: () => frame.contentDocument, window: () => frame.contentWindow.document.body,
                href: () => frame.contentWindow.location.href, name: () => frame.contentWindow.name,
                box: () => frame.contentWindow.box.value};
            return Object.entries(tries).map(([name, reach]) => {
                try { return [name, reach()] } catch (error) { return [name, error.name] } }); }"""
    )
    assert dict(reached) == {"document": None} | dict.fromkeys(["window", "href", "name", "box"], "SecurityError")
    heard = guest.page.evaluate("heard")
    messages = [json.loads(text) for kind, text in heard if kind == "message"]
    assert {message["askdmt"] for message in messages} == {"ready", "resize"}
    assert all(set(message) <= {"askdmt", "height"} for message in messages)
    assert {kind for kind, _ in heard} <= {"message", "focusin"}
    known = guest.page.evaluate(
        """JSON.stringify([performance.getEntries(), location.href, document.title, {...localStorage},
            {...sessionStorage}, document.cookie, document.documentElement.outerHTML, heard])"""
    )
    assert PRIVATE not in known
    assert "/api/reply" not in known
    assert not any(PRIVATE in path or host in headers.get("referer", "") for _, path, headers in server.seen[1:])
    assert not any("referer" in headers or "cookie" in headers for _, _, headers in server.seen[1:])
    assert not any(PRIVATE in url for url in guest.requests)


def test_nothing_is_kept_in_the_browser(visit: Visit) -> None:
    guest = visit().open()
    guest.ask(PRIVATE)
    kept = guest.frame.evaluate(
        """async () => { const kept = {};
            const places = {local: () => ({...localStorage}), session: () => ({...sessionStorage}),
                cookie: () => document.cookie, address: () => location.href, name: () => name,
                state: () => history.state, bases: () => indexedDB.databases(), caches: () => caches.keys()};
            for (const place in places) try { kept[place] = await places[place]() } catch { kept[place] = null }
            return kept; }"""
    )
    assert PRIVATE not in json.dumps(kept)
    assert not any(kept[place] for place in kept if place not in ("address", "name"))


def test_messages_of_others_change_nothing(visit: Visit) -> None:
    guest = visit().open()
    guest.page.evaluate("postMessage({askdmt: 'close'}, '*')")  # from the clinic's page to itself
    guest.page.evaluate("postMessage({askdmt: 'resize', height: 1}, '*')")
    guest.page.evaluate(
        """() => { const other = document.createElement('iframe');
            other.srcdoc = '<script>parent.postMessage({askdmt: "close"}, "*")<' + '/script>';
            document.body.append(other); return new Promise(done => addEventListener('message', () => done())) }"""
    )
    expect(guest.panel).to_be_visible()
    height = guest.panel.bounding_box()
    assert height is not None
    assert height["height"] > 400
    guest.inside.locator("#close").focus()
    guest.frame.evaluate("postMessage({askdmt: 'ready'}, '*')")  # not from the page around it
    guest.frame.evaluate("new Promise(done => setTimeout(done))")
    expect(guest.inside.locator("#close")).to_be_focused()


@pytest.mark.parametrize("named", ["http://elsewhere.example", "", "*", "null"])
def test_it_talks_only_to_a_listed_page(visit: Visit, ask_address: str, named: str) -> None:
    guest = visit()
    guest.page.evaluate(
        """([address, named]) => { window.heard = []; addEventListener('message', event => heard.push(event.data));
            const frame = document.createElement('iframe'); frame.src = `${address}/embed?#host=${named}`;
            document.body.append(frame); }""",
        [ask_address, named],
    )
    expect(guest.box).to_be_visible()
    expect(guest.inside.locator("#close")).to_be_hidden()
    assert guest.page.evaluate("heard") == []


PAYLOADS = [
    "<img src=x onerror=\"alert('run')\">",
    "<script>alert('run')</script>",
    "</script></style></textarea></title><script>alert('run')</script>",
    "<svg/onload=alert('run')><svg><animate onbegin=alert('run') attributeName=x dur=1s>",
    "[look](javascript:alert('run')) ![x](https://example.org/x.png)",
    "<iframe src=\"javascript:alert('run')\"></iframe><details open ontoggle=alert('run')>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert('run')>",
    "${alert('run')} {{constructor.constructor('alert(1)')()}} {seconds} $alert$ %3Cscript%3E",
    "\"' autofocus onfocus=alert('run') x='",
    "javascript:alert('run')",
    "data:text/html,<script>alert('run')</script>",
    "<a href=\"javas&#99;ript:alert('run')\">x</a><base href=//example.org/><meta http-equiv=refresh content=0>",
    "&lt;script&gt;alert('run')&lt;/script&gt;",
    "\u202e<script\u2028>alert('run')</script>\x00<img src=x onerror=alert('run')>",
    "<template><img src=x onerror=alert('run')></template><noscript><p title=\"</noscript><img src onerror=alert()>\">",
]


@pytest.mark.parametrize("streaming", [True, False], ids=["events", "json"])
def test_markup_never_runs(visit: Visit, server: EmbedServer, monkeypatch: pytest.MonkeyPatch, streaming: bool) -> None:
    """Not in a question, an answer, a passage, a source, an address, a help line or a suggestion."""
    server.streaming = streaming
    guest = visit().open()
    for payload in PAYLOADS:
        citation = Citation(1, payload, payload, f"{payload}; {payload}", payload, None, payload)
        line = SupportLine(payload, payload, call=payload, text=payload, chat=payload, hours=payload)
        reply = EN.reply(Decision.ANSWER, f"{payload} [1]", citations=[citation], support=[line])
        reply = replace(reply, suggestions=(payload,))
        monkeypatch.setattr(server.standin, "reply", lambda *_, reply=reply, **__: reply)
        guest.ask(payload)
        expect(guest.inside.locator(".question p").last).to_have_text(payload, use_inner_text=False)
        expect(guest.answers.last.locator("blockquote")).to_have_text(payload)
        expect(guest.inside.locator(".example")).to_have_text(payload)
    guest.frame.evaluate("new Promise(done => setTimeout(done, 100))")
    strange = ":is(article, #examples) :is(img, script, svg, iframe, math, style, form, base, meta, template, object)"
    assert guest.inside.locator(strange).count() == 0
    links = guest.frame.evaluate("[...document.querySelectorAll('a')].map(a => a.protocol)")
    assert set(links) <= {"http:", "https:", "tel:", "sms:"}
    names = guest.frame.evaluate("[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())")
    assert [name for name in names if name.startswith("on")] == []


def test_even_a_slip_could_not_turn_text_into_markup(visit: Visit) -> None:
    guest = visit().open()
    outcome = guest.frame.evaluate(
        """() => { try { document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.ran = 1">') }
            catch (error) { return error.name } }"""
    )
    assert outcome == "TypeError"
    guest.frame.evaluate(
        """() => { const image = document.createElement('img'); image.setAttribute('id', 'bad');
            const link = document.createElement('a'); link.href = 'javascript:window.ran = 1'; link.textContent = 'x';
            document.body.append(image, link); link.click(); }"""
    )
    guest.frame.evaluate("new Promise(done => setTimeout(done, 100))")
    assert guest.frame.evaluate("window.ran") is None
    guest.troubles.clear()  # what the policy reports


# Clinics' own rules


def test_a_clinic_with_a_strict_policy_needs_two_sources(visit: Visit, clinic: Clinic, ask_address: str) -> None:
    clinic.policy = (
        f"default-src 'none'; script-src {ask_address}; frame-src {ask_address}; img-src data:; style-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'"
    )
    clinic.style = ""
    guest = visit().open()
    assert guest.launcher.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(18, 97, 106)"
    guest.ask("What is DMT?")
    assert all("inline style" in trouble for trouble in guest.troubles)  # the page's own empty <style>
    guest.troubles.clear()


def test_it_works_under_a_path_behind_a_proxy(visit: Visit, clinic: Clinic, host: str) -> None:
    with serving(EmbedServer(StandIn(allowed_origins=(host,), root_path="/ask"))) as where:
        clinic.server = f"{where}/ask"
        guest = visit().open()
        guest.ask("What is DMT?")
        assert guest.frame.url.startswith(f"{where}/ask/embed?")
        guest.requests.clear()


def test_two_tags_make_one_button(visit: Visit, ask_address: str) -> None:
    guest = visit()
    guest.page.add_script_tag(url=f"{ask_address}/embed.js")
    expect(guest.launcher).to_have_count(1)


def test_the_example_clinic_shows_it(visit: Visit, host: str) -> None:
    guest = visit(f"{host}/example/")
    assert faults(guest.page) == []
    guest.open()
    guest.ask("What is DMT?")
    expect(guest.inside.get_by_role("heading", level=1)).to_have_text("Riverside answers")
    assert guest.warnings == []
    assert faults(guest.page) == []
    keep(guest, "example-clinic")
