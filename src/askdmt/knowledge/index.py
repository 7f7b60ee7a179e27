"""The dense index: Chroma, filled through langchain-chroma, keyed by the content it was built from.

Each passage is indexed by its own text and by the questions that it answers. An embedded index lies in the cache
folder under the digest of knowledge and encoder, so that a stale one is never opened; it is built in a folder of its
own under a lock and becomes current by one atomic rename, so that two processes may start at once. What an index of
earlier content holds already is taken from there: only new and changed texts are encoded.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from askdmt.encoder import Encoder
from askdmt.errors import AskDMTError, SearchIndexError
from askdmt.knowledge.sections import Knowledge

_FORMAT = 2  # raise when what is stored changes
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

    def __init__(self, collection: Any) -> None:
        self._collection = collection

    def nearest(self, vector: NDArray[np.float32], k: int) -> list[Hit]:
        """Return the `k` nearest stored texts, nearest first.

        Raises:
            SearchIndexError: the store cannot be read.
        """
        try:
            found = self._collection.query(vector[np.newaxis], n_results=k, include=["distances"])
            entries = zip(found["ids"][0], found["distances"][0], strict=True)
            return [Hit(*_named(key), 1.0 - distance) for key, distance in entries]
        except Exception as error:
            raise SearchIndexError("The search index cannot be read.", "Run: askdmt index --rebuild") from error

    def __len__(self) -> int:
        return int(self._collection.count())


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
        earlier = None if rebuild else _earlier_embedded(home, encoder)
        index = _fill(_embedded_client(folder), key, knowledge, encoder, earlier, progress)
        state = {"folder": folder.name, "entries": len(index), "encoder": encoder.name}
        pointer = home / f"{folder.name}.json"
        pointer.write_text(json.dumps(state), encoding="utf-8")
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
        index = _read(_embedded_client(folder), key)
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
        if not rebuild and _holds(client, key) and len(index := _read(client, key)) == len(_entries(knowledge)):
            return index
        earlier = None if rebuild else _earlier_in_server(client, key, encoder)
        return _fill(client, key, knowledge, encoder, earlier, progress)
    except Exception as error:
        raise SearchIndexError(f"The Chroma server at {url} cannot be used.", "Check 'chroma_url'.") from error


def _fill(
    client: Any, key: str, knowledge: Knowledge, encoder: Encoder, earlier: Any, progress: Progress | None
) -> Index:
    """Fill a collection; texts that the collection `earlier` has too are not encoded again."""
    from langchain_chroma import Chroma

    known: dict[str, Any] = {}
    store = Chroma(
        client=client,
        collection_name=_name(key),
        embedding_function=encoder.as_embeddings(known),
        collection_metadata={"encoder": encoder.name},
        collection_configuration={"hnsw": {"space": "cosine"}},
    )
    entries = _entries(knowledge)
    for start in range(0, len(entries), _BATCH):
        batch = entries[start : start + _BATCH]
        ids = [_id(*entry) for entry in batch]
        known.clear()
        known.update(_stored(earlier, ids))
        store.add_texts([text for _, _, text in batch], ids=ids)
        if progress:
            progress(start + len(batch), len(entries))
    return _read(client, key)


def _id(passage: str, kind: str, text: str) -> str:
    """Return an entry's id; it says what a search must know, so that none has to read metadata as well."""
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()[:32]}:{passage}"


def _named(key: str) -> tuple[str, str]:
    """Return the passage and the kind that an id stands for."""
    kind, _, passage = key.split(":", 2)
    return passage, kind


def _stored(earlier: Any, ids: list[str]) -> dict[str, Any]:
    """Return the vectors of those entries that a collection has, by text; none if it cannot be read."""
    if earlier is None:
        return {}
    try:
        found = earlier.get(ids=ids, include=["documents", "embeddings"])
        return dict(zip(found["documents"], found["embeddings"], strict=True))
    except Exception:
        return {}


def _earlier_embedded(home: Path, encoder: Encoder) -> Any:
    """Return the collection that this encoder has filled most lately; None if there is none that can be opened."""
    others = (other for other in home.parent.iterdir() if other != home and (other / _CURRENT).is_file())
    for other in sorted(others, key=lambda other: other.stat().st_mtime, reverse=True):
        with suppress(Exception):  # unreadable in any way: it is of no use
            state = json.loads((other / _CURRENT).read_text(encoding="utf-8"))
            if state["encoder"] == encoder.name:
                return _embedded_client(other / state["folder"]).get_collection(_name(other.name))
    return None


def _earlier_in_server(client: Any, key: str, encoder: Encoder) -> Any:
    """Return another collection that this encoder has filled; None if there is none."""
    filled = (
        collection
        for collection in client.list_collections()
        if collection.name != _name(key) and (collection.metadata or {}).get("encoder") == encoder.name
    )
    return max(filled, key=lambda collection: collection.count(), default=None)


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


def _read(client: Any, key: str) -> Index:
    """Open a collection to search it; without LangChain, which would double the time that this takes."""
    return Index(client.get_collection(_name(key), embedding_function=None))


def _holds(client: Any, key: str) -> bool:
    return any(collection.name == _name(key) for collection in client.list_collections())


def _name(key: str) -> str:
    return f"askdmt-{key}"


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
