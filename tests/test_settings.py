"""Settings: the environment over the file over the defaults, and every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest

from askdmt.errors import ContentError, SettingsError
from askdmt.settings import Settings, load_settings, settings_table, write_table


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
    with pytest.raises(SettingsError, match="colur"):
        load_settings(colur="blue")


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
        ("COLOUR", "teal"),
        ("COLOUR", "#9ad1d4"),
        ("ROOT_PATH", "ask"),
        ("ROOT_PATH", "/ask/../etc"),
        ("RATE_LIMIT", "many"),
        ("RATE_LIMIT_STORAGE", "sqlite:///counts"),
        ("MAX_BODY_BYTES", "10"),
        ("MAX_CONCURRENT", "0"),
        ("LOG_LEVEL", "loud"),
        ("RETENTION_DAYS", "0"),
    ],
)
def test_an_impossible_value_is_refused_with_its_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ASKDMT_{name}", value)
    with pytest.raises(SettingsError, match=f"The setting '{name.lower()}' does not fit"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://a.example/page"),
        ("ALLOWED_ORIGINS", "a.example"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("LANGUAGES", "english"),
    ],
)
def test_an_impossible_item_of_a_list_is_refused_with_its_place(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ASKDMT_{name}", value)
    with pytest.raises(SettingsError, match=rf"The setting '{name.lower()}\.0' does not fit"):
        load_settings()


def test_lists_come_from_the_file_and_from_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('allowed_origins = ["https://A.example/"]\nlanguages = ["en", "de"]\n')
    monkeypatch.setenv("ASKDMT_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")
    settings = load_settings()
    assert settings.allowed_origins == ("https://a.example",)
    assert settings.languages == ("en", "de")
    assert settings.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8")
    assert Settings().trusted_proxies == settings.trusted_proxies


def test_a_path_may_end_in_a_slash() -> None:
    assert Settings(root_path="/clinic/ask/").root_path == "/clinic/ask"
    assert Settings(root_path="/").root_path == ""


def test_no_secret_is_shown_when_settings_are_printed() -> None:
    secret = {"reload_token": "s3cret", "rate_limit_secret": "s3cret"}
    urls = {"rate_limit_storage": "redis://u:s3cret@host", "transcripts_url": "postgresql://u:s3cret@host/db"}
    assert "s3cret" not in repr(Settings(**secret, **urls))


def test_the_table_goes_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- settings -->\nold\n<!-- /settings -->\nafter\n")
    write_table(page)
    assert page.read_text() == f"before\n<!-- settings -->\n{settings_table()}<!-- /settings -->\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ContentError, match="no place for the table"):
        write_table(page)


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
