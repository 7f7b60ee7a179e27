"""AskDMT: patient information on DMT-assisted therapy for depression, cited and guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from askdmt.assistant import Assistant
    from askdmt.decisions import Decision
    from askdmt.reply import Reply

__all__ = ["Assistant", "Decision", "Reply"]
__version__ = "0.1.0"

_HOMES = {"Assistant": "askdmt.assistant", "Decision": "askdmt.decisions", "Reply": "askdmt.reply"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
