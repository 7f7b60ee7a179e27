"""NeMo Guardrails with `embeddings_only`: no language model; a message takes the intent of its nearest exemplar."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from askdmt.decisions import Decision
from askdmt.progress import bar
from peers.choosing import Nearest, choose
from peers.data import Message, Vectors

NAME = "NeMo Guardrails, embeddings_only"
PACKAGE = "nemoguardrails"
_ENGINE = "shared-minilm"
_SETTINGS = f"""
models: []
core:
  embedding_search_provider:
    name: default
    parameters: {{embedding_engine: {_ENGINE}, embedding_model: minilm}}
rails:
  dialog:
    user_messages: {{embeddings_only: true, embeddings_only_fallback_intent: nothing near}}
"""


def decide(
    training: Sequence[Message], development: Sequence[Message], asked: Sequence[str], vectors: Vectors
) -> tuple[str, list[Decision]]:
    """Return what was chosen on development, and a decision for each text."""
    rails = _rails(training, vectors)
    texts = [message.text for message in development]
    total = len(texts) + len(asked)
    with bar(NAME) as advance:
        found = asyncio.run(_ask(rails, texts, lambda done: advance(done, total)))
        nearest: list[Nearest] = [
            (Decision(intent), score)
            for intent, score in zip(found, _scores(training, texts, vectors), strict=True)
        ]  # fmt: skip
        choice = choose(nearest, development)
        rails.config.rails.dialog.user_messages.embeddings_only_similarity_threshold = choice.threshold
        given = asyncio.run(_ask(rails, asked, lambda done: advance(len(texts) + done, total)))
    return str(choice), [choice.below if intent == "nothing near" else Decision(intent) for intent in given]


def _rails(training: Sequence[Message], vectors: Vectors) -> Any:
    from nemoguardrails import LLMRails, RailsConfig
    from nemoguardrails.embeddings.providers import register_embedding_provider
    from nemoguardrails.embeddings.providers.base import EmbeddingModel

    class SharedModel(EmbeddingModel):  # type: ignore[misc]
        engine_name = _ENGINE

        def __init__(self, embedding_model: str, **_: Any) -> None:
            self.model, self.embedding_size = embedding_model, 384

        async def encode_async(self, documents: list[str]) -> list[list[float]]:
            return self.encode(documents)

        def encode(self, documents: list[str]) -> list[list[float]]:
            return [list(map(float, row)) for row in vectors.of(documents)]

    logging.getLogger("nemoguardrails").setLevel(logging.ERROR)  # it notes at each message that it has no model
    register_embedding_provider(SharedModel, _ENGINE)
    utterances: dict[str, list[str]] = defaultdict(list)
    for message in training:
        utterances[str(message.label)].append(message.text)
    config = RailsConfig.from_content(_colang([*utterances, "nothing near"]), _SETTINGS)
    config.user_messages = dict(utterances)  # as data: Colang would need them quoted
    return LLMRails(config)


def _colang(intents: Sequence[str]) -> str:
    """Return flows by which the bot says the name of the intent."""
    return "\n".join(
        f'define user {intent}\n  "{intent}"\n\ndefine bot say {intent}\n  "{intent}"\n\n'
        f"define flow {intent}\n  user {intent}\n  bot say {intent}\n"
        for intent in intents
    )


async def _ask(rails: Any, texts: Sequence[str], advance: Callable[[int], None]) -> list[str]:
    given = []
    for text in texts:
        reply = await rails.generate_async(messages=[{"role": "user", "content": text}])
        given.append(str(reply["content"]).strip())
        advance(len(given))
    return given


def _scores(training: Sequence[Message], texts: Sequence[str], vectors: Vectors) -> list[float]:
    """Return NeMo's own score of each text's nearest exemplar, which it tells nobody."""
    cosines = (vectors.of(texts) @ vectors.of([message.text for message in training]).T).max(axis=1)
    return [float(score) for score in 1 - np.sqrt(np.clip(2 - 2 * cosines, 0, None)) / 2]
