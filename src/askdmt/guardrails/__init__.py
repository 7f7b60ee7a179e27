"""Guardrails: each gives one frozen verdict with its reasons, and closes the reply when it cannot decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from askdmt.guardrails.input_guard import InputGuard, Verdict
    from askdmt.guardrails.output_guard import OutputGuard, SentenceVerdict

__all__ = ["InputGuard", "OutputGuard", "SentenceVerdict", "Verdict"]
_INPUT = ("InputGuard", "Verdict")


def __getattr__(name: str) -> Any:
    if name in __all__:
        from askdmt.guardrails import input_guard, output_guard

        return getattr(input_guard if name in _INPUT else output_guard, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
