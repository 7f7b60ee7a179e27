"""What every test stands on: no settings of this machine, a cache of its own, no network, and the real assistant."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from fakes import FakeEncoder, ScriptedClassifier, small_assistant


def pytest_runtest_setup(item: pytest.Item) -> None:
    if not item.get_closest_marker("enable_socket"):
        socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide this machine's settings, and keep what is built in a cache of this run."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith("ASKDMT_")]:
            patch.delenv(name)
        patch.setenv("ASKDMT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("askdmt.settings.CONFIG_FILE", str(tmp_path_factory.mktemp("config") / "askdmt.toml"))
        yield


@pytest.fixture(scope="session")
def assistant(own_environment: None) -> Assistant:  # noqa: ARG001
    """The assistant as it ships."""
    return Assistant.load()


@pytest.fixture
def classifier() -> ScriptedClassifier:
    """The judge of `quick`; set its `label` to what it shall think."""
    return ScriptedClassifier(Decision.ANSWER)


@pytest.fixture
def quick(tmp_path: Path, classifier: ScriptedClassifier) -> Assistant:
    """An assistant over two small sections, with a fake encoder and a scripted judge."""
    return small_assistant(tmp_path / "small", classifier, FakeEncoder())
