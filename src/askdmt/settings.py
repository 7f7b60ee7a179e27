"""Settings: `ASKDMT_*` in the environment over `askdmt.toml` over the defaults below.

`python -m askdmt.settings docs/settings.md` writes their table into that page.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from askdmt.errors import ContentError, SettingsError

CONFIG_FILE = "askdmt.toml"
_PREFIX = "ASKDMT_"
_CONFIG_VARIABLE = "ASKDMT_CONFIG"
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")
_LEAST_CONTRAST = 5.5  # with white; on the page's tinted grounds that leaves the 4.5 of WCAG 2.2, 1.4.3
_TABLE = re.compile(r"(<!-- settings -->\n).*(<!-- /settings -->)", re.DOTALL)


def _split(value: object) -> object:
    """Read a list as the environment gives it: items between commas or spaces."""
    return re.split(r"[,\s]+", value.strip(" ,")) if isinstance(value, str) and value.strip(" ,") else value or ()


def _origin(value: str) -> str:
    origin = value.lower().rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("an origin is a scheme and a host, such as https://www.clinic.example")
    return origin


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value, strict=False))


def _readable(colour: str) -> str:
    """Refuse a colour on which white letters cannot be read."""
    if colour and (contrast := _contrast_with_white(colour)) < _LEAST_CONTRAST:
        raise ValueError(
            f"its contrast with white is {contrast:.1f}; choose a darker one, with {_LEAST_CONTRAST} or more"
        )
    return colour


def _contrast_with_white(colour: str) -> float:
    """Return the contrast ratio of WCAG 2 between `#rrggbb` and white, 1 to 21."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


_Split = BeforeValidator(_split)
_Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, _Split]
_Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, _Split]
_Languages = Annotated[tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...], NoDecode, _Split]


class Settings(BaseSettings):
    """Every key an operator may set; an unknown key is an error that names it."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    # What visitors see
    region: str = Field("international", description="Region of the help lines, a key of support_lines.yaml.")
    language: str = Field("en", description="Language of the page's own words; replies follow the visitor.")
    languages: _Languages = Field(
        (), description="Languages that fixed replies may come in; empty means every one there is."
    )
    operator: str = Field("", description="Name of the organisation that runs this assistant, shown to visitors.")
    contact: str = Field("", description="How to reach a person there, shown when somebody asks for one.")
    title: str = Field("", max_length=60, description="Title of the pages; empty means the one in prompts/.")
    greeting: str = Field(
        "", max_length=300, description="First line under the title; empty means the one in prompts/."
    )
    colour: Annotated[str, AfterValidator(_readable)] = Field(
        "", pattern="^(#[0-9a-fA-F]{6})?$",
        description="Colour of buttons and links as `#rrggbb`, dark enough for white letters; empty means ours.",
    )  # fmt: skip

    # What it answers from
    knowledge: Path | None = Field(None, description="Folder of reviewed sections; empty means the one that ships.")
    knowledge_beside: bool = Field(
        False, description="Whether the sections of `knowledge` stand beside the ones that ship, not instead of them."
    )
    cache: Path = Field(
        default_factory=lambda: user_cache_path("askdmt"), description="Folder for what can be built again."
    )
    encoder: str = Field("", description="Name or path of a sentence-transformers model; empty means the packaged one.")
    chroma_url: str = Field("", description="Address of a shared Chroma server; empty means an embedded store.")

    # The optional language model
    llm: str = Field(
        "", pattern=r"^([a-z][a-z_]*:\S+)?$",
        description="Language model that writes drafts, as `provider:model`; empty means none, only reviewed passages.",
    )  # fmt: skip
    llm_base_url: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="Address of the model's server; empty means the provider's own."
    )
    llm_seconds: float = Field(
        12.0, gt=0, le=300, description="Time limit of one draft, in seconds; `reply_seconds` bounds it too."
    )
    llm_max_tokens: int = Field(500, ge=50, le=8000, description="Longest draft, in tokens.")
    llm_max_tokens_day: int = Field(
        0,
        ge=0,
        description="Tokens that drafts may use in a day (UTC), in and out, for each process; 0 means no limit.",
    )
    llm_price_in: float = Field(0.0, ge=0, description="Price of a million tokens that are sent to the model.")
    llm_price_out: float = Field(0.0, ge=0, description="Price of a million tokens that the model writes.")
    llm_max_cost_day: float = Field(
        0.0, ge=0, description="What drafts may cost in a day (UTC), for each process; 0 means no limit. Needs prices."
    )
    llm_rewrite: bool = Field(
        False, description="Whether the model makes follow-up questions self-standing before they are looked up."
    )
    llm_tracing: bool = Field(
        False, description="Whether LangSmith's variables are obeyed, so that questions and drafts may be sent there."
    )

    # Where it is served
    host: str = Field("127.0.0.1", description="Address the server listens on.")
    port: int = Field(7860, ge=1, le=65535, description="Port the server listens on.")
    root_path: str = Field(
        "", pattern=r"^(/[A-Za-z0-9_~-]+)*$",
        description="Path under which a proxy shows the server, such as `/ask`; empty means the root of a host.",
    )  # fmt: skip
    allowed_origins: _Origins = Field(
        (), description="Sites that may show the embedded page and call the API from a browser; empty means none."
    )
    trusted_proxies: _Networks = Field(
        (), description="Addresses or networks of proxies whose `X-Forwarded-*` headers are believed; empty means none."
    )

    # Limits
    max_characters: int = Field(4000, ge=200, le=20_000, description="Longest message that is read, in characters.")
    max_messages: int = Field(
        40,
        ge=1,
        le=200,
        description="Messages of a conversation that are read, the last ones; older ones are left out.",
    )
    max_body_bytes: int = Field(65_536, ge=4096, le=2**24, description="Largest body of a request, in bytes.")
    request_seconds: float = Field(
        10.0, gt=0, le=300, description="Time limit for a request to arrive, head and body each, in seconds."
    )
    reply_seconds: float = Field(20.0, gt=0, le=300, description="Time limit of one reply, in seconds.")
    warm_up_seconds: float = Field(
        10.0, ge=0, le=300, description="How long a question waits while the models are being loaded, in seconds."
    )
    max_concurrent: int = Field(
        64,
        ge=1,
        le=1000,
        description="Questions that are answered or wait at the same time; one more is told to come back.",
    )
    rate_limit: str = Field(
        "30/minute", pattern=r"^(off|[1-9]\d*/([1-9]\d* )?(second|minute|hour|day)s?)$",
        description="Questions that one visitor may ask in a time, such as `30/minute`; `off` means no limit.",
    )  # fmt: skip
    rate_limit_storage: str = Field(
        "memory://", pattern=r"^(memory://|rediss?://.+)$", repr=False,
        description="Where questions are counted: `memory://`, each process by itself, or the URL of a shared Redis.",
    )  # fmt: skip
    rate_limit_secret: SecretStr = Field(
        SecretStr(""),
        description="What visitors' addresses are hashed with, the same where a Redis is shared; empty means random.",
    )

    # What is kept and reported
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    log_format: Literal["json", "console"] = Field("json", description="`json` for machines, `console` for people.")
    metrics: bool = Field(True, description="Whether `/metrics` is served.")
    transcripts_url: str = Field(
        "", repr=False, description="Database for redacted transcripts, as SQLAlchemy's URL; empty means none are kept."
    )
    retention_days: int = Field(30, ge=1, le=3650, description="Days after which a transcript is deleted.")
    feedback: bool = Field(False, description="Whether visitors may say if a reply helped.")
    reload_token: SecretStr = Field(
        SecretStr(""), description="Secret for reloading the knowledge over HTTP; empty means that is off."
    )

    @field_validator("knowledge", mode="before")
    @classmethod
    def _empty_means_shipped(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("llm_max_cost_day")
    @classmethod
    def _cost_needs_prices(cls, value: float, info: ValidationInfo) -> float:
        if value and not (info.data.get("llm_price_in") or info.data.get("llm_price_out")):
            raise ValueError("a cost needs prices: set llm_price_in and llm_price_out")
        return value

    @field_validator("root_path", mode="before")
    @classmethod
    def _without_last_slash(cls, value: object) -> object:
        return value.rstrip("/") if isinstance(value, str) else value


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


def settings_table() -> str:
    """Return every setting as a row of a Markdown table."""
    rows = [
        f"| `{_PREFIX}{name.upper()}` | `{name}` | {_default(name)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| environment | in `askdmt.toml` | default | meaning |", "| --- | --- | --- | --- |", *rows, ""])


def _default(name: str) -> str:
    """Return a default as one would write it in TOML."""
    value = Settings.model_fields[name].default
    if value is PydanticUndefined:
        return "the user's cache folder for `askdmt`"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "none" if value is None else f"`{json.dumps(value)}`"


def write_table(page: Path) -> None:
    """Put the table between the marks `<!-- settings -->` and `<!-- /settings -->` of a page.

    Raises:
        ContentError: the page has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    if not _TABLE.search(text):
        raise ContentError(f"{page} has no place for the table.", "Write <!-- settings --> and <!-- /settings -->.")
    page.write_text(_TABLE.sub(lambda marks: f"{marks[1]}{settings_table()}{marks[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    write_table(Path(sys.argv[1]))
