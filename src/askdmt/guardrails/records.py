"""Reads the data files of the guardrails that have one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from askdmt.errors import GuardrailError
from askdmt.resources import read_text

T = TypeVar("T")


def load_records(folder: Path, build: Callable[[Any], T]) -> list[T]:
    """Build something of every line of a folder's files (or of one file), in a fixed order.

    Raises:
        GuardrailError: a line does not fit (`build` raised a ValueError, KeyError or TypeError); names file and line.
    """
    paths = [folder] if folder.is_file() else sorted(folder.glob("*.jsonl"))
    records = []
    for path in paths:
        for number, line in enumerate(read_text(path).splitlines(), start=1):
            try:
                records.append(build(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise GuardrailError(f"{path}, line {number}: {error}.", "Correct the line.") from None
    return records
