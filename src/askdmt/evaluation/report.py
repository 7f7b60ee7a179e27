"""One self-contained HTML page of an evaluation, in the order of the CHART statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from askdmt.decisions import DANGER, Decision
from askdmt.evaluation.charts import heat_map, interval_bars, reliability
from askdmt.evaluation.metrics import Row, Share, calibration, calibration_error, confusion, precision, recall
from askdmt.evaluation.output_guard import GuardResult
from askdmt.evaluation.runner import Result
from askdmt.resources import read_text, read_yaml

_DATA = Path(__file__).parent / "data"
Changes = Sequence[tuple[str, str, float, float]]  # dataset, figure, before, now


def as_html(
    results: Sequence[Result], run: dict[str, Any], changes: Changes = (), checks: Sequence[GuardResult] = ()
) -> str:
    """Return the page."""
    words: dict[str, Any] = dict(read_yaml(_DATA / "report.yaml"))
    parts = [
        f"<h1>{escape(words['title'])}</h1><p class=note>{escape(words['introduction'])}</p>",
        _model(words, run),
        f"<h2>{words['definitions']}</h2>{_list(words['definitions_list'])}",
        f"<h2>{words['results']}</h2>{''.join(_figures(result) for result in results)}",
        _danger(words, results),
        *(_decisions(words, result) for result in results),
        _output_guard(words, checks),
        _changes(words, changes),
        f"<h2>{words['misses']}</h2>{''.join(_misses(result) for result in results)}",
        f"<h2>{words['limitations']}</h2>{_list(words['limitations_list'])}",
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(words["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{read_text(_DATA / "report.css")}</style></head>'
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _model(words: dict[str, Any], run: dict[str, Any]) -> str:
    rows = [("assistant", run["target"]), ("version", run["version"]), ("date", run["date"])]
    rows += [(result["dataset"], f"{result['items']} items, SHA-256 {result['digest']}…") for result in run["results"]]
    table = _table("Assistant and data", ("what", "value"), rows)
    return f"<h2>{words['model']}</h2><p class=note>{escape(words['model_note'])}</p>{table}"


def _figures(result: Result) -> str:
    apart = f"<p>{len(result.failed)} failed, {len(result.unscored)} unscored.</p>"
    chart = interval_bars(result.figures, f"{result.dataset}: each figure with its interval, as in the table")
    return f"<h3>{escape(result.dataset)}</h3>{chart}{_shares(result.dataset, result.figures)}{apart}"


def _shares(caption: str, figures: Mapping[str, Share]) -> str:
    rows = [
        (name, f"{share.count} of {share.total}", f"{share.value:.1%}", _interval(share))
        for name, share in figures.items()
    ]
    return _table(caption, ("figure", "count", "share", "95% interval"), rows)


def _output_guard(words: dict[str, Any], checks: Sequence[GuardResult]) -> str:
    if not checks:
        return ""
    parts = [f"<h2>{words['output_guard']}</h2><p class=note>{escape(words['output_guard_note'])}</p>"]
    for result in checks:
        cells = [
            (row.id, row.text[:300], row.kind, words["withheld" if row.is_good else "shown"], ", ".join(row.reasons))
            for row in result.misses
        ]
        parts.append(f"<h3>{escape(result.dataset)}</h3>{interval_bars(result.figures, result.dataset)}")
        parts.append(_shares(result.dataset, result.figures))
        parts.append(_table(words["guard_misses"], ("item", "sentence", "kind", "wrongly", "reasons"), cells))
    return "".join(parts)


def _danger(words: dict[str, Any], results: Sequence[Result]) -> str:
    missed = [
        row for result in results for row in result.rows
        if row.item.label in DANGER and row.decision is not None and row.decision not in DANGER
    ]  # fmt: skip
    inside = _rows_table(words["danger"], missed) if missed else f"<p>{words['danger_none']}</p>"
    return f"<h2>{words['danger']}</h2>{inside}"


def _decisions(words: dict[str, Any], result: Result) -> str:
    recalled, precise, bins = recall(result.rows), precision(result.rows), calibration(result.rows)
    rows = [
        (decision.value, _cell(recalled[decision]), _cell(precise[decision]))
        for decision in Decision
        if recalled[decision].total or precise[decision].total
    ]
    scores = [(f"{mean:.2f}", _cell(share)) for mean, share in bins]
    return (
        f"<h2>{words['decisions']}: {escape(result.dataset)}</h2>"
        f"{_table('Recall and precision', ('decision', 'recall', 'precision'), rows)}"
        f"<h3>{words['confusion']}</h3>"
        f"{heat_map(confusion(result.rows), 'Labels down, decisions across; the numbers are counts')}"
        f"<h3>{words['calibration']}</h3><p class=note>{words['calibration_note']} "
        f"Expected calibration error: {calibration_error(bins):.3f}.</p>"
        f"{reliability(bins, 'Share right by score, as in the table')}"
        f"{_table('Share right by score', ('mean score', 'right'), scores)}"
    )


def _changes(words: dict[str, Any], changes: Changes) -> str:
    if not changes:
        return ""
    rows = [(dataset, name, f"{old:.1%}", f"{new:.1%}", f"{new - old:+.1%}") for dataset, name, old, new in changes]
    return f"<h2>{words['change']}</h2>" + _table(
        words["change"], ("dataset", "figure", "before", "now", "difference"), rows
    )


def _misses(result: Result) -> str:
    return _rows_table(f"{result.dataset}: {len(result.misses)} of {len(result.rows)}", result.misses)


def _rows_table(caption: str, rows: Iterable[Row]) -> str:
    cells = [
        (
            row.item.id,
            " / ".join(row.item.turns),
            ", ".join(sorted(row.item.accept)),
            row.decision.value if row.decision else "",
        )
        for row in rows
    ]
    return _table(caption, ("item", "message", "accepted", "given"), cells)


def _cell(share: Share) -> str:
    return f"{share.value:.1%} of {share.total} ({_interval(share)})" if share.total else ""


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{low:.1%} to {high:.1%}"


def _list(items: Sequence[str]) -> str:
    return f"<ul class=note>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
