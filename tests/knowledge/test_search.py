"""Search: how ranks are fused, and when the passages are said to answer."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from askdmt.errors import ContentError
from askdmt.knowledge.index import Hit, Index
from askdmt.knowledge.search import (
    FEATURES,
    PARAMETERS,
    Findings,
    Found,
    Search,
    SearchParameters,
    fused,
    load_parameters,
)  # fmt: skip
from askdmt.knowledge.sections import Knowledge, load_knowledge
from fakes import small_knowledge, write_section

VECTOR = np.zeros(4, dtype=np.float32)
WEIGHTS = {"guess": 1.0, "question_similarity": 0.0, "passage_similarity": 0.0, "coverage": 0.0, "lexical": 0.0}
GIVEN = SearchParameters(60, 0.9, 0.15, 0.5, 0.6, 0.0, WEIGHTS)


class ScriptedIndex(Index):
    """Gives the hits that a test says."""

    def __init__(self, *hits: Hit) -> None:
        self.hits = sorted(hits, key=lambda hit: -hit.similarity)

    def nearest(self, _: object, k: int) -> list[Hit]:
        return self.hits[:k]


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    folder = small_knowledge(tmp_path_factory.mktemp("knowledge"))
    write_section(folder, "fox", "A fox ran over the hill at night and nobody heard or saw it run.", order=30)
    return load_knowledge(folder)


def search(knowledge: Knowledge, *hits: Hit, parameters: SearchParameters = GIVEN) -> Search:
    return Search(knowledge, ScriptedIndex(*hits), parameters)


def test_the_nearest_passage_comes_first(knowledge: Knowledge) -> None:
    ranked = search(knowledge, Hit("water#1", "passage", 0.4), Hit("fox#1", "passage", 0.8)).rank("zzz", VECTOR)
    assert [item.passage for item in ranked] == ["fox#1", "water#1"]


def test_a_likeness_to_a_question_counts_more_than_one_to_the_text(knowledge: Knowledge) -> None:
    hits = (Hit("water#1", "passage", 0.80), Hit("fox#1", "question", 0.75), Hit("bread#1", "passage", 0.1))
    first, second, _ = search(knowledge, *hits).rank("zzz", VECTOR)
    assert (first.passage, first.score) == ("fox#1", 0.75)
    assert (second.passage, second.score) == ("water#1", pytest.approx(0.72))


def found(**scores: float) -> tuple[Found, ...]:
    return tuple(Found(passage, score, score, score, 0.0) for passage, score in scores.items())


def test_a_follow_up_is_found_by_both_of_its_readings() -> None:
    with_before = Findings(found(old=0.9, both=0.8), confidence=0.9, threshold=0.6)
    alone = Findings(found(new=0.9, both=0.8), confidence=0.4, threshold=0.6)
    both = fused(with_before, alone)
    assert [item.passage for item in both.found] == ["both", "old", "new"]
    assert both.found[0].score == pytest.approx(0.8)
    assert both.confidence == pytest.approx(0.6 * 0.9 + 0.4 * 0.4)
    assert both.answerable
    assert not fused(alone, alone).answerable
    assert len(fused(with_before, alone, k=2).found) == 2


def test_of_several_likenesses_to_one_passage_the_best_counts(knowledge: Knowledge) -> None:
    hits = (Hit("fox#1", "question", 0.3), Hit("fox#1", "question", 0.7), Hit("fox#1", "passage", 0.2))
    (found,) = search(knowledge, *hits).rank("zzz", VECTOR)
    assert (found.question_similarity, found.passage_similarity) == (0.7, 0.2)


def test_shared_words_lift_a_passage_above_a_nearer_one(knowledge: Knowledge) -> None:
    hits = (Hit("water#1", "passage", 0.50), Hit("fox#1", "passage", 0.45), Hit("bread#1", "passage", 0.1))
    assert search(knowledge, *hits).rank("zzz", VECTOR)[0].passage == "water#1"
    first = search(knowledge, *hits).rank("the fox", VECTOR)[0]
    assert first.passage == "fox#1"
    assert first.score == pytest.approx(0.9 * 0.45 + 0.15)
    assert first.coverage == 1


def test_a_passage_found_by_words_alone_is_taken_to_be_as_far_as_the_last_hit(knowledge: Knowledge) -> None:
    ranked = search(knowledge, Hit("water#1", "passage", 0.3)).rank("bread", VECTOR)
    bread = next(item for item in ranked if item.passage == "bread#1")
    assert bread.passage_similarity == bread.question_similarity == 0.3


def test_a_tie_is_broken_by_the_passages_name(knowledge: Knowledge) -> None:
    hits = (Hit("water#1", "passage", 0.5), Hit("bread#1", "passage", 0.5))
    assert [item.passage for item in search(knowledge, *hits).rank("zzz", VECTOR)] == ["bread#1", "water#1"]


def test_at_most_k_passages_are_given(knowledge: Knowledge) -> None:
    hits = [Hit(passage, "passage", 0.5) for passage in knowledge.passages]
    assert len(search(knowledge, *hits).find("zzz", VECTOR, k=2).found) == 2


@settings(deadline=None, max_examples=50)
@given(
    question=st.sampled_from(["zzz", "fox", "water bread", ""]),
    likenesses=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    guess=st.one_of(st.none(), st.floats(-14, 14)),
)
def test_found_passages_stand_best_first_and_confidence_is_a_share(
    knowledge: Knowledge, question: str, likenesses: list[float], guess: float | None
) -> None:
    hits = [Hit(passage, "passage", value) for passage, value in zip(knowledge.passages, likenesses, strict=True)]
    findings = search(knowledge, *hits).find(question, VECTOR, guess)
    assert [item.score for item in findings.found] == sorted((item.score for item in findings.found), reverse=True)
    assert -1 <= findings.confidence <= 1


# Whether the passages answer


@pytest.mark.parametrize(("similarity", "answerable"), [(0.59, False), (0.6, True)])
@pytest.mark.parametrize("kind", ["passage", "question"])
def test_without_a_guess_likeness_alone_decides(
    knowledge: Knowledge, kind: str, similarity: float, answerable: bool
) -> None:
    findings = search(knowledge, Hit("fox#1", kind, similarity)).find("zzz", VECTOR)
    assert findings.answerable is answerable
    assert findings.confidence == similarity


@pytest.mark.parametrize(("guess", "answerable"), [(-0.1, False), (0.1, True)])
def test_with_a_guess_the_fitted_weights_decide(knowledge: Knowledge, guess: float, answerable: bool) -> None:
    findings = search(knowledge, Hit("fox#1", "passage", 0.1)).find("zzz", VECTOR, guess)
    assert findings.answerable is answerable
    assert findings.confidence == pytest.approx(1 / (1 + math.exp(-guess)))


def test_each_feature_counts_by_its_weight(knowledge: Knowledge) -> None:
    hits = (Hit("fox#1", "passage", 0.4), Hit("fox#1", "question", 0.7))
    plain = search(knowledge, *hits)
    features = plain.features(plain.rank("the fox ran", VECTOR), 1.5)
    assert features["guess"] == 1.5
    assert (features["question_similarity"], features["passage_similarity"]) == (0.7, 0.4)
    assert features["coverage"] == 1
    assert features["lexical"] > 0
    for name in FEATURES:
        parameters = replace(GIVEN, weights={key: float(key == name) for key in FEATURES})
        confidence = search(knowledge, *hits, parameters=parameters).find("the fox ran", VECTOR, 1.5).confidence
        assert confidence == pytest.approx(1 / (1 + math.exp(-features[name])))


@pytest.mark.parametrize("guess", [None, 5.0])
def test_an_index_that_finds_nothing_answers_nothing(knowledge: Knowledge, guess: float | None) -> None:
    findings = search(knowledge, parameters=replace(GIVEN, intercept=-9.0)).find("zzz", VECTOR, guess)
    assert findings.found == ()
    assert not findings.answerable


# The parameters' file


def test_the_shipped_parameters_load() -> None:
    assert set(load_parameters().weights) == set(FEATURES)


def changed(change: dict[str, Any], *without: str) -> str:
    whole = {**json.loads(PARAMETERS.read_text()), **change}
    return json.dumps({key: value for key, value in whole.items() if key not in without})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        changed({"colour": "blue"}),
        changed({}, "intercept"),
        changed({"weights": {}}),
        changed({"weights": dict.fromkeys([*FEATURES, "mood"], 1.0)}),
        changed({"weights": None}),
        changed({"weights": dict.fromkeys(FEATURES, "much")}),
        changed({"dense_depth": "deep"}),
        changed({"dense_depth": 0}),
        changed({"answerable_threshold": None}),
        changed({"answerable_threshold": True}),
        changed({"intercept": float("nan")}),
    ],
)
def test_a_file_that_does_not_hold_the_parameters_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "search.json"
    path.write_text(content)
    with pytest.raises(ContentError, match="Restore it") as caught:
        load_parameters(path)
    assert str(path) in caught.value.problem


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"gone\.json"):
        load_parameters(tmp_path / "gone.json")
