"""A language model by its setting, and how it is asked: within a time, a budget, and only while it works.

`LanguageModel.tokens` is the one place where a model is called. What goes wrong there is a `ModelFailure` with a reason
from a closed list; neither it nor a log line ever holds a text.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from askdmt.answering.outcomes import Reason
from askdmt.errors import SettingsError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk

    from askdmt.settings import Settings

log = logging.getLogger(__name__)

AT_ONCE = 32  # drafts that are written at the same time; one more is not begun
_ATTEMPTS = 3
_WAIT_SECONDS = 0.5  # before the second attempt, doubled for the next, and something random on top
_FAILURES = 5  # in a row, after which a model rests
_REST_SECONDS = 60.0
_CHARACTERS_PER_TOKEN = 3  # counted on the low side, where a provider tells no tokens
_MOST_CHARACTERS_PER_TOKEN = 20  # a provider that sends more than this keeps no limit of ours
_PASSING = {408, 409, 425, 429}  # statuses below 500 that may be gone at the next attempt
_WHOLE = {"stop", "end_turn", "stop_sequence", "eos", "completed"}  # how providers say that a text has its end
_TRACING = (
    "LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_GATEWAY",
)  # fmt: skip


class ModelFailure(Exception):  # noqa: N818
    """No whole draft came; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


# From the settings to a model


@dataclass(frozen=True, slots=True)
class _Provider:
    """How a provider's class names what we set; `extra` is ours, that installs its package."""

    name: str  # in init_chat_model
    package: str
    extra: str = ""
    key: str = ""  # variable that holds its API key
    tokens: str = "max_tokens"
    retries: int = 0  # what its class takes for "no retries of its own"


_PROVIDERS = {
    "openai": _Provider("openai", "langchain-openai", "openai", "OPENAI_API_KEY"),
    "anthropic": _Provider("anthropic", "langchain-anthropic", "anthropic", "ANTHROPIC_API_KEY"),
    "google": _Provider("google_genai", "langchain-google-genai", "google", "GOOGLE_API_KEY", retries=1),
    "mistral": _Provider("mistralai", "langchain-mistralai", "mistral", "MISTRAL_API_KEY"),
    "ollama": _Provider("ollama", "langchain-ollama", "ollama", tokens="num_predict"),
}
_ALIASES = {"google_genai": "google", "mistralai": "mistral"}


def load_chat_model(settings: Settings) -> BaseChatModel:
    """Return the chat model that `settings.llm` names, at temperature 0 and without retries of its own.

    Raises:
        SettingsError: the provider is unknown, its package is not installed, or its key is missing; names the mend.
    """
    if not settings.llm_tracing:
        _switch_tracing_off()
    from langchain.chat_models import init_chat_model

    name, _, model = settings.llm.partition(":")
    provider = _PROVIDERS.get(_ALIASES.get(name, name)) or _Provider(name, f"langchain-{name.replace('_', '-')}")
    try:
        chat: BaseChatModel = init_chat_model(model, model_provider=provider.name, **_arguments(provider, settings))
    except ImportError:
        wanted = f"askdmt[{provider.extra}]" if provider.extra else provider.package
        raise SettingsError(
            f"The language model '{settings.llm}' needs the package {provider.package}.",
            f"Install it: pip install '{wanted}'",
        ) from None
    except Exception as error:
        key = f" Is {provider.key} set?" if provider.key and not os.environ.get(provider.key) else ""
        raise SettingsError(
            f"The language model '{settings.llm}' cannot be set up ({type(error).__name__}).{key}",
            f"Correct the setting 'llm'. Providers with an extra: {', '.join(_PROVIDERS)}.",
        ) from None
    return chat


def _arguments(provider: _Provider, settings: Settings) -> dict[str, Any]:
    given: dict[str, Any] = {"temperature": 0, provider.tokens: settings.llm_max_tokens}
    if settings.llm_base_url:
        given["base_url"] = settings.llm_base_url
    if provider.name == "ollama":
        return given | {"client_kwargs": {"timeout": settings.llm_seconds}}
    given |= {"timeout": math.ceil(settings.llm_seconds), "max_retries": provider.retries}
    if provider.name == "openai" and settings.llm_base_url and not os.environ.get(provider.key):
        given["api_key"] = "not-needed"  # a server of one's own asks for none, but the client does
    return given


def _switch_tracing_off() -> None:
    """Keep LangChain from sending texts to LangSmith, or through its gateway, whatever this machine's variables say."""
    from langsmith import utils

    for name in _TRACING:
        os.environ[name] = "false"
    vars(utils)["get_env_var"].cache_clear()  # it remembers what it has read


# What a model may cost, and when it rests


class Budget:
    """What drafts may use in a day (UTC), counted by this process; a limit of 0 means none.

    Prices are for a million tokens, in whatever currency the limit is in.
    """

    def __init__(
        self, most_tokens: int = 0, most_cost: float = 0.0, price_in: float = 0.0, price_out: float = 0.0,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:  # fmt: skip
        self.most_tokens = most_tokens
        self.most_cost = most_cost
        self.tokens = 0
        self.cost = 0.0
        self._prices = price_in / 1e6, price_out / 1e6
        self._today = today
        self._day = today()
        self._lock = threading.Lock()

    def reserve(self, tokens_in: int, tokens_out: int) -> bool:
        """Set aside what a draft uses at most; False if that is more than is left today."""
        tokens, cost = tokens_in + tokens_out, self._cost(tokens_in, tokens_out)
        with self._lock:
            if (day := self._today()) != self._day:
                self._day, self.tokens, self.cost = day, 0, 0.0
            if self.most_tokens and self.tokens + tokens > self.most_tokens:
                return False
            if self.most_cost and self.cost + cost > self.most_cost:
                return False
            self.tokens += tokens
            self.cost += cost
        return True

    def settle(self, reserved: tuple[int, int], used: tuple[int, int]) -> None:
        """Count what a draft has used in place of what was set aside for it."""
        with self._lock:
            self.tokens = max(0, self.tokens + sum(used) - sum(reserved))
            self.cost = max(0.0, self.cost + self._cost(*used) - self._cost(*reserved))

    def _cost(self, tokens_in: int, tokens_out: int) -> float:
        return tokens_in * self._prices[0] + tokens_out * self._prices[1]


class Breaker:
    """Lets a model rest that has failed several times in a row; after the rest, one call tries whether it works."""

    def __init__(
        self, failures: int = _FAILURES, rest_seconds: float = _REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._failures = failures
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._in_a_row = 0
        self._resting_until = 0.0
        self._lock = threading.Lock()

    def admits(self) -> bool:
        """Whether the model may be asked now."""
        with self._lock:
            if self._in_a_row < self._failures:
                return True
            if self._clock() < self._resting_until:
                return False
            self._resting_until = self._clock() + self._rest_seconds  # this one tries; the others wait for it
            return True

    def succeeded(self) -> None:
        """Note that the model has answered."""
        with self._lock:
            self._in_a_row = 0

    def failed(self) -> None:
        """Note that the model has failed."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= self._failures:
                self._resting_until = self._clock() + self._rest_seconds


# Asking it


class LanguageModel:
    """A chat model that never keeps anybody waiting: its stream is read in a thread that can be left behind."""

    def __init__(
        self, chat: BaseChatModel, settings: Settings, *, budget: Budget | None = None, breaker: Breaker | None = None
    ) -> None:
        self.chat = chat
        self.name = settings.llm
        self.budget = budget or Budget(
            settings.llm_max_tokens_day, settings.llm_max_cost_day, settings.llm_price_in, settings.llm_price_out
        )
        self.breaker = breaker or Breaker()
        self._max_tokens = settings.llm_max_tokens
        self._traced = settings.llm_tracing
        self._slots = threading.Semaphore(AT_ONCE)

    def tokens(self, system: str, question: str, seconds: float) -> Iterator[str]:
        """Yield what the model writes, as it comes, for so many seconds at most.

        Raises:
            ModelFailure: it could not be asked, failed, took too long, was cut short, or wrote nothing.
        """
        until = time.monotonic() + seconds
        reserved = _estimate(system + question), self._max_tokens
        if seconds <= 0:
            raise ModelFailure("timeout")
        if not self.breaker.admits():
            raise ModelFailure("resting")
        if not self.budget.reserve(*reserved):
            raise ModelFailure("budget")
        if not self._slots.acquire(blocking=False):
            self.budget.settle(reserved, (0, 0))
            raise ModelFailure("busy")
        most = self._max_tokens * _MOST_CHARACTERS_PER_TOKEN
        reading = _Reading(self.chat, system, question, until, most, self._slots, traced=self._traced)
        try:
            yield from reading.texts()
            self.budget.settle(reserved, reading.used(reserved[0]))
            self.breaker.succeeded()
        except GeneratorExit:  # enough of it; the reservation stands, since nobody knows what it has written by now
            self.breaker.succeeded()
            raise
        except ModelFailure as failure:
            if failure.reason in ("error", "timeout"):
                self.breaker.failed()
            log.warning("no draft: %s", failure.reason)
            raise
        finally:
            reading.stop()


_END = object()


@dataclass
class _Reading:
    """Reads one stream in a thread of its own; a model that hangs keeps the thread and its slot, nobody else."""

    chat: BaseChatModel
    system: str
    question: str
    until: float  # by time.monotonic()
    most: int  # characters
    slots: threading.Semaphore
    traced: bool
    _arrived: SimpleQueue[Any] = field(default_factory=SimpleQueue)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _written: int = 0  # characters
    _usage: tuple[int, int] | None = None
    _finish: str = ""

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, name="askdmt-model", daemon=True).start()

    def texts(self) -> Iterator[str]:
        """Yield each piece of text until the stream ends well; raises ModelFailure if it does not."""
        while (item := self._next()) is not _END:
            self._note(item)
            if text := str(item.text):
                self._written += len(text)
                yield text
        if not self._written:
            raise ModelFailure("empty")
        if self._finish not in _WHOLE:  # nor does a lost connection always raise
            raise ModelFailure("truncated")

    def stop(self) -> None:
        """Read no further."""
        self._stopped.set()

    def used(self, estimated_in: int) -> tuple[int, int]:
        """Return the tokens that went in and came out, as the provider tells or else by the length of the texts."""
        return self._usage or (estimated_in, -(-self._written // _CHARACTERS_PER_TOKEN))

    def _next(self) -> Any:
        left = self.until - time.monotonic()
        try:
            item = self._arrived.get(timeout=left) if left > 0 else None
        except Empty:
            item = None
        if item is None:
            raise ModelFailure("timeout")
        if isinstance(item, ModelFailure):
            raise item
        if isinstance(item, Exception):
            status = _status(item)
            log.warning("the language model failed: %s%s", type(item).__name__, f" {status}" if status else "")
            raise ModelFailure("error") from None
        return item

    def _note(self, chunk: AIMessageChunk) -> None:
        if usage := chunk.usage_metadata:
            before = self._usage or (0, 0)
            self._usage = before[0] + usage["input_tokens"], before[1] + usage["output_tokens"]
        told = chunk.response_metadata
        for key in ("finish_reason", "stop_reason", "done_reason", "status"):
            if value := told.get(key):
                self._finish = str(value).lower()

    def _read(self) -> None:
        try:
            from langsmith import tracing_context

            with tracing_context(enabled=None if self.traced else False):
                read = 0
                for chunk in self._chunks():
                    self._arrived.put(chunk)
                    read += len(chunk.text)
                    if self._stopped.is_set() or read > self.most:
                        raise ModelFailure("truncated")
            self._arrived.put(_END)
        except Exception as error:
            self._arrived.put(error)
        finally:
            self.slots.release()

    def _chunks(self) -> Iterator[AIMessageChunk]:
        """Yield the stream's chunks; until the first text has come, what may pass is tried again."""
        from langchain_core.messages import HumanMessage, SystemMessage
        from tenacity import (
            Retrying,
            retry_if_exception,
            sleep_using_event,
            stop_after_attempt,
            stop_when_event_set,
            wait_exponential_jitter,
        )  # fmt: skip

        messages = [SystemMessage(self.system), HumanMessage(self.question)]
        begin = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(_ATTEMPTS) | stop_when_event_set(self._stopped),
            wait=wait_exponential_jitter(multiplier=_WAIT_SECONDS, jitter=_WAIT_SECONDS),
            sleep=sleep_using_event(self._stopped),
            reraise=True,
        )
        begun, stream = begin(_begin, self.chat, messages)
        yield from begun
        yield from stream


def _begin(chat: BaseChatModel, messages: Any) -> tuple[list[AIMessageChunk], Iterator[AIMessageChunk]]:
    """Open a stream, and return what came up to the first text with the rest of it."""
    stream = chat.stream(messages)
    begun: list[AIMessageChunk] = []
    for chunk in stream:
        begun.append(chunk)
        if chunk.text:
            break
    return begun, stream


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may succeed: a lost connection or a busy provider, but no wrong key or request."""
    status = _status(error)
    return isinstance(error, Exception) and (not status or status in _PASSING or status >= 500)


def _status(error: BaseException) -> int:
    """Return the HTTP status that an error tells of; 0 if none."""
    told = (getattr(error, "status_code", None), getattr(getattr(error, "response", None), "status_code", None))
    return next((status for status in told if isinstance(status, int)), 0)


def _estimate(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)
