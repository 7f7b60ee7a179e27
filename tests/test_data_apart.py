"""No message that judges the guard, or one that nearly says the same, is among those that it is trained on."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from askdmt.encoder import Encoder
from askdmt.guardrails.classifier import BUCKETS, ngram_features
from askdmt.guardrails.exemplars import REMEMBERED, SEPARATOR, load_exemplars
from askdmt.knowledge.sections import load_knowledge
from askdmt.resources import content_folder
from datasets import EVALS, ROOT, lines

EXAMPLES = sorted(Path(os.environ.get("ASKDMT_EXAMPLES", ROOT.parent / "shared" / "examples")).glob("*.jsonl"))
JUDGING = [path for path in [*EVALS, *EXAMPLES] if path.name not in ("disguised.jsonl", "groundedness.jsonl")]

NEAR_WORDS = 0.75  # of the words of two messages are the same: one is taken for a copy of the other
SUSPECT_WORDS = 0.5  # from this share on, the vectors are compared too
NEAR_VECTORS = 0.97  # cosine, by the encoder before it was trained on exemplars
NEAR_GRAMS = 0.9  # cosine of the character n-grams, which works for languages without spaces too
_LEAST_CHARACTERS = 12  # of fewer, only the same text counts
_COMMON_GRAM = 300  # training messages; an n-gram in more of them finds no candidates
_LEAST_WORDS = 4  # of fewer words, only the same text counts: "how much" is anybody's
_SUSPECTS = 400  # the likest pairs whose vectors are compared, so that the test stays short


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower().replace("’", "'")))


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


@cache
def _training() -> tuple[str, ...]:
    questions = (
        question
        for passage in load_knowledge(content_folder("knowledge")).passages.values()
        for question in passage.questions
    )
    return (*(exemplar.text.replace(SEPARATOR, " ") for exemplar in load_exemplars()), *questions)


def _read(path: Path) -> list[str]:
    return [" ".join(item.turns[-REMEMBERED:]) for item in lines(path)]


@cache
def _likest(path: Path) -> tuple[tuple[float, str, str], ...]:
    """Return (share of words in common, judging text, training text) of the pairs that are alike, the likest first."""
    training = [(text, _words(text)) for text in _training()]
    where: dict[str, list[int]] = defaultdict(list)
    for place, (_, words) in enumerate(training):
        for word in words:
            where[word].append(place)
    pairs = []
    for text in _read(path):
        words = _words(text)
        rare = sorted(words, key=lambda word: len(where[word]))[: max(_LEAST_WORDS, len(words) * 2 // 3)]
        shared = Counter(place for word in rare for place in where[word])
        for place, _ in shared.most_common(20):
            other, others = training[place]
            share = len(words & others) / len(words | others)
            if share >= SUSPECT_WORDS and len(words) >= _LEAST_WORDS:
                pairs.append((share, text, other))
    return tuple(sorted(pairs, reverse=True))


@pytest.mark.parametrize("path", JUDGING, ids=lambda path: path.stem)
def test_no_judging_message_is_trained_on(path: Path) -> None:
    known = {_plain(text) for text in _training()}
    least = 1 if path in EVALS else _LEAST_WORDS  # the examples given to us hold single words such as "mg"
    assert [text for text in _read(path) if len(_words(text)) >= least and _plain(text) in known] == []


@pytest.mark.timeout(900)
def test_no_judging_message_is_spelt_nearly_like_one_that_is_trained_on() -> None:
    judging = [text for path in JUDGING for text in _read(path) if len(text) >= _LEAST_CHARACTERS]
    training = list(_training())
    ours, theirs = _grams(judging), _grams(training)
    rare = np.bincount(theirs.indices, minlength=BUCKETS) <= _COMMON_GRAM
    pairs = (_only(ours, rare) @ _only(theirs, rare).T).tocoo()
    common = [np.sqrt(np.maximum(1 - _only(grams, rare).power(2).sum(axis=1).A1, 0)) for grams in (ours, theirs)]
    may_reach = pairs.data + common[0][pairs.row] * common[1][pairs.col] >= NEAR_GRAMS
    rows, columns = pairs.row[may_reach], pairs.col[may_reach]
    close = [
        (judging[row], training[column])
        for row, column in zip(rows, columns, strict=True)
        if float((ours[row] @ theirs[column].T).sum()) >= NEAR_GRAMS
    ]
    assert close == []


def _grams(texts: Sequence[str]) -> csr_matrix:
    features = [ngram_features(text) for text in texts]
    ends = np.cumsum([0, *(len(buckets) for buckets, _ in features)])
    buckets, weights = (np.concatenate([pair[part] for pair in features]) for part in (0, 1))
    return csr_matrix((weights, buckets, ends), shape=(len(texts), BUCKETS))


def _only(grams: csr_matrix, kept: NDArray[np.bool_]) -> csr_matrix:
    """Without the common n-grams, which cost the most time; what they could add at most is reckoned apart."""
    return csr_matrix(grams @ diags(kept.astype(np.float32)))


@pytest.mark.parametrize("path", JUDGING, ids=lambda path: path.stem)
def test_no_judging_message_nearly_repeats_one_that_is_trained_on(path: Path) -> None:
    assert [pair for pair in _likest(path) if pair[0] >= NEAR_WORDS] == []


@pytest.mark.timeout(900)
def test_no_suspect_pair_means_the_same_to_the_untrained_encoder() -> None:
    suspects = sorted((pair for path in JUDGING for pair in _likest(path)), reverse=True)[:_SUSPECTS]
    encoder = Encoder(adapter=None)
    judging, training = (encoder.encode([pair[side] for pair in suspects]) for side in (1, 2))
    cosines = np.sum(judging * training, axis=1)
    assert [pair for pair, cosine in zip(suspects, cosines, strict=True) if cosine >= NEAR_VECTORS] == []


@pytest.mark.parametrize("path", EVALS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_family_is_both_trained_on_and_judged_by(path: Path) -> None:
    held = {json.loads(line)["family"] for line in path.read_text(encoding="utf-8").splitlines()}
    assert held
    assert held & {exemplar.family for exemplar in load_exemplars()} == set()


def test_the_datasheet_counts_the_lines() -> None:
    folder = ROOT / "evals" / "datasets"
    rows = re.findall(
        r"^\| `([\w/*]+\.jsonl)` \| ([\d,]+) \|", (folder / "README.md").read_text(encoding="utf-8"), re.M
    )
    counted = {
        pattern: sum(len(list(lines(file))) for file in folder.glob(pattern))
        for pattern, _ in rows
        if "output" not in pattern
    }
    assert len(counted) >= len({path.name for path in EVALS})
    assert counted == {pattern: int(count.replace(",", "")) for pattern, count in rows if pattern in counted}
