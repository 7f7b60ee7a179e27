"""The prompts for language models, from `prompts/model/*.yaml`: each with an id, a version and declared variables."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from askdmt.errors import ContentError
from askdmt.resources import content_folder, first_problem, placeholders, read_yaml, without_placeholders

IDS = ("system", "answer", "general", "passage", "rewrite")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Prompt(BaseModel):
    """One prompt; what it says is changed in its file, and its version with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    version: int = Field(ge=1)
    variables: dict[str, str]  # name -> what stands there
    text: str = Field(min_length=1)

    @property
    def stamp(self) -> str:
        """Version and hash, by which a reply says what it was made with."""
        return f"{self.version}:{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"

    def fill(self, **values: str) -> str:
        """Return the text with its variables; a value is put in as it is and never read as a template.

        Raises:
            ContentError: a variable is missing, or one was given that the prompt does not declare.
        """
        if differing := sorted(set(values) ^ set(self.variables)):
            declared = ", ".join(self.variables)
            raise ContentError(
                f"The prompt '{self.id}' and the variable '{differing[0]}'.", f"It declares: {declared}."
            )
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.text)


@cache
def load_prompts(folder: Path | None = None) -> Mapping[str, Prompt]:
    """Read every prompt, by id.

    Raises:
        ContentError: a file is missing or does not fit, or its text and its declared variables differ; names it.
    """
    folder = folder or content_folder("prompts") / "model"
    return {key: _read(folder / f"{key}.yaml", key) for key in IDS}


def _read(path: Path, key: str) -> Prompt:
    try:
        prompt = Prompt.model_validate(read_yaml(path))
    except ValidationError as error:
        raise ContentError(f"{path}: {first_problem(error)}.", "Correct the file.") from None
    if prompt.id != key:
        raise ContentError(f"{path}: its id is '{prompt.id}'.", f"Write '{key}'.")
    used = placeholders(prompt.text)
    if undeclared := sorted(used - set(prompt.variables)):
        raise ContentError(f"{path}: the variable '{undeclared[0]}' is not declared.", "Declare it under 'variables'.")
    if unused := sorted(set(prompt.variables) - used):
        raise ContentError(f"{path}: the variable '{unused[0]}' is declared and not used.", "Delete it.")
    if set("{}") & set(without_placeholders(prompt.text)):
        raise ContentError(f"{path}: a brace that is no variable.", "Write it in words.")
    return prompt
