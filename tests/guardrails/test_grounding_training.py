"""What is learnt twice is averaged, and batches keep what belongs together together."""

from __future__ import annotations

import random

import torch

from askdmt.guardrails import grounding_training
from askdmt.guardrails.pairs import Pair


def test_the_averaged_factors_give_the_mean_of_the_updates() -> None:
    torch.manual_seed(1)
    learnt = [{"x.a": torch.randn(2, 5), "x.b": torch.randn(4, 2), "head.weight": torch.randn(1, 3)} for _ in range(2)]
    together = grounding_training.averaged(learnt)
    mean = sum(tensors["x.b"] @ tensors["x.a"] for tensors in learnt) / 2
    torch.testing.assert_close(together["x.b"].float() @ together["x.a"].float(), mean, rtol=0.02, atol=0.02)
    torch.testing.assert_close(
        together["head.weight"].float(), (learnt[0]["head.weight"] + learnt[1]["head.weight"]) / 2, rtol=0.01, atol=0.01
    )


def test_every_pair_is_in_one_batch_beside_those_of_its_passage() -> None:
    pairs = [
        Pair(f"{p}-{s}", f"Passage {p}.", f"Sentence {s}.", s % 2 == 0, (), f"f{p}") for p in range(9) for s in range(4)
    ]
    batches = grounding_training._batches(pairs, random.Random(1))  # noqa: S311
    assert sorted(pair.id for batch in batches for pair in batch) == sorted(pair.id for pair in pairs)
    assert all(len(batch) <= grounding_training.BATCH for batch in batches)
    for batch in batches:
        runs = [
            pair.passage for place, pair in enumerate(batch) if not place or batch[place - 1].passage != pair.passage
        ]
        assert len(runs) == len(set(runs))
