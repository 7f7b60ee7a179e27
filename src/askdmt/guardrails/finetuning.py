"""Fine-tunes the encoder: a low-rank adapter that learns decisions and retrieval together.

Each step takes a batch of exemplars (cross-entropy on their decision) and every sixth step a batch of questions with
the passages that answer them (multiple negatives ranking), so that one vector serves guard and search.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.progress import track
from safetensors.torch import save_file
from torch.nn import functional

from askdmt.encoder import multiplies_bfloat16
from askdmt.guardrails.classifier import LABELS
from askdmt.guardrails.exemplars import Exemplar

SEED = 7
RANK = 16
SCALE = 2.0  # of the adapter's part beside the weight that it is added to
EPOCHS = 3
ADAPTER_RATE, HEAD_RATE = 6e-4, 1e-2  # learning rates; no others were tried with this base
BATCH, PAIR_BATCH = 32, 16
PAIRS_EVERY = 6  # steps
PAIR_WEIGHT = 1.0
HEAD_SCALE = 16.0  # unit vectors need it to give sharp logits
RANKING_SCALE = 20.0
LABEL_SMOOTHING = 0.05
_LONGEST = 96  # tokens
_STEP = 16  # tokens that lengths are rounded up to: oneDNN makes its kernels anew for each shape, and that takes long
_WARM_UP = 0.06  # share of the steps
_REPORT_EVERY = 50  # steps
ADAPTED = ("q", "k", "v", "o", "dense")  # the layers of MPNet that get an adapter

B = TypeVar("B")

Augment = Callable[[Exemplar, int], str]  # exemplar and epoch -> the text to learn from


class LowRank(torch.nn.Module):  # type: ignore[misc]
    """A frozen linear layer with a low-rank update that learns: x W' + bias + SCALE x A' B' (Hu et al., 2021)."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.a = torch.nn.Parameter(torch.empty(RANK, layer.in_features))
        self.b = torch.nn.Parameter(torch.zeros(layer.out_features, RANK))
        torch.nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Any) -> Any:
        """Return the layer's output; `x` is (..., in_features)."""
        whole = functional.linear(x, self.weight, self.bias)
        update = functional.linear(functional.linear(x, self.a.to(x.dtype)), self.b.to(x.dtype))
        return torch.add(whole, update, alpha=SCALE)


def finetune(
    encoder: Any, exemplars: Sequence[Exemplar], augment: Augment, pairs: Sequence[tuple[str, str]], target: Path
) -> None:
    """Train an adapter for a SentenceTransformer and write it to `target`; changes the encoder."""
    torch.manual_seed(SEED)
    chance = random.Random(SEED)  # noqa: S311
    model, tokenizer = with_adapter(encoder[0].model), encoder.tokenizer
    head = torch.nn.Linear(model.config.hidden_size, len(LABELS))
    batches = [batch for epoch in range(EPOCHS) for batch in _batches(exemplars, epoch, augment, chance)]
    weights = _class_weights(exemplars)

    def learn(step: int, batch: tuple[list[str], list[int]]) -> float:
        texts, labels = batch
        logits = head(_embed(model, tokenizer, texts) * HEAD_SCALE)
        loss = functional.cross_entropy(logits, torch.tensor(labels), weight=weights, label_smoothing=LABEL_SMOOTHING)
        loss.backward()
        if step % PAIRS_EVERY == 0:  # by itself: the memory of both losses together is slow to come by
            (PAIR_WEIGHT * _ranking_loss(model, tokenizer, chance.sample(pairs, PAIR_BATCH))).backward()
        return float(loss.item())

    take_steps(batches, learn, model, head, rates=(ADAPTER_RATE, HEAD_RATE), description="Fine-tuning")
    write_adapter(model, target)


def take_steps(
    batches: Sequence[B], learn: Callable[[int, B], float], model: Any, head: Any, *,
    rates: tuple[float, float], description: str,
) -> None:  # fmt: skip
    """Take a step for each batch, at learning rates for the adapter and for the head, and report the mean loss.

    `learn` is given the step's number and its batch, adds up the gradients and returns the loss.
    """
    adapter = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser, schedule = _optimiser(adapter, list(head.parameters()), rates, len(batches))
    console = Console()
    losses: list[float] = []
    for step, batch in enumerate(track(batches, description=description)):
        optimiser.zero_grad()
        losses.append(learn(step, batch))
        torch.nn.utils.clip_grad_norm_([*adapter, *head.parameters()], 1.0)
        optimiser.step()
        schedule.step()
        if len(losses) == _REPORT_EVERY or step == len(batches) - 1:
            mean = sum(losses) / len(losses)
            console.print(f"{description}, step {step + 1} of {len(batches)}: mean loss {mean:.3f}")
            console.file.flush()
            losses.clear()


def with_adapter(model: Any) -> Any:
    """Freeze the model, in bfloat16 where the processor multiplies it natively, and give its layers an adapter each."""
    model.requires_grad_(requires_grad=False)
    if multiplies_bfloat16():
        model.to(torch.bfloat16)
    model.eval()  # no dropout: every epoch already brings the texts in another form, and it costs an eighth of the time
    for module in list(model.modules()):
        for name, layer in list(module.named_children()):
            if name in ADAPTED and isinstance(layer, torch.nn.Linear):
                setattr(module, name, LowRank(layer))
    return model


def _batches(
    exemplars: Sequence[Exemplar], epoch: int, augment: Augment, chance: random.Random
) -> list[tuple[list[str], list[int]]]:
    """Return an epoch's batches; each holds texts of about one length, so that little is spent on padding."""
    order = list(exemplars)
    chance.shuffle(order)
    chunk = BATCH * 16
    batches = []
    for start in range(0, len(order), chunk):
        together = sorted(order[start : start + chunk], key=lambda exemplar: len(exemplar.text))
        for begin in range(0, len(together), BATCH):
            batch = together[begin : begin + BATCH]
            texts = [augment(exemplar, epoch) for exemplar in batch]
            batches.append((texts, [LABELS.index(exemplar.label) for exemplar in batch]))
    chance.shuffle(batches)
    return batches


def _optimiser(adapter: list[Any], head: list[Any], rates: tuple[float, float], steps: int) -> tuple[Any, Any]:
    groups = [{"params": weights, "lr": rate} for weights, rate in zip((adapter, head), rates, strict=True)]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    warm_up = max(1, int(_WARM_UP * steps))
    return optimiser, torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm_up, max(0.02, 1 - step / steps))
    )


def _class_weights(exemplars: Sequence[Exemplar]) -> Any:
    """Return a weight a label: the rarer the heavier, by the square root."""
    counts = Counter(exemplar.label for exemplar in exemplars)
    even = len(exemplars) / len(LABELS)
    return torch.tensor([(even / counts[label]) ** 0.5 if counts[label] else 0.0 for label in LABELS])


def _embed(model: Any, tokenizer: Any, texts: Sequence[str]) -> Any:
    """Return unit-length mean-pooled vectors, as sentence-transformers makes them for this model."""
    tokens = tokenizer(
        list(texts), padding=True, truncation=True, max_length=_LONGEST, pad_to_multiple_of=_STEP, return_tensors="pt"
    )
    hidden = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).last_hidden_state.float()
    mask = tokens["attention_mask"].unsqueeze(-1).float()
    return functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)


def _ranking_loss(model: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> Any:
    questions, passages = zip(*pairs, strict=True)
    likeness = _embed(model, tokenizer, questions) @ _embed(model, tokenizer, passages).T * RANKING_SCALE
    return functional.cross_entropy(likeness, torch.arange(len(pairs)))


def write_adapter(model: Any, target: Path) -> None:
    """Write the adapter's matrices in half precision, named by the module they belong to."""
    tensors = {name: tensor.to(torch.float16).contiguous() for name, tensor in adapter_of(model).items()}
    save_file(tensors, target, {"scale": str(SCALE), "rank": str(RANK)})


def adapter_of(model: Any) -> dict[str, Any]:
    """Return the adapter's matrices, named by the module they belong to."""
    tensors: dict[str, Any] = {}
    for name, module in model.named_modules():
        if isinstance(module, LowRank):
            tensors |= {f"{name}.a": module.a.detach(), f"{name}.b": module.b.detach()}
    return tensors
