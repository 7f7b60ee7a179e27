"""Trains the judge from the exemplars: `make train`, or `python -m askdmt.guardrails.training`.

Writes the encoder's adapter and the classifier's weights; the same exemplars give the same figures
within noise. Needs the extra `train`.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from askdmt.decisions import Decision
from askdmt.encoder import ADAPTER, Encoder, Vectors
from askdmt.errors import GuardrailError
from askdmt.guardrails import classifier, vocabulary
from askdmt.guardrails.classifier import BUCKETS, LABELS, Head, ngram_features
from askdmt.guardrails.disguise import KINDS, disguise
from askdmt.guardrails.exemplars import SEPARATOR, Exemplar, load_exemplars
from askdmt.guardrails.finetuning import finetune
from askdmt.guardrails.normalise import normalise
from askdmt.knowledge.sections import Knowledge, Passage, load_knowledge
from askdmt.resources import content_folder

SEED = 7
REGULARISATION = 2.0  # inverse strength of the L2 penalty, chosen on the development families
FOREIGN_STRENGTH = 40.0  # the same for the head of other languages, which has few exemplars of each
NGRAM_SCALE = 1.5  # what the n-gram features count beside the vector, chosen there too
_WORD = re.compile(r"[a-z']+")
_NUMBER = re.compile(r"\{n\}")
_ENCODE_BATCH = 256
_NOISY_EVERY = 3  # every third exemplar is learnt with typing errors as well
_DIRECTIONS = 96  # of a vector, kept to find the nearest exemplars by
_LEAST_SEEN = 2  # times a word must occur among exemplars to count as known
_ENGLISH_SHARE = 0.7  # of the letters that stand in common English words, for an exemplar to count as English


def main() -> None:
    """Train the encoder's adapter, then the judge, and write what the guard loads.

    With `--vocabulary` the known words are written anew, and nothing is trained: how disguises are undone depends on
    them, so that is done by itself, with an eye on the tests of `normalise`.
    """
    console = Console()
    exemplars = load_exemplars()
    console.print(f"{len(exemplars)} exemplars")
    if sys.argv[1:] == ["--vocabulary"]:
        write_vocabulary(vocabulary.FILE, (exemplar.text for exemplar in exemplars if exemplar.is_english))
        return
    train_adapter(exemplars)
    train_judge(exemplars)
    for path in (ADAPTER, classifier.FILE):
        console.print(f"Wrote {path.name}, {path.stat().st_size / 1e6:.2f} MB")


def train_adapter(exemplars: Sequence[Exemplar]) -> None:
    """Fine-tune the encoder on decisions and on questions with their passages."""
    base = Encoder(adapter=None)
    knowledge = load_knowledge(content_folder("knowledge"))
    pairs = [(question, passage.text) for passage in knowledge.passages.values() for question in passage.questions]
    pairs += [(exemplar.text, _passage(knowledge, exemplar).text) for exemplar in exemplars if exemplar.passages]
    finetune(base.model, exemplars, augmented, pairs, ADAPTER)


def _passage(knowledge: Knowledge, exemplar: Exemplar) -> Passage:
    try:
        return knowledge.passages[exemplar.passages[0]]
    except KeyError:
        raise GuardrailError(
            f"The exemplar {exemplar.id} names the passage {exemplar.passages[0]}, which does not exist.",
            "Name the passage that answers it now.",
        ) from None


def augmented(exemplar: Exemplar, epoch: int) -> str:
    """Return an exemplar as it may be typed: as it is, in lower case, with typos or in disguise; new each epoch.

    A disguise is undone again as the guard does it: what is left of it is what the guard will see.
    """
    seed = f"{exemplar.id}:{epoch}"
    text = filled(exemplar.text, seed)
    chance = random.Random(seed)  # noqa: S311
    kind = chance.random()
    if kind < 0.1 and exemplar.is_english and SEPARATOR not in text:
        return cleaned(disguise(text, chance.choice(sorted(KINDS)), seed))
    text = cleaned(text)
    if kind < 0.3:
        return with_typos(text, seed)
    return text.lower() if kind < 0.4 else text


def train_judge(exemplars: Sequence[Exemplar]) -> None:
    """Fit the heads on the encoder's vectors."""
    texts = [cleaned(filled(exemplar.text, exemplar.id)) for exemplar in exemplars]
    labels = [exemplar.label for exemplar in exemplars]
    some = range(0, len(exemplars), _NOISY_EVERY)
    noisy = [with_typos(texts[row], exemplars[row].id) for row in some]
    encoder = Encoder()
    vectors = encode(encoder, [*texts, *noisy])
    head = fit([*texts, *noisy], vectors, [*labels, *(labels[row] for row in some)])
    foreign = [row for row, exemplar in enumerate(exemplars) if not exemplar.is_english]
    other = fit([texts[row] for row in foreign], vectors[foreign], [labels[row] for row in foreign], FOREIGN_STRENGTH)
    save(classifier.FILE, encoder.name, head, other, exemplars, vectors[: len(exemplars)])


def cleaned(text: str) -> str:
    """Return a message, or each message of a conversation, as the guard reads it."""
    return SEPARATOR.join(normalise(message).text for message in text.split(SEPARATOR))


def filled(text: str, seed: str) -> str:
    """Return an exemplar with a number for each `{n}`; exemplars hold none, since they hold no amounts."""
    numbers = random.Random(seed)  # noqa: S311
    return _NUMBER.sub(lambda _: str(numbers.choice([2, 5, 10, 20, 25, 30, 40, 50, 75, 100, 150, 200])), text)


def with_typos(text: str, seed: str) -> str:
    """Return a text as a hurried thumb might type it: a few letters swapped, dropped or doubled."""
    chance = random.Random(seed)  # noqa: S311
    letters = list(text if chance.random() < 0.5 else text.lower().replace("'", ""))
    for _ in range(max(1, len(letters) // 25)):
        at = chance.randrange(max(len(letters) - 1, 1))
        if not letters[at : at + 1] or not letters[at].isalpha():
            continue
        kind = chance.random()
        if kind < 0.4 and at + 1 < len(letters):
            letters[at], letters[at + 1] = letters[at + 1], letters[at]
        elif kind < 0.8:
            letters[at] = ""
        else:
            letters[at] *= 2
    return "".join(letters)


def write_vocabulary(path: Path, texts: Iterable[str]) -> None:
    """Write common English words, the words of the English exemplars that occur more than once, and the knowledge's.

    The pairs of words that tell which way a text runs are written beside them.
    """
    common = vocabulary.common_words()
    is_english = vocabulary.Vocabulary(common).share
    english = [text for text in texts if is_english(text) >= _ENGLISH_SHARE]
    counts = Counter(word for text in english for word in _words(text))
    known = Counter(common)
    known.update({word: count * vocabulary.OWN_SCALE for word, count in counts.items() if count >= _LEAST_SEEN})
    for passage in load_knowledge(content_folder("knowledge")).passages.values():
        known.update(word for word in _words(passage.text) if counts[word] < _LEAST_SEEN)
    lines = (f"{word} {count}\n" for word, count in sorted(known.items(), key=lambda item: (-item[1], item[0])))
    path.write_text("".join(lines), encoding="utf-8")
    pairs = (f"{first} {second}\n" for first, second in vocabulary.forward_pairs(english))
    path.with_name(vocabulary.PAIRS_FILE.name).write_text("".join(pairs), encoding="utf-8")


def encode(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """Return one vector a text, with a progress bar."""
    starts = range(0, len(texts), _ENCODE_BATCH)
    return np.vstack(
        [encoder.encode(texts[start : start + _ENCODE_BATCH]) for start in track(starts, description="Encoding")]
    )


def fit(texts: Sequence[str], vectors: Vectors, labels: Sequence[Decision], strength: float = REGULARISATION) -> Head:
    """Return a head trained on these texts."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.linear_model import LogisticRegression

    features = hstack([csr_matrix(vectors), ngram_matrix(texts) * NGRAM_SCALE]).tocsr()
    targets = [LABELS.index(label) for label in labels]
    even = len(targets) / len(LABELS)
    weight = {target: (even / count) ** 0.5 for target, count in Counter(targets).items()}  # the rarer, the heavier
    model = LogisticRegression(C=strength, max_iter=400, class_weight=weight, random_state=SEED)
    model.fit(features, targets)
    weights = np.zeros((len(LABELS), features.shape[1]), dtype=np.float32)
    bias = np.full(len(LABELS), -30.0, dtype=np.float32)  # a label without exemplars is never chosen
    known = model.classes_ if len(model.classes_) > 2 else model.classes_[1:]  # two labels share one row
    bias[model.classes_] = 0.0
    weights[known] = model.coef_
    bias[known] = model.intercept_
    width = vectors.shape[1]
    dense, sparse = weights[:, :width].T, weights[:, width:].T * NGRAM_SCALE
    return Head(dense.astype(np.float32), sparse.astype(np.float32), bias.astype(np.float32))


def ngram_matrix(texts: Sequence[str]) -> csr_matrix:  # type: ignore[name-defined]  # noqa: F821
    """Return the hashed character n-grams, shape (len(texts), BUCKETS)."""
    from scipy.sparse import csr_matrix

    indices, values, ends = [], [], [0]
    for text in texts:
        buckets, weights = ngram_features(text)
        indices.append(buckets)
        values.append(weights)
        ends.append(ends[-1] + len(buckets))
    return csr_matrix((np.concatenate(values), np.concatenate(indices), ends), shape=(len(texts), BUCKETS))


def save(
    path: Path,
    encoder: str,
    head: Head,
    foreign: Head,
    exemplars: Sequence[Exemplar],
    vectors: Vectors,
) -> None:
    """Write the weights in half precision, with the exemplars' ids so that the vectors can be told apart.

    The exemplars' vectors only serve to find the nearest ones: they are cut to their main directions, a byte each.
    """
    from safetensors.numpy import save_file

    projection = main_directions(vectors)
    places = vectors @ projection
    tensors = {"projection": projection}
    for name, weights in (("head", head), ("foreign", foreign)):
        tensors |= {f"{name}.dense": weights.dense, f"{name}.sparse": weights.sparse, f"{name}.bias": weights.bias}
    # safetensors writes memory as it lies, so a transposed view would come back scrambled
    packed = {name: np.ascontiguousarray(tensor, dtype=np.float16) for name, tensor in tensors.items()}
    packed["exemplars"] = np.round(places * (127 / max(float(np.abs(places).max()), 1e-9))).astype(np.int8)
    metadata = {
        "encoder": encoder,
        "labels": json.dumps([label.value for label in LABELS]),
        "exemplars": json.dumps([exemplar.id for exemplar in exemplars]),
    }
    save_file(packed, path, metadata)


def main_directions(vectors: Vectors) -> Vectors:
    """Return the directions that tell the vectors apart best, shape (width, at most _DIRECTIONS)."""
    _, directions = np.linalg.eigh(vectors.T @ vectors)
    return np.asarray(directions[:, ::-1][:, :_DIRECTIONS], dtype=np.float32)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("’", "'"))


if __name__ == "__main__":
    main()
