"""Errors that AskDMT raises, each with a sentence that names the mend.

::

    AskDMTError
    ├── InputError          the caller's input cannot be read (wrong type, bad batch line)
    ├── SettingsError       an unknown key or an impossible value in the settings
    ├── ContentError        a file of `knowledge/` or `prompts/` is missing or does not fit its schema
    ├── EncoderError        the embedding model cannot be loaded
    ├── SearchIndexError    the vector store cannot be built or read
    ├── GuardrailError      a guardrail's data are missing or broken
    ├── BlockedError        a chain was to end at the input guard; has the reply to show
    ├── TranscriptsError    the database of transcripts cannot be opened, read or written
    └── ServeError          the server cannot start (port in use)

None of them ever quotes what a visitor wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from askdmt.reply import Reply


class AskDMTError(Exception):
    """Base of all errors raised on purpose; `mend` tells an operator what to do."""

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(f"{problem} {mend}".strip())
        self.problem = problem
        self.mend = mend


class InputError(AskDMTError):
    """The input is of the wrong type or shape."""


class SettingsError(AskDMTError):
    """A setting is unknown or has an impossible value."""


class ContentError(AskDMTError):
    """A file of the reviewed content is missing or broken."""


class EncoderError(AskDMTError):
    """The embedding model cannot be loaded."""


class SearchIndexError(AskDMTError):
    """The search index cannot be built or read."""


class GuardrailError(AskDMTError):
    """A guardrail has no data to decide with."""


class BlockedError(AskDMTError):
    """The input guard let no model be asked; `reply` is what to show instead."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"The input guard decided '{reply.decision}'.", "Show the text of this error's reply.")
        self.reply = reply


class TranscriptsError(AskDMTError):
    """The database of transcripts cannot be opened, read or written."""


class ServeError(AskDMTError):
    """The server cannot start."""
