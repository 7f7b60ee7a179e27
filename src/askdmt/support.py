"""Help lines by region, from `knowledge/support_lines.yaml`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from askdmt.errors import ContentError, SettingsError
from askdmt.reply import SupportLine
from askdmt.resources import first_problem, read_yaml
from askdmt.wording import SupportWords

INTERNATIONAL = "international"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmergencyNumber(_Model):
    """The number to call when somebody is in danger now."""

    call: str
    also: str | None = None
    source: str | list[str]
    checked: date

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers, the region's own first."""
        return (self.call, self.also) if self.also else (self.call,)


class HelpLine(_Model):
    """One line that people staff."""

    name: str
    purpose: str = Field(alias="for")  # crisis, drugs, young, ...
    call: str | None = None
    text: str | None = None
    chat: str | None = None
    hours: str | None = None
    source: str | list[str]
    checked: date


class Region(_Model):
    """The lines of one region."""

    name: str
    emergency: EmergencyNumber | None = None
    poison: HelpLine | None = None
    lines: list[HelpLine]


class SupportDirectory(_Model):
    """All regions; `international` always exists and has an emergency number."""

    checked: date
    regions: dict[str, Region]

    def region(self, key: str) -> Region:
        """Return one region.

        Raises:
            SettingsError: there is no such region; names those there are.
        """
        try:
            return self.regions[key.lower()]
        except KeyError:
            known = ", ".join(self.regions)
            raise SettingsError(f"Unknown region '{key}'.", f"Known regions: {known}.") from None

    def emergency_numbers(self, key: str) -> tuple[str, ...]:
        """Return the numbers to call in a region, never none."""
        emergency = self.region(key).emergency or self.regions[INTERNATIONAL].emergency
        if emergency is None:
            raise ContentError(f"The region '{INTERNATIONAL}' has no emergency number.", "Add one.")
        return emergency.numbers

    def lines(self, key: str, words: SupportWords, *, poison: bool = False) -> tuple[SupportLine, ...]:
        """Return a region's emergency number and help lines, followed by the international lines."""
        region = self.region(key)
        emergency = SupportLine(words.emergency, region.name, words.alternative.join(self.emergency_numbers(key)))
        chosen = [(region.poison, region.name)] if poison and region.poison else []
        chosen += [(line, region.name) for line in region.lines]
        if key.lower() != INTERNATIONAL:
            fallback = self.regions[INTERNATIONAL]
            chosen += [(line, fallback.name) for line in fallback.lines]
        lines = (SupportLine(line.name, name, line.call, line.text, line.chat, line.hours) for line, name in chosen)
        return (emergency, *lines)


def load_support(path: Path) -> SupportDirectory:
    """Read and check the help lines.

    Raises:
        ContentError: the file is missing, broken, or has no usable `international` region.
    """
    raw: Any = read_yaml(path)
    try:
        directory = SupportDirectory.model_validate(raw)
    except ValidationError as error:
        raise ContentError(f"{path}: {first_problem(error)}.", "Correct the file.") from None
    if INTERNATIONAL not in directory.regions:
        raise ContentError(f"{path} has no region '{INTERNATIONAL}'.", "Add one: it is shown to everybody.")
    directory.emergency_numbers(INTERNATIONAL)
    return directory
