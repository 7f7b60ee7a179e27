"""The page's colours, reckoned from its style sheet: axe cannot tell behind gradients and pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from askdmt.web import server

SHEET = (Path(server.__file__).parent / "page.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", SHEET, re.DOTALL)
)
GROUNDS = ["ground", "surface", "tint", "warm"]
PAIRS = [(ink, ground, 4.5) for ink in ("ink", "soft-ink", "accent", "accent-strong") for ground in GROUNDS]
PAIRS += [("on-accent", "accent", 4.5), ("on-accent", "accent-strong", 4.5)]
PAIRS += [("edge", ground, 3.0) for ground in GROUNDS if ground != "tint"]
PAIRS += [("focus", ground, 3.0) for ground in GROUNDS] + [("warm-edge", "ground", 3.0)]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_contrast(scheme: dict[str, str], front: str, back: str, least: float) -> None:
    bright, dim = sorted((luminance(scheme[front]), luminance(scheme[back])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= least


def test_the_style_sheet_loads_nothing() -> None:
    assert "url(" not in SHEET
    assert "@import" not in SHEET
    assert "@font-face" not in SHEET
