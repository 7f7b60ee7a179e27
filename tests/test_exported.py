"""The exported encoder: like the original, made once, made again when it is broken, and never used when it is unlike.

The original here is a small MPNet with random weights.
"""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from askdmt import encoder as encoder_module
from askdmt import exported
from askdmt.encoder import Encoder
from askdmt.errors import EncoderError
from askdmt.exported import TEXTS, Exported, cores, open_exported

LONGEST = 40  # tokens
QUESTIONS = [
    "What is DMT?",
    "Is it safe for me?",
    "no",
    "",
    "How long does a session of the trial last, and who is there?",
]
LONG_TEXT = "People in the trial were asked how they felt. " * 20


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A SentenceTransformer that is MPNet in small: two layers, random weights, the words of the fixed texts."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import MPNetConfig, MPNetModel, MPNetTokenizerFast
    from transformers.utils import logging as transformers_logging

    folder = tmp_path_factory.mktemp("original")
    letters = {letter for letter in TEXTS.read_text(encoding="utf-8").lower() if not letter.isspace()}
    pieces = [*sorted(letters), *(f"##{letter}" for letter in sorted(letters)), "dmt", "safe", "trial", "people"]
    words = ["<s>", "<pad>", "</s>", "[UNK]", *pieces, "<mask>"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    transformers_logging.set_verbosity_error()
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=len(words), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=LONGEST + 2, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    MPNetModel(config).save_pretrained(folder)
    MPNetTokenizerFast(str(folder / "vocab.txt"), model_max_length=LONGEST).save_pretrained(folder)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    model.max_seq_length = LONGEST
    return model


@pytest.fixture(scope="module")
def made(original: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the exported encoder in it."""
    cache = tmp_path_factory.mktemp("made")
    assert open_exported(cache, "small", lambda: original)
    return cache


@pytest.fixture
def cache(made: Path, tmp_path: Path) -> Path:
    """A cache of its own with the exported encoder in it."""
    return Path(shutil.copytree(made, tmp_path / "cache"))


def never() -> Any:
    raise AssertionError("the original is loaded")


def opened(cache: Path) -> Exported:
    found = open_exported(cache, "small", never)
    assert found
    return found


def folder_of(cache: Path) -> Path:
    (folder,) = (path for path in (cache / "exported").iterdir() if path.is_dir())
    return folder


def by_original(original: Any, texts: Sequence[str]) -> np.ndarray[Any, Any]:
    return np.asarray(original.encode(list(texts), normalize_embeddings=True, show_progress_bar=False))


# What it computes


def test_its_vectors_are_the_originals(original: Any, made: Path) -> None:
    texts = [*QUESTIONS, LONG_TEXT, "Ünknown wörds ☃"]
    likeness = np.sum(opened(made).encode(texts) * by_original(original, texts), axis=1)
    assert likeness.min() > 0.995


def test_a_text_that_is_too_long_is_cut_where_the_original_cuts_it(made: Path) -> None:
    whole, cut = opened(made).encode([LONG_TEXT, f"{LONG_TEXT} and nobody reads this"])
    assert whole.tolist() == cut.tolist()


def test_a_vector_has_unit_length_and_stands_in_its_texts_row(made: Path) -> None:
    encoder = opened(made)
    texts = [f"{'word ' * (number % 7)}{number}" for number in range(70)]  # of several batches
    vectors = encoder.encode(texts)
    assert vectors.shape == (70, encoder.width) == (70, 64)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for row in (0, 31, 69):
        np.testing.assert_allclose(vectors[row], encoder.encode([texts[row]])[0], atol=1e-4)


def test_a_vector_does_not_depend_on_the_texts_beside_it(made: Path) -> None:
    encoder = opened(made)
    alone = encoder.encode(["Is it safe for me?"])[0]
    beside = encoder.encode(["Is it safe for me?", LONG_TEXT, *QUESTIONS])[0]
    np.testing.assert_allclose(alone, beside, atol=1e-4)


def test_texts_share_a_batch_while_padding_costs_less_than_a_run() -> None:
    assert list(exported._batches([12, 60, 12, 11])) == [[3, 0, 2], [1]]
    assert list(exported._batches([5, 9])) == [[0, 1]]
    many = list(exported._batches([400] * 5))
    assert [len(batch) for batch in many] == [2, 2, 1]
    assert sorted(row for batch in many for row in batch) == list(range(5))


def test_threads_may_share_it(made: Path) -> None:
    encoder = opened(made)
    expected = [encoder.encode([text])[0] for text in QUESTIONS]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda text: encoder.encode([text])[0], QUESTIONS * 8))
    np.testing.assert_allclose(found, expected * 8, atol=1e-5)


# When it is made


def test_it_is_made_once_and_then_opened_without_the_original(made: Path) -> None:
    assert opened(made).encode(["What is DMT?"]).shape == (1, 64)


@pytest.mark.parametrize("file", ["encoder.onnx", "encoder.weights", "tokenizer.json", "words.npy", "state.json"])
@pytest.mark.parametrize("harm", ["removed", "changed"])
def test_a_file_that_is_not_what_was_written_makes_it_be_made_again(
    original: Any, cache: Path, file: str, harm: str
) -> None:
    path = folder_of(cache) / file
    if harm == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3] + b"???")
    loads = []
    assert open_exported(cache, "small", lambda: loads.append(1) or original)
    assert loads == [1]
    assert opened(cache)


def test_files_that_were_copied_are_still_what_was_written(cache: Path) -> None:
    for path in folder_of(cache).iterdir():
        path.touch()
    assert opened(cache)


def test_a_graph_that_computes_otherwise_here_is_made_again(original: Any, cache: Path) -> None:
    folder = folder_of(cache)
    known = np.load(folder / "known.npy")
    np.save(folder / "known.npy", -known)
    state = json.loads((folder / "state.json").read_text())
    state["files"]["known.npy"] = [exported._stamp(folder / "known.npy"), exported._digest(folder / "known.npy")]
    (folder / "state.json").write_text(json.dumps(state))
    loads = []
    assert open_exported(cache, "small", lambda: loads.append(1) or original)
    assert loads == [1]


def test_another_encoder_has_another_one_and_the_oldest_goes(original: Any, cache: Path) -> None:
    for name in ("second", "third"):
        assert open_exported(cache, name, lambda: original)
    kept = [path for path in (cache / "exported").iterdir() if path.is_dir()]
    assert len(kept) == 2
    assert open_exported(cache, "third", never)


def test_two_that_start_at_once_make_one(original: Any, tmp_path: Path) -> None:
    loads, both = [], threading.Barrier(2)

    def load() -> Any:
        loads.append(1)
        return original

    def start(_: int) -> Exported | None:
        both.wait(30)
        return open_exported(tmp_path, "small", load)

    with ThreadPoolExecutor(2) as threads:
        assert all(threads.map(start, range(2)))
    assert loads == [1]


# When it is not used


def test_one_that_is_unlike_the_original_is_not_used_nor_made_at_each_start(
    original: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exported, "LEAST_MEAN", 1.1)
    with caplog.at_level(logging.WARNING, "askdmt.exported"):
        assert open_exported(tmp_path, "small", lambda: original) is None
        assert open_exported(tmp_path, "small", never) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "too unlike the original" in caplog.text


def test_one_that_cannot_be_made_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "askdmt.exported"):
        assert open_exported(tmp_path, "small", lambda: object()) is None
    assert "cannot be exported" in caplog.text
    assert [path for path in (tmp_path / "exported").iterdir() if path.is_dir()] == []


def test_an_original_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    def broken() -> Any:
        raise EncoderError("The model is gone.", "Reinstall it.")

    with pytest.raises(EncoderError, match="The model is gone"):
        open_exported(tmp_path, "small", broken)


def test_without_an_export_the_original_itself_serves(
    original: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(cache=tmp_path)
    monkeypatch.setattr(encoder_module, "open_exported", lambda *_: None)
    monkeypatch.setattr(encoder, "_load", lambda: original)
    vectors = encoder.encode(QUESTIONS)
    assert encoder.width == 64
    assert np.sum(vectors * by_original(original, QUESTIONS), axis=1).min() > 0.99


def test_a_model_of_somebodys_own_is_not_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "open_exported", lambda *_: never())
    assert Encoder("some/model")._exported is None


# How many cores there are


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("9900000 100000", 8),
        ("", 8),
    ],
)
def test_threads_follow_the_affinity_and_the_containers_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, count: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(exported, "_QUOTA", tmp_path / "cpu.max")
    if quota:
        (tmp_path / "cpu.max").write_text(quota)
    assert cores() == count
