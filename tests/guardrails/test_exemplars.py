"""The datasheet of the exemplars counts what is there."""

from __future__ import annotations

import re
from collections import Counter

from askdmt.guardrails.exemplars import FOLDER, load_exemplars


def test_the_datasheet_counts_the_exemplars() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    exemplars = load_exemplars()
    counted = {name: int(count) for name, count in re.findall(r"^\| `([a-z_]+)` \| (\d+) \|$", page, re.MULTILINE)}
    assert counted == {label.value: count for label, count in Counter(item.label for item in exemplars).items()}
    assert f"{len(exemplars):,} labelled messages in {len({item.family for item in exemplars}):,} families" in page


def test_there_are_enough_of_each_kind() -> None:
    exemplars = load_exemplars()
    assert len(exemplars) >= 8000
    assert sum(item.family.startswith("dialogs:") for item in exemplars) >= 600
    assert sum(not item.is_english for item in exemplars) >= 1500
