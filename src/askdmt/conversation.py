"""Messages so far, and which question the last one asks when read with the ones before it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from askdmt.errors import InputError
from askdmt.guardrails.rules import asks_if_safe

ROLES = ("user", "assistant", "system")
_REMEMBERED = 8  # visitor messages before the last that still count
_MOST_READ = 4000  # characters of the assistant's last turn, from its end
_SHORT = 7  # words up to which a message may lean on what came before
_LEANS = re.compile(
    r"^(?:and|but|so|or|ok|okay|then|also|plus|what about|how about|why|really)\b"
    r"|\b(?:it|its|it's|that|thats|that's|this|they|them|their|those|these|he|she|there|one|ones|both|either|same|else)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a visitor has written: the last message and the ones before it, oldest first.

    Of the assistant's turns nothing is kept but whether the last one asked if somebody is safe: a forged one can only
    make the guard stricter.
    """

    last: str
    before: tuple[str, ...] = ()
    asked_if_safe: bool = False

    @classmethod
    def of(cls, said: str | Sequence[Mapping[str, Any]]) -> Conversation:
        """Read a message, or messages as `{"role", "content"}`; only the visitor's own count.

        Raises:
            InputError: it is neither, a role is unknown, a content is no text, or the visitor has said nothing.
        """
        if isinstance(said, str):
            return cls(said)
        if not isinstance(said, Sequence) or isinstance(said, bytes | bytearray):
            raise InputError("A message must be text, or a list of messages.", 'Give {"role": "user", "content": "…"}.')
        turns = [(role, text) for role, text in map(_read, said) if role != "system"]
        texts = [text for role, text in turns if role == "user"]
        if not texts:
            raise InputError("There is no message with the role 'user'.", "Add what the visitor wrote.")
        end = max(place for place, (role, _) in enumerate(turns) if role == "user")
        answered = end > 0 and turns[end - 1][0] == "assistant"
        asked_if_safe = answered and asks_if_safe(turns[end - 1][1][-_MOST_READ:])
        return cls(texts[-1], tuple(texts[-1 - _REMEMBERED : -1]), asked_if_safe)

    @property
    def leans_on_before(self) -> bool:
        """Whether the last message can only be understood with the ones before it."""
        return bool(self.before) and (len(self.last.split()) <= _SHORT or bool(_LEANS.search(self.last)))

    def standalone(self) -> str:
        """Return the last message with the visitor's message before it, for the search."""
        return " ".join([*self.before[-2:], self.last])


def _read(message: Any) -> tuple[str, str]:
    if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
        raise InputError("A message must have 'role' and 'content'.", 'Give {"role": "user", "content": "…"}.')
    role, content = message["role"], message["content"]
    if role not in ROLES:
        raise InputError("A message has an unknown role.", f"Use one of {', '.join(ROLES)}.")
    if not isinstance(content, str):
        raise InputError("A message's content must be text.", "Send attachments as text, or leave them out.")
    return role, content
