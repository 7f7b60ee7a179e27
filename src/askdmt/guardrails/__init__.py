"""Guardrails: each gives one frozen verdict with its reasons, and closes the reply when it cannot decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from askdmt.guardrails.input_guard import InputGuard, Verdict

__all__ = ["InputGuard", "Verdict"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from askdmt.guardrails import input_guard

        return getattr(input_guard, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
