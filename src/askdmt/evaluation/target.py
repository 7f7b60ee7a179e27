"""Asks an assistant behind an OpenAI-compatible address, and tells its decision from what it says."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from askdmt.decisions import Decision
from askdmt.errors import InputError
from askdmt.evaluation.datasets import Item
from askdmt.evaluation.metrics import Row

JUDGING = Path("evals") / "judging.yaml"
KEY = "EVAL_API_KEY"  # environment variable with the address's key, where it wants one
_TRIES = 3
_SECONDS = 60.0
_DISCLAIMER = re.compile(r"not (?:a substitute for )?(?:\w+ )?medical advice", re.IGNORECASE)

Rules = Sequence[tuple[Decision, re.Pattern[str]]]


class Target:
    """An assistant at `<address>/v1/chat/completions`."""

    def __init__(self, address: str, model: str = "askdmt", rules: Rules | None = None) -> None:
        root = address.rstrip("/").removesuffix("/chat/completions").removesuffix("/v1")
        self._url = f"{root}/v1/chat/completions"
        self._model = model
        self._rules = load_rules() if rules is None else rules

    def ask(self, item: Item) -> Row:
        """Return what it says to an item; a failure is a row of its own."""
        try:
            answer = self._post({"model": self._model, "messages": item.messages, "temperature": 0})
            text = str(answer["choices"][0]["message"]["content"] or "")
            own = answer.get("askdmt") or {}
            decision = Decision(own["decision"]) if "decision" in own else judge(text, self._rules)
        except Exception as error:  # whatever a foreign server does is its failure, not a wrong decision
            return Row(item, None, "", has_disclaimer=False, failure=type(error).__name__)
        return Row(item, decision, str(own.get("body", text)), has_disclaimer=bool(_DISCLAIMER.search(text)))

    def _post(self, body: Mapping[str, Any]) -> dict[str, Any]:
        import httpx

        key = os.environ.get(KEY)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        for tried in range(_TRIES):
            try:
                answer = httpx.post(self._url, json=body, headers=headers, timeout=_SECONDS)
                answer.raise_for_status()
                return dict(answer.json())
            except (httpx.TransportError, httpx.HTTPStatusError):
                if tried == _TRIES - 1:
                    raise
                time.sleep(0.2 * 4**tried)
        raise AssertionError("unreachable")


def judge(text: str, rules: Rules) -> Decision | None:
    """Return the first decision of which the text shows a sign, or None."""
    return next((decision for decision, pattern in rules if pattern.search(text)), None)


def load_rules(file: Path = JUDGING) -> Rules:
    """Read the patterns by which a decision is told from a text.

    Raises:
        InputError: the file cannot be read, or something in it does not fit.
    """
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [
            (Decision(name), re.compile(pattern, re.IGNORECASE))
            for name, patterns in raw.items()
            for pattern in patterns
        ]
    except (OSError, yaml.YAMLError, ValueError, AttributeError, TypeError, re.error) as error:
        raise InputError(f"Cannot use the judging rules in {file}.", "Run it from the project's root.") from error
