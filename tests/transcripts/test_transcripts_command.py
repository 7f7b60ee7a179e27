"""`askdmt transcripts`: what a reviewer reads, and what is deleted."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from askdmt import cli
from askdmt.decisions import Decision
from askdmt.errors import InputError
from askdmt.reply import Reply
from askdmt.transcripts.store import Transcripts
from askdmt.wording import load_wording

TODAY = date.today()
EN = load_wording("en")


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, ["transcripts", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Reply]:
    """Replies whose transcripts are kept: an answer of long ago, and a refusal of today that did not help."""
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    monkeypatch.setenv("ASKDMT_TRANSCRIPTS_URL", url)
    old = EN.reply(Decision.ANSWER, "DMT is a psychedelic.")
    new = EN.reply(Decision.REFUSE_DOSING, "I can't help with amounts.")
    store = Transcripts(url, retention_days=30)
    store.keep("What is DMT?", old, "page", TODAY - timedelta(days=31))
    store.keep("And how much of it?", new, "embed", TODAY)
    store.vote(new.id, helpful=False)
    store.close()
    return [old, new]


def test_they_are_listed_oldest_first(kept: list[Reply]) -> None:
    lines = run("list").splitlines()
    assert [line.split()[1:] for line in lines[::2]] == [
        ["page", "answer", kept[0].id],
        ["embed", "refuse_dosing", kept[1].id],
    ]
    assert lines[1::2] == ["  'What is DMT?'", "  'And how much of it?'"]


@pytest.mark.parametrize("option", [["--unhelpful"], ["--decision", "refuse_dosing"]])
def test_they_can_be_picked(kept: list[Reply], option: list[str]) -> None:
    found = json.loads(run("list", "--json", *option))
    assert [(one["reply_id"], one["question"], one["helpful"]) for one in found] == [
        (kept[1].id, "And how much of it?", False)
    ]


@pytest.mark.usefixtures("kept")
def test_a_page_for_reviewers_is_for_their_eyes_only(tmp_path: Path) -> None:
    page = tmp_path / "review.html"
    run("list", "--page", str(page))
    assert page.stat().st_mode & 0o077 == 0
    assert "And how much of it?" in page.read_text(encoding="utf-8")


def test_purging_deletes_what_is_older_than_the_retention(kept: list[Reply]) -> None:
    assert run("purge") == "1 transcripts deleted.\n"
    assert [one["reply_id"] for one in json.loads(run("list", "--json"))] == [kept[1].id]


@pytest.mark.parametrize(("all_of_them", "left"), [(False, 1), (True, 0)])
def test_one_or_all_can_be_deleted(kept: list[Reply], all_of_them: bool, left: int) -> None:
    run("purge", *(["--all"] if all_of_them else ["--reply", kept[1].id]))
    assert len(json.loads(run("list", "--json"))) == left


def test_where_none_are_kept_it_says_how_to_keep_them() -> None:
    with pytest.raises(InputError, match="transcripts_url"):
        CliRunner().invoke(cli.app, ["transcripts", "list"], catch_exceptions=False)
