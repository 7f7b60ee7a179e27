"""Serves a small assistant by `run`, as `askdmt serve` would, but with a fake encoder: `replica.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.settings import load_settings
from askdmt.web.server import run
from askdmt.web.warming import AssistantSource
from fakes import FakeEncoder, ScriptedClassifier, small_assistant

SETTINGS = load_settings()


def load() -> Assistant:
    given = {name: getattr(SETTINGS, name) for name in SETTINGS.model_fields_set - {"knowledge", "cache"}}
    return small_assistant(Path(sys.argv[1]), ScriptedClassifier(Decision.ANSWER), FakeEncoder(), **given)


run(AssistantSource(load), SETTINGS)
