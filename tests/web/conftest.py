"""The page on a stand-in for the assistant, and visitors to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from standin import StandIn
from visitor import Visitor, serving

from askdmt.web.server import create_app

CHROMIUM = "/usr/bin/chromium"
SWITCHES = (
    "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="module")
def standin() -> StandIn:
    return StandIn(feedback=True)


@pytest.fixture(scope="module")
def address(standin: StandIn) -> Iterator[str]:
    with serving(create_app(standin, standin.settings)) as where:
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser, address: str, standin: StandIn) -> Iterator[Callable[..., Visitor]]:
    """Open the page; keyword arguments are those of a browser context. Nothing may go wrong while it is open."""
    standin.hold.set()
    standin.asked.clear()
    visitors: list[Visitor] = []

    def open_page(**context: Any) -> Visitor:
        page = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}).new_page()
        visitors.append(Visitor(page, address))
        return visitors[-1]

    yield open_page
    for visitor in visitors:
        visitor.page.context.close()
        assert visitor.troubles == []
        assert all(url.startswith((address, "blob:", "data:")) for url in visitor.requests)
