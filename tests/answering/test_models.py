"""How a language model is asked: its limits, its rests, its budget, and what is never sent elsewhere."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import httpx
import langsmith
import pytest
from langsmith import utils as langsmith_utils

from askdmt.answering import models
from askdmt.answering.models import Breaker, Budget, LanguageModel, ModelFailure, load_chat_model
from askdmt.errors import SettingsError
from askdmt.settings import Settings, load_settings
from fakes import ScriptedModel

SAID = "zebra umbrella"


@pytest.fixture(autouse=True)
def own_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put back what is set in this process, and let no provider find a key."""
    for name in [*models._TRACING, "LANGSMITH_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY"]:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(models, "_WAIT_SECONDS", 0.001)
    langsmith_utils.get_env_var.cache_clear()
    yield
    langsmith_utils.get_env_var.cache_clear()


def language_model(model: ScriptedModel, **settings: Any) -> LanguageModel:
    return LanguageModel(model, Settings(llm="openai:scripted", **settings))


def ask(model: LanguageModel, seconds: float = 20) -> str:
    return "".join(model.tokens("You write.", SAID, seconds))


def failure_of(model: LanguageModel, seconds: float = 20) -> str:
    with pytest.raises(ModelFailure) as caught:
        ask(model, seconds)
    return caught.value.reason


def with_status(status: int) -> Exception:
    response = httpx.Response(status, request=httpx.Request("POST", "http://model.example"))
    return httpx.HTTPStatusError(SAID, request=response.request, response=response)


# From the settings to a model


@pytest.mark.parametrize("name", ["openai", "anthropic", "mistral", "mistralai", "google", "ollama"])
def test_every_provider_takes_our_limits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = models._PROVIDERS[models._ALIASES.get(name, name)].package.replace("-", "_")
    pytest.importorskip(package)
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(key, "k")
    address = "http://127.0.0.1:9/v1"
    chat = load_chat_model(Settings(llm=f"{name}:some-model", llm_base_url=address, llm_seconds=7, llm_max_tokens=321))
    told = {**chat.model_dump(), **chat._identifying_params}
    assert told["temperature"] == 0
    assert 321 in {told.get(key) for key in ("max_tokens", "max_output_tokens", "num_predict")}
    assert address in {str(value) for value in told.values()}
    if name == "ollama":
        assert told["client_kwargs"] == {"timeout": 7}
    else:
        assert told["max_retries"] == (1 if name == "google" else 0)
        assert 7 in {told.get(key) for key in ("timeout", "request_timeout", "default_request_timeout")}


def test_a_server_of_ones_own_needs_no_key() -> None:
    chat = load_chat_model(Settings(llm="openai:local", llm_base_url="http://127.0.0.1:9/v1"))
    assert chat.openai_api_key.get_secret_value() == "not-needed"  # type: ignore[attr-defined]


def test_a_missing_key_is_named() -> None:
    with pytest.raises(SettingsError, match="Is OPENAI_API_KEY set"):
        load_chat_model(Settings(llm="openai:gpt"))


@pytest.mark.parametrize(
    ("name", "command"),
    [("anthropic", r"pip install 'askdmt\[anthropic\]'"), ("groq", "pip install 'langchain-groq'")],
)
def test_a_missing_package_is_named_with_its_command(name: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import langchain.chat_models

    def missing(*_: Any, **__: Any) -> None:
        raise ImportError

    monkeypatch.setattr(langchain.chat_models, "init_chat_model", missing)
    with pytest.raises(SettingsError, match=command):
        load_chat_model(Settings(llm=f"{name}:model"))


def test_an_unknown_provider_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="openai, anthropic, google, mistral, ollama"):
        load_chat_model(Settings(llm="nobody:model"))


@pytest.mark.parametrize("value", ["gpt-5", "OpenAI:gpt", "openai:", "openai:a b"])
def test_a_model_without_its_provider_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKDMT_LLM", value)
    with pytest.raises(SettingsError, match="'llm' does not fit"):
        load_settings()


def test_a_cost_without_prices_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASKDMT_LLM_MAX_COST_DAY", "5")
    with pytest.raises(SettingsError, match=r"'llm_max_cost_day' does not fit.*llm_price_in"):
        load_settings()


# One call


def test_a_draft_comes_piece_by_piece_with_system_and_question_apart() -> None:
    model = ScriptedModel()
    model.enqueue("Tap water is clean.")
    assert list(language_model(model).tokens("You write.", "Is it?", 20)) == ["Tap ", "water ", "is ", "clean."]
    system, question = model.history[0]
    assert (system.type, system.content, question.type, question.content) == (
        "system", "You write.", "human", "Is it?",
    )  # fmt: skip


def test_what_may_pass_is_tried_again_and_a_wrong_key_is_not() -> None:
    model = ScriptedModel()
    model.enqueue(with_status(503))
    model.enqueue(ConnectionError())
    model.enqueue("Here.")
    assert ask(language_model(model)) == "Here."
    model.enqueue(with_status(401))
    model.enqueue("Here.")
    assert failure_of(language_model(model)) == "error"
    assert len(model.history) == 4


def test_it_is_not_tried_for_ever() -> None:
    model = ScriptedModel()
    for _ in range(9):
        model.enqueue(ConnectionError())
    assert failure_of(language_model(model)) == "error"
    assert len(model.history) == 3


def test_after_the_first_word_nothing_is_tried_again() -> None:
    model = ScriptedModel()
    model.enqueue("Tap ", ConnectionError())
    model.enqueue("Here.")
    assert failure_of(language_model(model)) == "error"
    assert len(model.history) == 1


@pytest.mark.parametrize("before", [[], ["Tap water "]], ids=["at once", "on the way"])
def test_a_model_that_hangs_is_left(before: list[str]) -> None:
    model, let_go = ScriptedModel(), threading.Event()
    model.enqueue(*before, let_go, "is clean.")
    assert failure_of(language_model(model), seconds=0.2) == "timeout"
    let_go.set()


@pytest.mark.parametrize("finish", ["length", "max_tokens", "MAX_TOKENS", "content_filter", "refusal", "whatever", ""])
def test_what_is_cut_short_is_told_from_what_has_its_end(finish: str) -> None:
    model = ScriptedModel()
    model.enqueue("Tap water is", finish=finish)
    assert failure_of(language_model(model)) == "truncated"


def test_a_model_that_never_ends_is_cut() -> None:
    model = ScriptedModel()
    model.enqueue("very " * 10_000)
    assert failure_of(language_model(model)) == "truncated"


def test_nothing_is_no_draft() -> None:
    model = ScriptedModel()
    model.enqueue("")
    assert failure_of(language_model(model)) == "empty"


def test_no_more_are_asked_at_once_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "AT_ONCE", 1)
    model, let_go = ScriptedModel(), threading.Event()
    asked = language_model(model)
    model.enqueue("Tap ", let_go)
    first = asked.tokens("", "", 20)
    next(first)
    assert failure_of(asked) == "busy"
    let_go.set()
    list(first)


def test_the_log_has_the_errors_type_and_status_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="askdmt")
    model = ScriptedModel()
    model.enqueue(f"{SAID} ", with_status(401))
    failure_of(language_model(model))
    assert "HTTPStatusError 401" in caplog.text
    assert "zebra" not in caplog.text


# Resting


def test_a_model_that_fails_in_a_row_rests_and_is_tried_once_after_that() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, rest_seconds=60, clock=lambda: now[0])
    breaker.failed()
    assert breaker.admits()
    breaker.failed()
    assert not breaker.admits()
    now[0] = 61
    assert [breaker.admits(), breaker.admits()] == [True, False]
    breaker.failed()
    now[0] = 120
    assert not breaker.admits()
    now[0] = 122
    assert breaker.admits()
    breaker.succeeded()
    assert [breaker.admits(), breaker.admits()] == [True, True]


def test_while_it_rests_it_is_not_asked() -> None:
    model = ScriptedModel()
    asked = LanguageModel(model, Settings(llm="openai:x"), breaker=Breaker(failures=1))
    model.enqueue(with_status(400))
    assert failure_of(asked) == "error"
    assert failure_of(asked) == "resting"
    assert len(model.history) == 1


def test_a_draft_that_is_left_half_way_is_no_failure() -> None:
    model = ScriptedModel()
    asked = LanguageModel(model, Settings(llm="openai:x"), breaker=Breaker(failures=1))
    for _ in range(2):
        model.enqueue("Tap water is clean.")
        tokens = asked.tokens("", "", 20)
        next(tokens)
        tokens.close()  # type: ignore[attr-defined]
    assert len(model.history) == 2


# What it costs


def test_a_day_has_its_tokens_and_its_cost_and_the_next_has_them_again() -> None:
    day = [date(2026, 11, 28)]
    budget = Budget(1000, 0.0, today=lambda: day[0])
    assert budget.reserve(500, 500)
    assert not budget.reserve(1, 0)
    budget.settle((500, 500), (100, 100))
    assert (budget.tokens, budget.reserve(300, 500)) == (200, True)
    day[0] += timedelta(days=1)
    assert budget.reserve(500, 500)
    costly = Budget(0, 1.0, price_in=1000.0, price_out=4000.0)
    assert costly.reserve(200, 200)
    assert costly.cost == pytest.approx(1.0)
    assert not costly.reserve(1, 0)


def test_a_model_beyond_its_budget_is_not_asked() -> None:
    model = ScriptedModel()
    asked = language_model(model, llm_max_tokens=50, llm_max_tokens_day=60)
    model.enqueue("Tap water is clean.")
    assert ask(asked)
    assert 0 < asked.budget.tokens < 30  # what it has written, not what was set aside
    assert failure_of(asked) == "budget"
    assert len(model.history) == 1


# LangSmith


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Ask LangSmith's variables for tracing; returns the clients that are made."""
    made: list[object] = []

    def make(self: object, *_: Any, **__: Any) -> None:
        made.append(self)
        raise RuntimeError("no client")

    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "true")
    monkeypatch.setenv("LANGSMITH_API_KEY", "k")
    monkeypatch.setattr(langsmith.Client, "__init__", make)
    monkeypatch.setattr(langsmith.run_trees, "_CLIENT", None)
    langsmith_utils.get_env_var.cache_clear()
    return made


def test_no_tracing_client_is_made(clients: list[object]) -> None:
    settings = Settings(llm="openai:local", llm_base_url="http://127.0.0.1:9/v1")
    load_chat_model(settings)
    assert os.environ["LANGSMITH_TRACING"] == "false"
    model = ScriptedModel()
    model.enqueue("Tap water is clean.")
    assert ask(LanguageModel(model, settings))
    assert clients == []


def test_tracing_that_the_host_program_turns_on_is_off_for_drafts(clients: list[object]) -> None:
    model = ScriptedModel()
    model.enqueue("Tap water is clean.")
    assert ask(language_model(model))
    assert clients == []


def test_with_llm_tracing_the_variables_are_obeyed(clients: list[object]) -> None:
    model = ScriptedModel()
    model.enqueue("Tap water is clean.")
    ask(language_model(model, llm_tracing=True))
    assert clients
