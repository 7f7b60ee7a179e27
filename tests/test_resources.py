"""Reading the content's files: what is missing or broken is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from askdmt import resources
from askdmt.errors import ContentError
from askdmt.resources import content_folder, placeholders, read_text, read_yaml


@pytest.mark.parametrize("name", ["knowledge", "prompts"])
def test_the_content_lies_in_the_checkout(name: str) -> None:
    assert content_folder(name).is_dir()


def test_an_installed_package_has_its_content_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_content" / "knowledge").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path)
    assert content_folder("knowledge") == tmp_path / "_content" / "knowledge"


def test_a_folder_that_is_missing_is_named_with_the_mend() -> None:
    with pytest.raises(ContentError, match=r"'nowhere' is missing\. Reinstall"):
        content_folder("nowhere")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"gone\.md: No such file"):
        read_text(tmp_path / "gone.md")
    with pytest.raises(ContentError, match="Is a directory"):
        read_text(tmp_path)
    (tmp_path / "latin.md").write_bytes("Käfer".encode("latin-1"))
    with pytest.raises(ContentError, match=r"latin\.md: it is not UTF-8"):
        read_text(tmp_path / "latin.md")


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\tx: 1", "a: !!python/object:os.system {}", "a: \x07"])
def test_yaml_that_does_not_parse_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ContentError, match=r"broken\.yaml is not valid YAML"):
        read_yaml(path)


def test_placeholders_are_the_names_in_braces() -> None:
    assert placeholders("Call {emergency} or {contact}, {emergency}; {not one} {}") == {"emergency", "contact"}
