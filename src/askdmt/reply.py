"""What a visitor gets: a Reply, which cannot exist without its disclaimer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from askdmt.decisions import Decision


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that the body leans on, numbered as in the body's [n]."""

    n: int
    section: str
    title: str
    source: str
    url: str
    reviewed: date | None  # None: not reviewed yet
    passage: str
    signed: bool = False  # whether a clinician has signed the section


@dataclass(frozen=True, slots=True)
class SupportLine:
    """A help line: how to reach people who can help now."""

    name: str
    region: str
    call: str | None = None
    text: str | None = None
    chat: str | None = None
    hours: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply; `text` is what a person reads and copies, so the disclaimer must stand in it.

    Raises:
        ValueError: the disclaimer is empty, or `text` lacks the body or the disclaimer.
    """

    decision: Decision
    text: str
    body: str
    disclaimer: str
    citations: tuple[Citation, ...] = ()
    support: tuple[SupportLine, ...] = ()
    suggestions: tuple[str, ...] = ()
    language: str = "en"
    trace: Mapping[str, Any] | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if not self.disclaimer.strip():
            raise ValueError("a reply needs its disclaimer")
        if not self.body.strip():
            raise ValueError("a reply needs a body")
        if self.disclaimer not in self.text or self.body not in self.text:
            raise ValueError("a reply's text must contain its body and its disclaimer")

    def as_dict(self) -> dict[str, Any]:
        """Return the reply as it travels in JSON; `trace` only where it was asked for."""
        data = asdict(self)
        data["decision"] = self.decision.value
        for citation in data["citations"]:
            reviewed = citation["reviewed"]
            citation["reviewed"] = reviewed.isoformat() if reviewed else None
        if self.trace is None:
            del data["trace"]
        order = ("id", "decision", "text", "body", "disclaimer", "citations", "support", "suggestions", "language")
        return {key: data[key] for key in (*order, *(["trace"] if self.trace is not None else []))}
