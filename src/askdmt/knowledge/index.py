"""The dense index: Chroma, through langchain-chroma, keyed by the content it was built from.

Each passage is indexed by its own text and by the questions that it answers. An embedded index lies in the cache
folder under the digest of knowledge and encoder, so that a stale one is never opened; it is built in a folder of its
own under a lock and becomes current by one atomic rename, so that two processes may start at once.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from askdmt.encoder import Encoder
from askdmt.errors import AskDMTError, SearchIndexError
from askdmt.knowledge.sections import Knowledge

if TYPE_CHECKING:
    from langchain_chroma import Chroma

_FORMAT = 1  # raise when what is stored changes
_CURRENT = "current.json"
_BATCH = 256
_KEPT = 3  # indexes of earlier content left in the cache
_LOCK_SECONDS = 600

Progress = Callable[[int, int], None]  # entries written, entries in all


@dataclass(frozen=True, slots=True)
class Hit:
    """One stored text near a question."""

    passage: str
    kind: str  # "passage" or "question"
    similarity: float  # cosine, -1 to 1


class Index:
    """An open index of one state of the knowledge."""

    def __init__(self, store: Chroma) -> None:
        self._store = store

    def nearest(self, vector: NDArray[np.float32], k: int) -> list[Hit]:
        """Return the `k` nearest stored texts, nearest first.

        Raises:
            SearchIndexError: the store cannot be read.
        """
        try:
            found = self._store.similarity_search_by_vector_with_relevance_scores(embedding=vector.tolist(), k=k)
        except Exception as error:
            raise SearchIndexError("The search index cannot be read.", "Run: askdmt index --rebuild") from error
        return [Hit(doc.metadata["passage"], doc.metadata["kind"], 1.0 - distance) for doc, distance in found]

    def __len__(self) -> int:
        return int(self._store._collection.count())


def index_key(knowledge: Knowledge, encoder: Encoder) -> str:
    """Return the name of the index that this knowledge and encoder make."""
    state = f"{_FORMAT}:{encoder.name}:{knowledge.digest}"
    return hashlib.sha256(state.encode()).hexdigest()[:32]


def open_index(
    knowledge: Knowledge,
    encoder: Encoder,
    cache: Path,
    *,
    chroma_url: str = "",
    rebuild: bool = False,
    progress: Progress | None = None,
) -> Index:
    """Open the index of this knowledge, building it first where it is missing, stale or corrupt.

    Raises:
        SearchIndexError: it cannot be built, or the Chroma server cannot be reached.
    """
    key = index_key(knowledge, encoder)
    try:
        if chroma_url:
            return _open_server(chroma_url, key, knowledge, encoder, rebuild, progress)
        return _open_embedded(cache / "index" / key, key, knowledge, encoder, rebuild, progress)
    except AskDMTError:
        raise
    except OSError as error:
        raise SearchIndexError(f"Cannot write the index in {cache}: {error.strerror}.", "Set 'cache'.") from error
    except Exception as error:  # Chroma raises many kinds
        raise SearchIndexError(f"The index in {cache} cannot be built.", "Delete it, or set 'cache'.") from error


def _open_embedded(
    home: Path, key: str, knowledge: Knowledge, encoder: Encoder, rebuild: bool, progress: Progress | None
) -> Index:
    home.mkdir(parents=True, exist_ok=True)
    if not rebuild and (index := _current(home, key, knowledge, encoder)):
        return index
    with FileLock(home.with_suffix(".lock"), timeout=_LOCK_SECONDS):
        if not rebuild and (index := _current(home, key, knowledge, encoder)):
            return index  # another process has built it meanwhile
        for old in home.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        folder = home / uuid.uuid4().hex
        index = _fill(_embedded_client(folder), key, knowledge, encoder, progress)
        pointer = home / f"{folder.name}.json"
        pointer.write_text(json.dumps({"folder": folder.name, "entries": len(index)}), encoding="utf-8")
        pointer.replace(home / _CURRENT)
    _forget_old(home)
    return index


def _current(home: Path, key: str, knowledge: Knowledge, encoder: Encoder) -> Index | None:
    """Return the finished index, or None if there is none that can be read and is whole."""
    try:
        state = json.loads((home / _CURRENT).read_text(encoding="utf-8"))
        folder = home / state["folder"]
        if not folder.is_dir() or state["entries"] != len(_entries(knowledge)):
            return None
        index = Index(_collection(_embedded_client(folder), key, encoder))
        probe = np.zeros(encoder.width, dtype=np.float32)
        probe[0] = 1.0
        return index if len(index) == state["entries"] and index.nearest(probe, 1) else None
    except Exception:  # unreadable in any way: it is built again
        return None


def _open_server(
    url: str, key: str, knowledge: Knowledge, encoder: Encoder, rebuild: bool, progress: Progress | None
) -> Index:
    import chromadb

    host, _, port = url.removeprefix("http://").removeprefix("https://").rstrip("/").partition(":")
    try:
        client = chromadb.HttpClient(
            host=host, port=int(port or 8000), ssl=url.startswith("https"), settings=_client_settings()
        )
        index = Index(_collection(client, key, encoder))
        if not rebuild and len(index) == len(_entries(knowledge)):
            return index
        return _fill(client, key, knowledge, encoder, progress)
    except Exception as error:
        raise SearchIndexError(f"The Chroma server at {url} cannot be used.", "Check 'chroma_url'.") from error


def _fill(client: Any, key: str, knowledge: Knowledge, encoder: Encoder, progress: Progress | None) -> Index:
    store = _collection(client, key, encoder)
    entries = _entries(knowledge)
    for start in range(0, len(entries), _BATCH):
        batch = entries[start : start + _BATCH]
        store.add_texts(
            [text for _, _, text in batch],
            metadatas=[{"passage": passage, "kind": kind} for passage, kind, _ in batch],
            ids=[hashlib.sha256(repr(entry).encode()).hexdigest() for entry in batch],
        )
        if progress:
            progress(start + len(batch), len(entries))
    return Index(store)


def _entries(knowledge: Knowledge) -> list[tuple[str, str, str]]:
    """Return (passage id, kind, text) of everything that is indexed, each once."""
    entries = dict.fromkeys(
        entry
        for passage in knowledge.passages.values()
        for entry in (
            (passage.id, "passage", passage.text),
            *((passage.id, "question", question) for question in passage.questions),
        )
    )
    return list(entries)


def _collection(client: Any, key: str, encoder: Encoder) -> Chroma:
    from langchain_chroma import Chroma

    return Chroma(
        client=client,
        collection_name=f"askdmt-{key}",
        embedding_function=encoder.as_embeddings(),
        collection_configuration={"hnsw": {"space": "cosine"}},
    )


def _embedded_client(folder: Path) -> Any:
    import chromadb

    return chromadb.PersistentClient(path=str(folder), settings=_client_settings())


def _client_settings() -> Any:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def _forget_old(home: Path) -> None:
    """Remove the indexes of content that has not been used for longest."""
    others = [folder for folder in home.parent.iterdir() if folder.is_dir() and folder != home]
    for folder in sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".lock").unlink(missing_ok=True)
