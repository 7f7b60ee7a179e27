"""The page in a real browser, on a stand-in for the assistant."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from standin import CITATIONS, StandIn
from visitor import Visitor

from askdmt.web.chat import MOST_TURNS, Turn
from askdmt.wording import load_wording

pytestmark = pytest.mark.browser

EN = load_wording("en")
PAGE = EN.page
Visit = Callable[..., Visitor]

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}


def faults(visitor: Visitor) -> list[str]:
    """Return what axe finds, and any sideways scroll."""
    result = Axe().run(visitor.page, options={"runOnly": {"type": "tag", "values": WCAG}}).response
    assert len(result["passes"]) > 15
    found = [f"{fault['id']}: {node['html'][:120]}" for fault in result["violations"] for node in fault["nodes"]]
    width = visitor.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found + ([] if width[0] <= width[1] else [f"scrolls sideways: {width}"])


# Before the first message


def test_everything_that_must_be_known_is_in_view_before_the_first_message(visit: Visit) -> None:
    visitor = visit()
    for text in (PAGE.title, PAGE.tagline, PAGE.notice.strip(), PAGE.draft_notice.strip(), PAGE.help_heading):
        assert visitor.page.get_by_text(text, exact=True).first.is_visible()
    assert visitor.page.title() == PAGE.title
    assert visitor.page.locator("html").get_attribute("lang") == "en"
    assert visitor.page.get_by_label(PAGE.message_label, exact=True).is_visible()
    assert visitor.page.get_by_role("link", name="Call 999").is_visible()
    assert visitor.page.locator("button.example:visible").all_inner_texts() == list(EN.suggestions.default)
    assert visitor.page.get_by_role("button", name=PAGE.stop).count() == 0
    assert visitor.page.get_by_role("button", name=PAGE.clear).count() == 0


def test_headings_are_in_order(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("crisis")
    visitor.ask("What is DMT?")
    levels = visitor.page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter(h => h.checkVisibility()).map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))


# Accessibility


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_in_any_state(visit: Visit, scheme: str, size: dict[str, int], standin: StandIn) -> None:
    visitor = visit(color_scheme=scheme, viewport=size)
    assert faults(visitor) == []
    visitor.ask("What is DMT?")
    visitor.page.locator("summary").first.click()
    assert faults(visitor) == []
    visitor.ask("which dose?")
    assert faults(visitor) == []
    visitor.ask("this is a crisis")
    assert faults(visitor) == []
    standin.hold.clear()
    visitor.box.fill("slow")
    visitor.box.press("Enter")
    visitor.page.locator("article.working").wait_for()
    assert faults(visitor) == []
    standin.hold.set()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_targets_are_large_and_nothing_scrolls_sideways(visit: Visit, size: dict[str, int]) -> None:
    visitor = visit(viewport=size)
    visitor.ask("What is DMT?")
    visitor.ask("crisis " + "x" * 300)
    small = visitor.page.evaluate(
        """[...document.querySelectorAll('a, button, summary, select, textarea')]
            .filter(e => e.checkVisibility() && !e.matches('.cite, .source a, .skip'))
            .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
            .filter(([, box]) => box.width < 44 || box.height < 44)"""
    )
    assert small == []
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_text_may_be_spaced_and_enlarged_without_loss(visit: Visit) -> None:
    visitor = visit(viewport={"width": 640, "height": 900})
    visitor.ask("crisis")
    visitor.page.add_style_tag(
        content="* {line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important}"
        " html {font-size: 200% !important}"
    )
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 640
    cut = visitor.page.evaluate(
        """[...document.querySelectorAll('article, #askdmt-help, header, button')]
            .filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert cut == []


def test_motion_is_reduced_on_request(visit: Visit, standin: StandIn) -> None:
    visitor = visit(reduced_motion="reduce")
    standin.hold.clear()
    visitor.box.fill("slow")
    visitor.box.press("Enter")
    visitor.page.locator(".dots i").first.wait_for()
    assert visitor.page.evaluate("getComputedStyle(document.querySelector('.dots i')).animationName") == "none"
    standin.hold.set()


def test_the_answer_is_announced_once(visit: Visit) -> None:
    visitor = visit()
    visitor.page.evaluate(
        """() => { window.spoken = [];
            for (const line of document.querySelectorAll('[role=status], [aria-live], [role=alert]'))
              new MutationObserver(() => spoken.push(line.textContent))
                .observe(line, {childList: true, subtree: true, characterData: true}); }"""
    )
    visitor.ask("What is DMT?")
    visitor.page.wait_for_timeout(300)
    spoken = visitor.page.evaluate("spoken.filter((text, place) => text !== spoken[place - 1])")
    assert spoken[0] == PAGE.working
    assert len(spoken) == 2
    assert EN.disclaimer in spoken[1]


# Keyboard


def test_the_tab_key_reaches_everything_in_order_and_leaves_again(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("What is DMT?")
    visitor.page.locator(".skip").focus()
    reached = ["skip"]
    for _ in range(60):
        visitor.page.keyboard.press("Tab")
        tag: str | None = visitor.page.evaluate(
            """() => { const e = document.activeElement;
                if (e === document.body) return null;
                const box = e.getBoundingClientRect(), style = getComputedStyle(e);
                const ringed = style.outlineStyle !== 'none';
                return ringed && box.width ? e.id || e.className.split(' ')[0] || e.closest('[id]').id : 'unseen'; }"""
        )
        if tag is None:
            break
        reached.append(tag)
    assert "unseen" not in reached
    controls = "[...document.querySelectorAll('a[href], button, summary, select, textarea')]"
    everything = visitor.page.evaluate(f"{controls}.filter(e => e.checkVisibility()).length")
    assert len(reached) == everything, reached
    assert len(set(reached)) > 6
    assert reached.index("askdmt-clear") < reached.index("askdmt-send")


def test_a_whole_conversation_by_keyboard(visit: Visit) -> None:
    visitor = visit()
    visitor.page.keyboard.press("Tab")
    assert visitor.has_focus(".skip")
    visitor.page.keyboard.press("Enter")
    assert visitor.has_focus("#askdmt-box textarea")
    visitor.page.keyboard.type("What is")
    visitor.page.keyboard.press("Shift+Enter")
    visitor.page.keyboard.type("DMT?")
    assert visitor.box.input_value() == "What is\nDMT?"
    visitor.page.keyboard.press("Enter")
    visitor.wait_for_answer(1)
    assert visitor.box.input_value() == ""
    assert visitor.has_focus("#askdmt-box textarea")
    assert visitor.page.locator(".question p").inner_text() == "What is\nDMT?"
    visitor.page.locator("a.cite").first.focus()
    visitor.page.keyboard.press("Enter")
    assert visitor.has_focus("summary")
    passage = visitor.page.locator("blockquote").first
    assert passage.is_visible()
    assert passage.inner_text() == CITATIONS[0].passage
    visitor.page.keyboard.press("Enter")
    assert passage.is_hidden()


@pytest.mark.parametrize("press", ["Enter", "Space"])
def test_focus_is_in_the_box_after_picking_an_example(visit: Visit, press: str) -> None:
    visitor = visit()
    visitor.box.fill("half a thought")
    visitor.page.locator("button.example:visible").nth(1).press(press)
    visitor.wait_for_answer(1)
    assert visitor.page.locator(".question p").inner_text() == EN.suggestions.default[1]
    assert visitor.has_focus("#askdmt-box textarea")
    assert visitor.box.input_value() == "half a thought"


def test_focus_is_in_the_box_after_the_send_button(visit: Visit) -> None:
    visitor = visit()
    visitor.box.fill("What is DMT?")
    visitor.page.get_by_role("button", name=PAGE.send).click()
    visitor.wait_for_answer(1)
    assert visitor.has_focus("#askdmt-box textarea")


def test_the_region_can_be_chosen_by_keyboard(visit: Visit, standin: StandIn) -> None:
    visitor = visit()
    visitor.page.get_by_label(PAGE.region_label).focus()
    visitor.page.keyboard.type("Ire")
    visitor.page.locator("#askdmt-lines").get_by_text("Pieta").wait_for()
    assert visitor.has_focus("#region")
    visitor.ask("crisis")
    assert standin.asked[-1][1] == "ie"


# What the controls do


def test_the_region_changes_the_panel_and_the_replies(visit: Visit, standin: StandIn) -> None:
    visitor = visit()
    panel = visitor.page.locator("#askdmt-lines")
    assert panel.get_by_role("link", name="Call 116 123").get_attribute("href") == "tel:116123"
    visitor.page.get_by_label(PAGE.region_label).select_option("United States")
    panel.get_by_text("988 Suicide & Crisis Lifeline").wait_for()
    assert panel.get_by_role("link", name="Call 911").is_visible()
    assert panel.get_by_text("Samaritans").count() == 0
    visitor.ask("crisis")
    assert standin.asked[-1][1] == "us"
    assert visitor.answers.last.get_by_text("988 Suicide & Crisis Lifeline").is_visible()


def test_the_help_panel_stands_in_the_same_place_in_every_state(visit: Visit) -> None:
    visitor = visit()
    place = "JSON.stringify(document.querySelector('#askdmt-help').getBoundingClientRect())"
    before = visitor.page.evaluate(place)
    for question in ("What is DMT?", "which dose?", "crisis", "please explode"):
        visitor.ask(question)
        visitor.page.wait_for_timeout(700)  # scrolling is smooth
        assert visitor.page.evaluate(place) == before
        assert visitor.page.get_by_role("link", name="Call 999").first.is_visible()


def test_on_a_phone_a_link_by_the_box_leads_to_the_help_lines(visit: Visit) -> None:
    visitor = visit(viewport=PHONE, reduced_motion="reduce")
    visitor.ask("What is DMT?")
    visitor.page.get_by_role("link", name=PAGE.help_heading).click()
    visitor.page.wait_for_function("document.querySelector('#help').getBoundingClientRect().top >= 0")
    assert visitor.has_focus("#askdmt-lines a")


def test_passages_stay_open_after_the_next_question(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("What is DMT?")
    visitor.page.locator("summary").nth(1).click()
    visitor.ask("which dose?")
    assert [tag.get_attribute("open") is not None for tag in visitor.page.locator("details").all()] == [False, True]


def test_stopping_gives_the_question_back(visit: Visit, standin: StandIn) -> None:
    visitor = visit()
    visitor.ask("What is DMT?")
    standin.hold.clear()
    visitor.box.fill("a slow question")
    visitor.box.press("Enter")
    stop = visitor.page.get_by_role("button", name=PAGE.stop)
    stop.wait_for()
    assert visitor.page.get_by_text(PAGE.working).first.is_visible()
    assert visitor.page.get_by_role("button", name=PAGE.send).count() == 0
    stop.click()
    visitor.page.get_by_text(PAGE.stopped).wait_for()
    standin.hold.set()
    visitor.page.wait_for_timeout(500)
    assert visitor.answers.count() == 1
    assert visitor.page.locator("article.working").count() == 0
    assert visitor.box.input_value() == "a slow question"
    assert visitor.has_focus("#askdmt-box textarea")
    visitor.box.press("Enter")
    visitor.wait_for_answer(2)


def test_a_visitor_says_whether_a_reply_helped_but_nobody_in_danger_is_asked(visit: Visit, address: str) -> None:
    visitor = visit()
    visitor.ask("crisis")
    visitor.ask("What is DMT?")
    button = visitor.page.get_by_role("button", name=EN.feedback.helpful, exact=True)
    expect(button).to_have_count(1)
    button.press("Enter")
    thanks = visitor.page.locator(".vote", has_text=EN.feedback.thanks)
    expect(thanks).to_have_count(1)
    expect(visitor.status).to_have_text(EN.feedback.thanks)
    assert visitor.has_focus("#askdmt-box textarea")
    assert faults(visitor) == []
    visitor.ask("What is DMT?")  # the conversation is drawn anew
    expect(thanks).to_have_count(1)
    expect(button).to_have_count(1)
    assert 'askdmt_feedback_total{helpful="yes"} 1.0' in httpx.get(f"{address}/metrics").text


def test_clearing_forgets_the_conversation(visit: Visit, standin: StandIn) -> None:
    visitor = visit()
    visitor.ask("What is DMT?")
    visitor.page.get_by_role("button", name=PAGE.clear).click()
    visitor.page.get_by_text(PAGE.cleared).wait_for()
    assert visitor.page.locator("article").count() == 0
    assert visitor.page.locator("button.example:visible").all_inner_texts() == list(EN.suggestions.default)
    assert visitor.has_focus("#askdmt-box textarea")
    visitor.ask("And now?")
    assert [message["content"] for message in standin.asked[-1][0]] == ["And now?"]


def test_the_download_holds_every_reply_with_its_disclaimer(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("What is <b>DMT</b>?")
    visitor.ask("crisis")
    sent = len(visitor.requests)
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("button", name=PAGE.download).click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert waiting.value.suggested_filename == "AskDMT.txt"
    assert text.startswith(PAGE.download_title)
    assert text.count(EN.disclaimer) == 2
    assert f"{PAGE.you}:\nWhat is <b>DMT</b>?" in text
    assert "Samaritans" in text
    assert CITATIONS[0].source in text
    assert all(url.startswith("blob:") for url in visitor.requests[sent:])


def test_suggestions_follow_the_reply_and_vanish_in_danger(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("which dose?")
    assert visitor.page.locator("button.example:visible").all_inner_texts() == list(EN.suggestions.refusal)
    visitor.ask("crisis")
    assert visitor.page.locator("button.example:visible").count() == 0
    assert visitor.page.get_by_text(PAGE.examples_label).count() == 0


def test_an_error_gives_help_lines_and_the_disclaimer(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("please explode")
    answer = visitor.answers.last.inner_text()
    assert EN.replies.error in answer
    assert EN.disclaimer in answer
    assert "Samaritans" in answer


def test_the_typed_text_is_kept_if_sending_fails(visit: Visit) -> None:
    visitor = visit()
    visitor.page.route("**/gradio_api/queue/join*", lambda route: route.abort())
    visitor.box.fill("a question that is not sent")
    visitor.box.press("Enter")
    visitor.page.get_by_text(EN.replies.error).wait_for()
    assert EN.disclaimer in visitor.status.inner_text()
    assert visitor.box.input_value() == "a question that is not sent"
    assert visitor.page.get_by_role("link", name="Call 999").is_visible()
    visitor.page.unroute_all()
    visitor.box.press("Enter")
    visitor.wait_for_answer(1)
    assert visitor.box.input_value() == ""
    visitor.troubles.clear()  # the failed request itself


def test_an_answer_that_is_lost_on_its_way_is_said_to_be_lost(visit: Visit) -> None:
    visitor = visit()
    visitor.page.route("**/gradio_api/queue/data*", lambda route: route.abort())
    visitor.box.fill("a question without an answer")
    visitor.box.press("Enter")
    visitor.page.get_by_text(EN.replies.error).wait_for()
    assert visitor.box.input_value() == "a question without an answer"
    visitor.page.unroute_all()
    visitor.box.press("Enter")
    visitor.wait_for_answer(1)
    assert visitor.box.input_value() == ""
    visitor.troubles.clear()  # the failed request itself


def test_an_error_that_gradio_notices_is_said_in_the_pages_words(visit: Visit) -> None:
    visitor = visit()
    visitor.page.route("**/gradio_api/queue/join*", lambda route: route.fulfill(status=503, json={"detail": "Full!"}))
    visitor.box.fill("one too many")
    visitor.box.press("Enter")
    visitor.page.get_by_text(EN.replies.error).wait_for()
    assert visitor.page.locator(".toast-wrap").is_hidden()
    assert visitor.box.input_value() == "one too many"
    assert faults(visitor) == []
    visitor.troubles.clear()


def test_an_empty_message_is_not_sent(visit: Visit, standin: StandIn) -> None:
    visitor = visit()
    visitor.page.get_by_role("button", name=PAGE.send).click()
    visitor.status.get_by_text(PAGE.message_placeholder).wait_for()
    assert standin.asked == []


def test_a_reply_in_another_language_is_marked(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("auf deutsch, crisis")
    assert visitor.answers.last.get_attribute("lang") == "de"
    assert visitor.status.get_attribute("lang") == "de"
    assert load_wording("de").disclaimer in visitor.answers.last.inner_text()


def test_two_visitors_do_not_see_each_other(visit: Visit, standin: StandIn) -> None:
    first, second = visit(), visit()
    first.ask("What is DMT?")
    second.ask("crisis")
    assert (first.answers.count(), second.answers.count()) == (1, 1)
    assert [len(said) for said, _ in standin.asked] == [1, 1]
    first.page.reload()
    first.box.wait_for()
    assert first.answers.count() == 0


PAYLOADS = [
    "<img src=x onerror=\"alert('run')\">",
    "<script>alert('run')</script>",
    "<svg/onload=alert('run')>",
    "[look](javascript:alert('run')) ![x](https://example.org/x.png)",
    "<iframe src=\"javascript:alert('run')\"></iframe><details open ontoggle=alert('run')>",
    "${alert('run')} {{constructor.constructor('alert(1)')()}} $alert$",
    "\"' autofocus onfocus=alert('run') x='",
]


def test_markup_in_questions_never_runs(visit: Visit) -> None:
    visitor = visit()
    for number, payload in enumerate(PAYLOADS):
        visitor.ask(payload)
        assert visitor.page.locator(".question p").nth(number).inner_text() == payload
    visitor.page.wait_for_timeout(300)
    assert visitor.page.locator("#askdmt-conversation :is(img, script, svg, iframe)").count() == 0
    assert visitor.page.locator("a[href^='javascript']").count() == 0


def test_the_policy_stops_handlers_even_if_markup_got_in(visit: Visit) -> None:
    visitor = visit()
    visitor.page.evaluate(
        """document.querySelector('#askdmt-conversation').insertAdjacentHTML('beforeend',
            '<img src="data:," onerror="window.ran = 1"><a id="bad" href="javascript:window.ran = 1">x</a>'); null"""
    )
    visitor.page.locator("#bad").click()
    visitor.page.wait_for_timeout(300)
    assert visitor.page.evaluate("window.ran") is None
    assert all("Content Security Policy" in trouble for trouble in visitor.troubles)
    assert len(visitor.troubles) >= 2
    visitor.troubles.clear()


def test_nothing_is_kept_in_the_browser(visit: Visit) -> None:
    visitor = visit()
    visitor.ask("a private question")
    kept: Any = visitor.page.evaluate(
        """async () => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href,
            (await indexedDB.databases()).map(base => base.name), await caches.keys()])"""
    )
    assert "private" not in kept
    assert visitor.page.context.cookies() == []


def test_a_closed_page_is_forgotten_by_the_server(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("askdmt.web.page.FORGET_CLOSED_AFTER", 0.2)

    def remembered() -> int:
        gc.collect()
        turns = (thing for thing in gc.get_objects() if type(thing) is Turn)  # isinstance would wake lazy modules
        return sum(turn.question.startswith("remember") for turn in turns)

    visitor = visit()
    visitor.ask("remember this?")
    assert remembered() == 1
    visitor.page.goto("about:blank")
    until = time.monotonic() + 10
    while remembered() and time.monotonic() < until:
        time.sleep(0.2)
    assert remembered() == 0
    visitor.requests.clear()


def test_a_long_conversation_drops_its_oldest_turns(visit: Visit) -> None:
    visitor = visit()
    for number in range(MOST_TURNS + 1):
        visitor.box.fill(f"question {number}")
        visitor.box.press("Enter")
        visitor.page.locator(f".question p:text-is('question {number}')").wait_for()
        visitor.page.locator("article.working").wait_for(state="detached")
    assert visitor.answers.count() == MOST_TURNS
    assert visitor.page.locator(".question p").first.inner_text() == "question 1"
