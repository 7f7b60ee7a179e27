"""Trains the check of grounding from its pairs: `make grounding`, or `python -m askdmt.guardrails.grounding_training`.

A low-rank adapter of the base model and a head, on two losses: whether a sentence is borne out, and that the borne-out
sentences of a passage score above its others. It is trained twice in different orders, side by side where there are two
cores, and what was learnt is averaged. Half an hour on two idle cores.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save_file
from torch.nn import functional

from askdmt.encoder import Encoder
from askdmt.exported import cores
from askdmt.guardrails.cross_encoder import FILE, CrossEncoder, shortened, states_of
from askdmt.guardrails.finetuning import RANK, SCALE, adapter_of, take_steps, with_adapter
from askdmt.guardrails.pairs import Pair, load_pairs

SEEDS = (7, 11)
LAYERS = 7  # of the base model's twelve
EPOCHS = 4
BATCH = 24
ADAPTER_RATE, HEAD_RATE = 6e-4, 2e-3  # learning rates
LABEL_SMOOTHING = 0.05
RANKING_WEIGHT = 0.5
_TOGETHER = 64  # passages among which those of about one length are put together


def main() -> None:
    """Train on all pairs and write the check's weights."""
    console = Console()
    pairs = load_pairs()
    console.print(f"{len(pairs)} pairs")
    at_once = min(len(SEEDS), cores())
    Encoder(adapter=None).model  # noqa: B018  (unpacked once, before two need it)
    with ProcessPoolExecutor(at_once, get_context("spawn"), torch.set_num_threads, (cores() // at_once,)) as workers:
        learnt = list(workers.map(_trained, SEEDS))
    metadata = {"scale": str(SCALE), "rank": str(RANK * len(SEEDS)), "layers": str(LAYERS)}
    save_file(averaged(learnt), FILE, metadata)
    console.print(f"Wrote {FILE.name}, {FILE.stat().st_size / 1e6:.2f} MB")


def _trained(seed: int) -> dict[str, Any]:
    return train(load_pairs(), Encoder(adapter=None).model, seed)


def train(pairs: Sequence[Pair], base: Any, seed: int) -> dict[str, Any]:
    """Train an adapter and a head for a base model, which it changes; return their tensors by name."""
    torch.manual_seed(seed)
    chance = random.Random(seed)  # noqa: S311
    model = with_adapter(shortened(base[0].model, LAYERS))
    head = torch.nn.Linear(3 * model.config.hidden_size, 1)
    torch.nn.init.zeros_(head.weight)
    judge = CrossEncoder(states_of(model), base.tokenizer, head.weight, head.bias)
    batches = [batch for _ in range(EPOCHS) for batch in _batches(pairs, chance)]

    def learn(_: int, batch: list[Pair]) -> float:
        loss = _loss(judge, batch)
        loss.backward()
        return float(loss.item())

    take_steps(batches, learn, model, head, rates=(ADAPTER_RATE, HEAD_RATE), description=f"Training, seed {seed}")
    return adapter_of(model) | {f"head.{name}": weight.detach() for name, weight in head.named_parameters()}


def averaged(learnt: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return tensors whose updates are the mean of several adapters': their factors stand beside one another."""
    together = {}
    for name in learnt[0]:
        parts = [tensors[name].float() for tensors in learnt]
        if name.endswith(".a"):
            whole = torch.cat(parts)
        elif name.endswith(".b"):
            whole = torch.cat(parts, dim=1) / len(parts)
        else:
            whole = torch.stack(parts).mean(0)
        together[name] = whole.to(torch.float16).contiguous()
    return together


def _batches(pairs: Sequence[Pair], chance: random.Random) -> list[list[Pair]]:
    """Return an epoch's batches: the pairs of one passage stand together, and passages of about one length."""
    families: dict[str, list[Pair]] = {}
    for pair in pairs:
        families.setdefault(pair.passage, []).append(pair)
    order = list(families.values())
    chance.shuffle(order)
    batches = []
    for start in range(0, len(order), _TOGETHER):
        together = sorted(order[start : start + _TOGETHER], key=lambda family: len(family[0].passage))
        flat = [pair for family in together for pair in family]
        batches += [flat[begin : begin + BATCH] for begin in range(0, len(flat), BATCH)]
    chance.shuffle(batches)
    return batches


def _loss(judge: CrossEncoder, batch: Sequence[Pair]) -> Any:
    logits = judge.logits([(pair.passage, pair.sentence) for pair in batch])
    labels = torch.tensor([float(pair.supported) for pair in batch])
    soft = labels * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
    loss = functional.binary_cross_entropy_with_logits(logits, soft)
    twins = [
        (high, low)
        for high, better in enumerate(batch)
        for low, worse in enumerate(batch)
        if better.supported and not worse.supported and better.passage == worse.passage
    ]
    if not twins:
        return loss
    high, low = zip(*twins, strict=True)
    return loss + RANKING_WEIGHT * functional.softplus(logits[list(low)] - logits[list(high)]).mean()


if __name__ == "__main__":
    main()
