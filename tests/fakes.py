"""Stand-ins for the parts that are slow or trained: an encoder, a judge, small knowledge, a whole assistant."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr

from askdmt.answering.generative import Drafter
from askdmt.answering.models import LanguageModel
from askdmt.assistant import Assistant
from askdmt.decisions import Decision
from askdmt.encoder import Encoder, Vectors
from askdmt.guardrails.classifier import Judgement
from askdmt.guardrails.exemplars import Exemplar
from askdmt.guardrails.grounding import GroundingVerdict
from askdmt.guardrails.input_guard import InputGuard
from askdmt.guardrails.output_guard import SentenceVerdict
from askdmt.knowledge.index import open_index
from askdmt.knowledge.lexical import stems
from askdmt.knowledge.search import Search
from askdmt.knowledge.sections import SUPPORT_FILE, load_knowledge
from askdmt.reply import Reply
from askdmt.resources import content_folder
from askdmt.settings import Settings
from askdmt.support import load_support
from askdmt.wording import load_wording

WATER = (
    "Tap water is clean in most towns. People test the water each day. A lab looks for germs and for lead in the "
    "pipes. The tests are open to all, and a town must tell people if the water is bad."
)
BREAD = (
    "Bread is made from flour, water and salt. Yeast makes the dough rise. A warm room helps the dough to rise fast. "
    "Most bakers rest the dough twice before the loaf goes into the oven."
)


class FakeEncoder(Encoder):
    """Words to vectors by their hash: the same word, the same direction. Counts what it is asked."""

    def __init__(self, width: int = 256, name: str = "fake") -> None:
        super().__init__()
        self._width = width
        self.name = f"{name}-{width}"
        self.calls = 0
        self.texts: list[str] = []

    @property
    def width(self) -> int:
        return self._width

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        self.texts += texts
        rows = np.full((len(texts), self._width), 1e-6, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for stem in stems(text):
                row[int(hashlib.sha256(stem.encode()).hexdigest(), 16) % self._width] += 1
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


class ScriptedClassifier:
    """A judge that thinks `label` of every text."""

    def __init__(self, label: Decision, sure: float = 0.99) -> None:
        self.label = label
        self.sure = sure

    def judge(self, texts: Sequence[str], vectors: NDArray[np.float32]) -> list[Judgement]:
        rest = (1 - self.sure) / (len(Decision) - 1)
        scores = {label: self.sure if label is self.label else rest for label in Decision}
        return [Judgement(scores, vector) for _, vector in zip(texts, vectors, strict=True)]

    def nearest(self, *_: object) -> list[tuple[Exemplar, float]]:
        return []

    def variant(self, *_: object) -> str | None:
        return None


class ScriptedModel(BaseChatModel):
    """A chat model that writes what is enqueued, word by word, and keeps what it was asked.

    An exception among the pieces of a draft is raised there, an event is waited for; `finish` is how the text ends.
    """

    history: list[list[BaseMessage]] = Field(default_factory=list)
    _drafts: list[tuple[list[Any], str]] = PrivateAttr(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def enqueue(self, *pieces: str | Exception | threading.Event, finish: str = "stop") -> None:
        self._drafts.append((list(pieces), finish))

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        text = "".join(str(chunk.text) for chunk in self._stream(messages))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        self.history.append(messages)
        pieces, finish = self._drafts.pop(0)
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, threading.Event):
                piece.wait(30)
                continue
            for token in re.findall(r"\S+\s*|\s+", piece):
                yield ChatGenerationChunk(message=AIMessageChunk(token))
        end = AIMessageChunk("", response_metadata={"finish_reason": finish})
        yield ChatGenerationChunk(message=end)


class FakeOutputGuard:
    """Lets a sentence pass that a passage has word for word and that cites only passages; keeps what it was asked."""

    def __init__(self) -> None:
        self.checked: list[str] = []

    def check(self, sentence: str, passages: Sequence[str], links: Collection[str] = ()) -> SentenceVerdict:  # noqa: ARG002
        self.checked.append(sentence)
        cited = tuple(int(n) for n in re.findall(r"\[(\d+)\]", sentence))
        if any(not 1 <= n <= len(passages) for n in cited):
            return SentenceVerdict(False, "", ("citation",), cited, None)
        plain = re.sub(r"\s*\[\d+\]", "", sentence).strip()
        place = next((n for n, passage in enumerate(passages) if plain in passage), -1)
        if place < 0:
            return SentenceVerdict(False, "", ("claim",), cited, GroundingVerdict(False, 0.1, ("claim",), "", -1))
        return SentenceVerdict(True, sentence.strip(), (), cited, GroundingVerdict(True, 0.9, (), plain, place))

    def check_stream(
        self, tokens: Iterable[str], passages: Sequence[str], links: Collection[str] = ()
    ) -> Iterator[SentenceVerdict]:
        begun = ""
        for token in tokens:
            begun += token
            *whole, begun = re.split(r"(?<=[.!?])\s+", begun)
            for sentence in whole:
                yield self.check(sentence, passages, links)
        if begun.strip():
            yield self.check(begun, passages, links)


def write_section(folder: Path, key: str, body: str, questions: Sequence[str] | str = (), **front: object) -> Path:
    """Write a section that keeps every rule, but for what `front` says.

    `questions` are those of its first paragraph, or YAML for all of them.
    """
    asked = questions if isinstance(questions, str) else {1: list(questions)} if questions else {}
    keys: dict[str, object] = {
        "id": key, "title": key.title(), "order": 30, "source": "town", "reviewed": "2026-11-01",
        "reviewer": "A Nurse", "review_due": "2027-05-01", "questions": asked,
    }  # fmt: skip
    lines = [f"{name}: {'null' if value is None else value}" for name, value in (keys | front).items()]
    path = folder / f"{key}.md"
    path.write_text("\n".join(["---", *lines, "---", body, ""]), encoding="utf-8")
    return path


def small_knowledge(folder: Path) -> Path:
    """Write a knowledge folder of two sections."""
    folder.mkdir(parents=True, exist_ok=True)
    write_section(folder, "water", WATER, ["Is tap water clean?", "who tests the tap water"], order=10)
    write_section(folder, "bread", BREAD, ["How is bread made?", "what makes bread dough rise"], order=20)
    (folder / "sources.yaml").write_text("town: {title: Town report, publisher: Town, date: '2026'}\n")
    return folder


def small_assistant(
    home: Path, classifier: Any, encoder: Encoder, model: BaseChatModel | None = None, **settings: Any
) -> Assistant:
    """Build an assistant over small knowledge; all but encoder, judge, knowledge and model is as shipped."""
    knowledge = load_knowledge(small_knowledge(home / "knowledge"))
    given = Settings(**{"knowledge": knowledge.folder, "cache": home / "cache", **settings})
    search = Search(knowledge, open_index(knowledge, encoder, given.cache, chroma_url=given.chroma_url))
    support = load_support(content_folder("knowledge") / SUPPORT_FILE)
    classifier.encoder = encoder.name
    drafter = Drafter(LanguageModel(model, given), FakeOutputGuard()) if model else None
    return Assistant(given, encoder, InputGuard(encoder, classifier), knowledge, search, support, drafter)


class EchoAssistant:
    """Answers every conversation of a batch with how many messages it has."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.asked: list[Any] = []
        self._fails_at = fails_at

    def reply_many(
        self, many: Sequence[str | Sequence[Mapping[str, Any]]], *, trace: bool = False,
        progress: Callable[[int], None] | None = None, **_: Any,
    ) -> Iterator[Reply]:  # fmt: skip
        for number, said in enumerate(many):
            if number == self._fails_at:
                raise KeyboardInterrupt
            self.asked.append(said)
            yield load_wording().reply(
                Decision.ABOUT, f"Answer {number} to {len(said)}.", trace={"n": number} if trace else None
            )
            if progress:
                progress(1)
