"""Shows a knowledge check to people in a terminal."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from askdmt.knowledge.check import Finding, Report

_COLOUR = {"error": "red", "warning": "yellow"}


def render(report: Report) -> RenderableType:
    """Return a table of the findings, errors first, and a line that sums them up."""
    summary = Text(_summary(report), style="green" if report.ok else "red")
    return Group(_table(report.findings), summary) if report.findings else summary


def show(report: Report, console: Console | None = None) -> None:
    """Print a report."""
    (console or Console()).print(render(report))


def _table(findings: tuple[Finding, ...]) -> Table:
    table = Table("Where", "Rule", "Problem", "Mend")
    for finding in sorted(findings, key=lambda finding: finding.severity):
        where = finding.file if finding.paragraph is None else f"{finding.file} ¶{finding.paragraph}"
        rule = Text(f"{finding.severity}: {finding.rule}", style=_COLOUR[finding.severity])
        # Text, not str: a stray '[' in a file is content, not rich markup
        table.add_row(Text(where), rule, Text(finding.problem), Text(finding.mend))
    return table


def _summary(report: Report) -> str:
    errors = sum(finding.severity == "error" for finding in report.findings)
    warnings = len(report.findings) - errors
    return (
        f"{report.sections} sections, {report.passages} paragraphs, hardest reading grade {report.worst_grade:.1f}: "
        f"{errors} errors, {warnings} warnings."
    )
