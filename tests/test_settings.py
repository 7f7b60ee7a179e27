"""Settings: the environment over the file over the defaults, and every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from askdmt.errors import SettingsError
from askdmt.settings import Settings, load_settings


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "askdmt.toml"
    monkeypatch.setenv("ASKDMT_CONFIG", str(path))
    return path


def test_without_settings_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASKDMT_CACHE")
    settings = load_settings()
    assert (settings.region, settings.language, settings.host, settings.port) == (
        "international",
        "en",
        "127.0.0.1",
        7860,
    )
    assert settings.knowledge is None
    assert settings.cache.name == "askdmt"


def test_an_option_wins_over_the_environment_and_that_over_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('region = "gb"\nport = 8000\noperator = "Clinic"\n')
    monkeypatch.setenv("ASKDMT_PORT", "8001")
    monkeypatch.setenv("ASKDMT_REGION", "us")
    settings = load_settings(region="au", host=None)
    assert (settings.operator, settings.port, settings.region) == ("Clinic", 8001, "au")
    assert settings.host == "127.0.0.1"


def test_the_file_in_the_working_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("askdmt.settings.CONFIG_FILE", "askdmt.toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "askdmt.toml").write_text('region = "gb"\n')
    assert load_settings().region == "gb"


@pytest.mark.parametrize("name", ["ASKDMT_REGOIN", "ASKDMT_"])
def test_an_unknown_variable_is_named_with_the_known_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "gb")
    with pytest.raises(SettingsError, match=f"Unknown setting {name}.*region") as caught:
        load_settings()
    assert "gb" not in caught.value.problem


def test_an_unknown_key_of_the_file_is_named_with_its_file(config: Path) -> None:
    config.write_text('regoin = "gb"\n')
    with pytest.raises(SettingsError, match="regoin") as caught:
        load_settings()
    assert str(config) in caught.value.problem


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(SettingsError, match="colour"):
        load_settings(colour="blue")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "70000"),
        ("PORT", "http"),
        ("REPLY_SECONDS", "0"),
        ("REPLY_SECONDS", "soon"),
        ("MAX_CHARACTERS", "10"),
        ("MAX_CHARACTERS", "1000000"),
    ],
)
def test_an_impossible_value_is_refused_with_its_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ASKDMT_{name}", value)
    with pytest.raises(SettingsError, match=f"The setting '{name.lower()}' does not fit"):
        load_settings()


def test_a_settings_file_that_is_named_must_exist(config: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist") as caught:
        load_settings()
    assert str(config) in str(caught.value)
    assert "ASKDMT_CONFIG" in caught.value.mend


@pytest.mark.parametrize("content", [b"region = \n", b"\xff\xfe", b"region = 'gb'\nregion = 'us'\n"])
def test_a_settings_file_that_is_no_toml_is_named(config: Path, content: bytes) -> None:
    config.write_bytes(content)
    with pytest.raises(SettingsError, match="Cannot read") as caught:
        load_settings()
    assert str(config) in caught.value.problem


@pytest.mark.parametrize("name", ["KNOWLEDGE", "CACHE", "REGION", "PORT", "CONFIG"])
def test_an_empty_variable_counts_as_not_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASKDMT_CACHE")
    usual = load_settings()
    monkeypatch.setenv(f"ASKDMT_{name}", "")
    assert load_settings() == usual


def test_an_empty_folder_in_the_file_means_the_one_that_ships(config: Path) -> None:
    config.write_text('knowledge = ""\n')
    assert load_settings().knowledge is None


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())
