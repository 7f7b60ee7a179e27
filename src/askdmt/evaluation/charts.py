"""Charts of a report as inline SVG; each has a text alternative, and a table beside it says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from askdmt.decisions import Decision
from askdmt.evaluation.metrics import Share

_BLUE, _GREY, _INK = "#1f5fa8", "#e6e9ed", "#1b1f24"


def interval_bars(figures: Mapping[str, Share], label: str) -> str:
    """Return one bar a figure, with its interval as a line."""
    rows = []
    for place, (name, share) in enumerate(figures.items()):
        y, (low, high) = 24 * place + 8, share.interval
        rows.append(
            f'<text x="290" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="300" y="{y}" width="400" height="16" fill="{_GREY}"/>'
            f'<rect x="300" y="{y}" width="{400 * share.value:.1f}" height="16" fill="{_BLUE}"/>'
            f'<line x1="{300 + 400 * low:.1f}" x2="{300 + 400 * high:.1f}" y1="{y + 8}" y2="{y + 8}" '
            f'stroke="{_INK}" stroke-width="2"/>'
            f'<text x="710" y="{y + 12}">{share.value:.1%}</text>'
        )
    return _svg("".join(rows), 780, 24 * len(figures) + 12, label)


def heat_map(counts: Mapping[tuple[Decision, Decision], int], label: str) -> str:
    """Return labels as rows, decisions as columns; the darker, the larger the share of the label."""
    totals = {row: sum(count for (given, _), count in counts.items() if given is row) for row in Decision}
    cells = []
    for down, row in enumerate(Decision):
        cells.append(f'<text x="190" y="{190 + 30 * down}" text-anchor="end">{row.value}</text>')
        for across, column in enumerate(Decision):
            count = counts.get((row, column), 0)
            share = count / totals[row] if totals[row] else 0.0
            x, y = 200 + 40 * across, 170 + 30 * down
            cells.append(
                f'<rect x="{x}" y="{y}" width="38" height="28" fill="{_BLUE}" fill-opacity="{share:.2f}" '
                f'stroke="{_GREY}"/>'
            )
            if count:
                ink = "#fff" if share > 0.5 else _INK
                cells.append(f'<text x="{x + 19}" y="{y + 19}" text-anchor="middle" fill="{ink}">{count}</text>')
    heads = "".join(
        f'<text transform="translate({224 + 40 * across},160) rotate(-60)">{column.value}</text>'
        for across, column in enumerate(Decision)
    )
    return _svg(heads + "".join(cells), 820, 180 + 30 * len(Decision), label)


def reliability(bins: Sequence[tuple[float, Share]], label: str) -> str:
    """Return the share that was right over the mean score, a dot for each tenth, with its interval."""
    dots = "".join(
        f'<line x1="{50 + 300 * mean:.1f}" x2="{50 + 300 * mean:.1f}" y1="{320 - 300 * share.interval[0]:.1f}" '
        f'y2="{320 - 300 * share.interval[1]:.1f}" stroke="{_INK}"/>'
        f'<circle cx="{50 + 300 * mean:.1f}" cy="{320 - 300 * share.value:.1f}" r="5" fill="{_BLUE}"/>'
        for mean, share in bins
    )
    axes = (
        f'<rect x="50" y="20" width="300" height="300" fill="none" stroke="{_INK}"/>'
        f'<line x1="50" y1="320" x2="350" y2="20" stroke="{_INK}" stroke-dasharray="4"/>'
        '<text x="200" y="345" text-anchor="middle">score</text>'
        '<text transform="translate(30,170) rotate(-90)" text-anchor="middle">share right</text>'
    )
    return _svg(axes + dots, 380, 355, label)


def _svg(inside: str, width: int, height: int, label: str) -> str:
    return f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" width="{width}">{inside}</svg>'
