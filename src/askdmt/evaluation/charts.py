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


def curves(lines: Mapping[str, Sequence[tuple[float, float]]], axes: tuple[str, str], label: str) -> str:
    """Return lines of (x, y) points from the origin, each with its name at its end; `axes` names x and y."""
    points = [point for line in lines.values() for point in line]
    most_x, most_y = (max((point[place] for point in points), default=0.0) or 1.0 for place in (0, 1))
    drawn = [f'<path d="M60 20V300H560" fill="none" stroke="{_INK}"/>']
    for share in (0.25, 0.5, 0.75, 1.0):
        x, y = 60 + 500 * share, 300 - 270 * share
        drawn.append(
            f'<line x1="60" y1="{y:.1f}" x2="560" y2="{y:.1f}" stroke="{_GREY}"/>'
            f'<text x="54" y="{y + 4:.1f}" text-anchor="end">{most_y * share:.3g}</text>'
            f'<text x="{x:.1f}" y="318" text-anchor="middle">{most_x * share:.3g}</text>'
        )
    for place, (name, line) in enumerate(lines.items()):
        at = [(60 + 500 * x / most_x, 300 - 270 * y / most_y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        dashes = f' stroke-dasharray="{4 * place} {2 * place}"' if place else ""
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{_BLUE}" stroke-width="2"{dashes}/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_BLUE}"/>' for x, y in at]
        if at:
            drawn.append(f'<text x="{at[-1][0] + 8:.1f}" y="{at[-1][1] + 4:.1f}">{escape(name)}</text>')
    drawn.append(
        f'<text x="310" y="340" text-anchor="middle">{escape(axes[0])}</text>'
        f'<text transform="translate(16,160) rotate(-90)" text-anchor="middle">{escape(axes[1])}</text>'
    )
    return _svg("".join(drawn), 640, 350, label)


def _svg(inside: str, width: int, height: int, label: str) -> str:
    return f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" width="{width}">{inside}</svg>'
