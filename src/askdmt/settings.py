"""Settings: `ASKDMT_*` in the environment over `askdmt.toml` over the defaults below."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from askdmt.errors import SettingsError

CONFIG_FILE = "askdmt.toml"
_PREFIX = "ASKDMT_"
_CONFIG_VARIABLE = "ASKDMT_CONFIG"


class Settings(BaseSettings):
    """Every key an operator may set; an unknown key is an error that names it."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    region: str = Field("international", description="Region of the help lines, a key of support_lines.yaml.")
    language: str = Field("en", description="Language of the page's own words; replies follow the visitor.")
    operator: str = Field("", description="Name of the organisation that runs this assistant, shown to visitors.")
    contact: str = Field("", description="How to reach a person there, shown when somebody asks for one.")
    knowledge: Path | None = Field(None, description="Folder of reviewed sections; empty means the one that ships.")
    cache: Path = Field(
        default_factory=lambda: user_cache_path("askdmt"), description="Folder for what can be built again."
    )
    encoder: str = Field("", description="Name or path of a sentence-transformers model; empty means the packaged one.")
    chroma_url: str = Field("", description="Address of a shared Chroma server; empty means an embedded store.")
    host: str = Field("127.0.0.1", description="Address the server listens on.")
    port: int = Field(7860, ge=1, le=65535, description="Port the server listens on.")
    max_characters: int = Field(4000, ge=200, le=20_000, description="Longest message that is read, in characters.")
    reply_seconds: float = Field(20.0, gt=0, le=300, description="Time limit of one reply, in seconds.")

    @field_validator("knowledge", mode="before")
    @classmethod
    def _empty_means_shipped(cls, value: object) -> object:
        return None if value == "" else value


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` (command-line options) win, None meaning not given.

    Raises:
        SettingsError: an unknown key, an impossible value, or a settings file that is not TOML; names it.
    """
    named = os.environ.get(_CONFIG_VARIABLE)
    file = Path(named or CONFIG_FILE)
    in_file = _read_file(file, required=bool(named))
    in_environment = _read_environment()
    given = {key: value for key, value in overrides.items() if value is not None}
    for key in sorted({*in_file, *in_environment, *given} - set(Settings.model_fields)):
        origin = f"{_PREFIX}{key.upper()}" if key in in_environment else f"'{key}' in {file}"
        raise SettingsError(f"Unknown setting {origin}.", f"Known settings: {', '.join(Settings.model_fields)}.")
    try:
        return Settings(**{**in_file, **in_environment, **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"The setting '{name}' does not fit: {first['msg']}.", "Correct it and start again."
        ) from None


def _read_environment() -> dict[str, str]:
    """Return the variables by setting; an empty one counts as not set."""
    return {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(_PREFIX) and name != _CONFIG_VARIABLE and value
    }


def _read_file(path: Path, *, required: bool) -> dict[str, Any]:
    if not path.is_file():
        if required:
            raise SettingsError(f"The settings file {path} does not exist.", f"Correct {_CONFIG_VARIABLE}.")
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"Cannot read {path}: {error}.", "Correct the file.") from error
