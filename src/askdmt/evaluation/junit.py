"""JUnit XML of an evaluation: one test case an item, for the tools that read such files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from askdmt.evaluation.metrics import Row
from askdmt.evaluation.output_guard import GuardResult
from askdmt.evaluation.runner import Result


def as_junit(results: Sequence[Result], checks: Sequence[GuardResult] = ()) -> str:
    """Return the results as one JUnit document; a wrong row is a failure, one without a reply an error."""
    root = ET.Element("testsuites", name="askdmt eval")
    for result in results:
        wrong = {row.item.id for row in result.misses}
        suite = ET.SubElement(
            root,
            "testsuite",
            name=result.dataset,
            tests=str(len(result.rows)),
            failures=str(len(wrong)),
            errors=str(len(result.failed)),
            skipped=str(len(result.unscored)),
        )
        for row in result.rows:
            _case(suite, result.dataset, row, row.item.id in wrong)
    for check in checks:
        counts = {"tests": len(check.rows), "failures": len(check.misses), "errors": len(check.failed)}
        suite = ET.SubElement(root, "testsuite", {"name": check.dataset} | {key: str(n) for key, n in counts.items()})
        for place in check.rows:
            case = ET.SubElement(suite, "testcase", classname=check.dataset, name=place.id)
            if place.failure:
                ET.SubElement(case, "error", message=place.failure)
            elif not place.is_right:
                ET.SubElement(case, "failure", message=f"wrongly {'withheld' if place.is_good else 'shown'}")
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _case(suite: ET.Element, dataset: str, row: Row, wrong: bool) -> None:
    case = ET.SubElement(suite, "testcase", classname=dataset, name=row.item.id)
    if row.failure:
        ET.SubElement(case, "error", message=row.failure)
    elif row.decision is None:
        ET.SubElement(case, "skipped", message="unscored: the reply tells of no decision")
    elif wrong:
        expected = "|".join(sorted(row.item.accept))
        ET.SubElement(case, "failure", message=f"expected {expected}, got {row.decision.value}")
