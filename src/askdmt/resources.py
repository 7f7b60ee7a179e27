"""Where the reviewed content lies: beside the source tree in a checkout, inside the package in an installed wheel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from askdmt.errors import ContentError

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent.parent
GUARDRAIL_DATA = _PACKAGE / "guardrails" / "data"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same safe loader in C, where libyaml is there
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def content_folder(name: str) -> Path:
    """Return the folder `knowledge` or `prompts`.

    Raises:
        ContentError: neither the package nor the checkout has it.
    """
    for parent in (_PACKAGE / "_content", _CHECKOUT):
        if (folder := parent / name).is_dir():
            return folder
    raise ContentError(f"The folder '{name}' is missing.", "Reinstall askdmt, or run it from a whole checkout.")


def read_text(path: Path) -> str:
    """Read a UTF-8 file.

    Raises:
        ContentError: it cannot be read; names the file.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ContentError(f"Cannot read {path}: {reason}.", "Restore the file or correct its encoding.") from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        ContentError: it is missing or is not YAML; names the file and line.
    """
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML text that stands in `where`."""
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506
    except yaml.YAMLError as error:
        raise ContentError(f"{where} is not valid YAML: {error}.", "Correct the file.") from error


def placeholders(text: str) -> set[str]:
    """Return the names that stand in {braces}."""
    return set(_PLACEHOLDER.findall(text))


def without_placeholders(text: str) -> str:
    """Return a text without the names that stand in {braces}."""
    return _PLACEHOLDER.sub("", text)


def first_problem(error: ValidationError) -> str:
    """Return where a file does not fit its schema and why, as 'key.key: reason'."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
