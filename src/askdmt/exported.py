"""The encoder as it is served: a graph in 8-bit numbers, run by onnxruntime. Encoding imports no torch.

The graph is made from the original once, and kept in the cache under the hash of all that it is made from. It is used
only while its vectors are like the original's: both encode fixed texts when it is made, and at every start some of
them are encoded again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from askdmt.errors import EncoderError
from askdmt.exported_graph import INPUTS, OUTPUT, exact_levels, write_graph
from askdmt.resources import GUARDRAIL_DATA, read_text

log = logging.getLogger(__name__)

TEXTS = GUARDRAIL_DATA / "encoder_texts.txt"  # one a line; what the original reads when it is exported
LEAST_MEAN, LEAST = 0.995, 0.98  # cosines with the original below which the graph is not used
_FORMAT = 1  # raise when the graph is written in another way
_GRAPH, _WORDS, _TOKENIZER = "encoder.onnx", "words.npy", "tokenizer.json"
_KNOWN, _STATE = "known.npy", "state.json"
_COMPARED_EVERY = 4  # every fourth text is compared, the others show how loud each channel gets
_AT_START = 2  # texts that are compared again at every start
_KEPT = 2  # graphs left in the cache
_LOCK_SECONDS = 1800
_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of the processors, in a container
_BATCH_TOKENS = 1024  # most of a batch, with their padding
_A_RUN = 8  # tokens that take as long as one more run takes beside its tokens

Vectors = NDArray[np.float32]


class Exported:
    """An opened graph with its tokenizer; threads may share it."""

    def __init__(self, folder: Path) -> None:
        """Open the graph in a folder."""
        from onnxruntime import InferenceSession, SessionOptions
        from tokenizers import Tokenizer

        options = SessionOptions()
        options.intra_op_num_threads = 1  # many small steps: several threads would mostly wait for each other
        options.log_severity_level = 3  # errors only
        self._session = InferenceSession(str(folder / _GRAPH), options, providers=["CPUExecutionProvider"])
        self._words = _Words(folder / _WORDS)
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._padding = int((self._tokenizer.padding or {})["pad_id"])
        self._tokenizer.no_padding()  # it is done here, once it is known which texts share a batch

    @cached_property
    def width(self) -> int:
        """Length of a vector."""
        return int(self._session.get_outputs()[0].shape[1])

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one unit-length row a text; texts of about one length share a batch, and each batch has a core."""
        tokens = [self._tokenizer.encode(text).ids for text in texts]
        rows = list(_batches([len(ids) for ids in tokens]))
        found = self._run_all([[tokens[row] for row in together] for together in rows])
        vectors = np.empty((len(texts), self.width), dtype=np.float32)
        vectors[np.concatenate(rows)] = np.concatenate(found)
        return vectors

    def _run_all(self, batches: Sequence[Sequence[list[int]]]) -> list[Vectors]:
        if len(batches) == 1:
            return [self._run(batches[0])]
        return list(self._threads.map(self._run, batches))

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(cores(), thread_name_prefix="askdmt-encoder")

    def _run(self, batch: Sequence[list[int]]) -> Vectors:
        shape = (len(batch), max(map(len, batch)))
        tokens, mask = np.full(shape, self._padding, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, ids in enumerate(batch):
            tokens[row, : len(ids)], mask[row, : len(ids)] = ids, 1
        given = (tokens, mask, self._words.of(tokens))
        (vectors,) = self._session.run([OUTPUT], dict(zip(INPUTS, given, strict=True)))
        return np.asarray(vectors, dtype=np.float32)


class _Words:
    """The table of words; its rows are read from the disk one by one, since a process needs few of its 47 MB."""

    def __init__(self, path: Path) -> None:
        table = np.load(path, mmap_mode="r")
        self._width, self._offset, self._table = table.shape[1], table.offset, table
        self._file = path.open("rb")

    def of(self, tokens: NDArray[np.int64]) -> Vectors:
        """Return each token's row, shape (*tokens.shape, width)."""
        numbers, places = np.unique(tokens, return_inverse=True)
        return self._rows(numbers).astype(np.float32)[places].reshape(*tokens.shape, self._width)

    def _rows(self, numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        if not hasattr(os, "pread"):
            return np.asarray(self._table[numbers])
        size, file = 2 * self._width, self._file.fileno()
        rows = b"".join(os.pread(file, size, self._offset + number * size) for number in numbers.tolist())
        return np.frombuffer(rows, dtype=np.float16).reshape(-1, self._width)


def open_exported(cache: Path, name: str, original: Callable[[], Any]) -> Exported | None:
    """Open the graph of the encoder `name`, made first where there is none; None, with a warning, if it can't be used.

    `original` loads the SentenceTransformer to make it from, in 32-bit numbers.

    Raises:
        EncoderError: the original cannot be loaded.
    """
    folder = cache / "exported" / _key(name)
    try:
        exported = _current(folder) or _made(folder, original)
        if _is_faithful(folder):
            return exported
        log.warning("The exported encoder in %s is too unlike the original: that serves, more slowly.", folder)
    except EncoderError:
        raise
    except Exception as error:
        log.warning(
            "The encoder cannot be exported: the original serves, more slowly. %s: %s", type(error).__name__, error
        )
    return None


def cores() -> int:
    """Return how many processors this process may use, by its affinity and by its container's quota."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text(encoding="ascii").split()
        return max(1, min(usable, int(quota) // int(period)))
    except (OSError, ValueError):  # no container, or no quota: "max"
        return usable


def _key(name: str) -> str:
    """Return the name of the folder for what this encoder, these texts and this onnxruntime make."""
    made_from = f"{_FORMAT}:{name}:{version('onnxruntime')}:{read_text(TEXTS)}"
    return hashlib.sha256(made_from.encode()).hexdigest()[:32]


def _current(folder: Path) -> Exported | None:
    """Return the finished graph; None if there is none, or if it is not what was written or computes otherwise here."""
    try:
        if not _is_whole(folder):
            return None
        exported = Exported(folder)
        known = np.load(folder / _KNOWN)
        likeness = np.sum(exported.encode(_compared()[: len(known)]) * known, axis=1)
        return exported if likeness.min() >= LEAST or not _is_faithful(folder) else None
    except Exception:  # unreadable in any way: it is made again
        return None


def _is_whole(folder: Path) -> bool:
    """Whether each file has the size and time it was written with, or else the same SHA-256."""
    files = _state(folder)["files"]
    return all(_stamp(folder / name) == stamp or _digest(folder / name) == sha for name, (stamp, sha) in files.items())


def _is_faithful(folder: Path) -> bool:
    mean, least = _state(folder)["likeness"]
    return bool(mean >= LEAST_MEAN and least >= LEAST)


def _made(folder: Path, original: Callable[[], Any]) -> Exported:
    """Make the graph in a folder of its own, and put it in place with one rename."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock", timeout=_LOCK_SECONDS):
        if exported := _current(folder):
            return exported  # another process has made it meanwhile
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _export(original(), Path(scratch) / folder.name)
            shutil.rmtree(folder, ignore_errors=True)
            (Path(scratch) / folder.name).rename(folder)
    _forget_old(folder)
    return Exported(folder)


def _export(original: Any, folder: Path) -> None:
    """Write the graph, the tokenizer, and how like the original's its vectors are."""
    folder.mkdir()
    tokenizer, longest = original.tokenizer, original.max_seq_length
    texts = [text for number, text in enumerate(_texts()) if number % _COMPARED_EVERY]
    tokenised = [tokenizer(text, truncation=True, max_length=longest, return_tensors="pt") for text in texts]
    write_graph(original[0].model, tokenised, longest, folder / _GRAPH, exact_levels())
    words = original[0].model.embeddings.word_embeddings.weight
    np.save(folder / _WORDS, words.detach().numpy().astype(np.float16))
    rules = tokenizer.backend_tokenizer
    rules.enable_truncation(longest)
    rules.enable_padding(pad_id=tokenizer.pad_token_id, pad_token=tokenizer.pad_token)
    rules.save(str(folder / _TOKENIZER))
    vectors = original.encode(_compared(), batch_size=1, normalize_embeddings=True, show_progress_bar=False)
    likeness = np.sum(Exported(folder).encode(_compared()) * vectors, axis=1)
    np.save(folder / _KNOWN, vectors[:_AT_START])
    state = {
        "likeness": [float(likeness.mean()), float(likeness.min())],
        "files": {path.name: [_stamp(path), _digest(path)] for path in folder.iterdir()},
    }
    (folder / _STATE).write_text(json.dumps(state, indent=2), encoding="utf-8")


def _texts() -> list[str]:
    return read_text(TEXTS).splitlines()


def _compared() -> list[str]:
    return _texts()[::_COMPARED_EVERY]


def _state(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / _STATE).read_text(encoding="utf-8")))


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield the rows that are encoded together, the shortest first.

    A text joins a batch unless padding the others to its length costs more than a run of its own.
    """
    batch: list[int] = []
    longest = 0
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        padding = (lengths[row] - longest) * len(batch)
        if batch and (padding > _A_RUN or lengths[row] * (len(batch) + 1) > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(row)
        longest = lengths[row]
    if batch:
        yield batch


def _forget_old(folder: Path) -> None:
    """Remove the graphs of other encoders that have not been made most lately."""
    others = [other for other in folder.parent.iterdir() if (other / _STATE).is_file() and other != folder]
    for other in sorted(others, key=lambda other: other.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
        shutil.rmtree(other, ignore_errors=True)
        other.with_suffix(".lock").unlink(missing_ok=True)
