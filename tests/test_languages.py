"""Which languages the fixed replies come in."""

from __future__ import annotations

from pathlib import Path

import pytest

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.errors import SettingsError
from askdmt.settings import Settings
from fakes import FakeEncoder, ScriptedClassifier, small_assistant

GERMAN = "Ich denke daran, mir das Leben zu nehmen, und ich weiß nicht mehr weiter."


@pytest.mark.parametrize(
    ("languages", "expected"), [((), "de"), (("en", "de"), "de"), (("en", "fr"), "en")], ids=["all", "listed", "not"]
)
def test_a_reply_comes_in_the_visitors_language_if_it_is_offered(
    languages: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    assistant = small_assistant(tmp_path, ScriptedClassifier(Decision.CRISIS), FakeEncoder(), languages=languages)
    reply = assistant.reply(GERMAN)
    assert (reply.decision, reply.language) == (Decision.CRISIS, expected)


def test_a_language_without_replies_stops_the_start() -> None:
    with pytest.raises(SettingsError, match=r"no replies in 'xx'.*Known languages: de, en"):
        Assistant.load(Settings(languages=["en", "xx"]))
