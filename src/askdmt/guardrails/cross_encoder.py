"""Reads a passage and a sentence together and says how far the one bears the other out.

It is the encoder's base model, cut to its first layers, with a low-rank adapter of its own and a linear head. What is
read is `<s> passage </s></s> sentence </s>`; the head sees the first token, and mean and maximum over the sentence's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from askdmt.encoder import Encoder, merge_adapter, multiplies_bfloat16
from askdmt.errors import GuardrailError
from askdmt.resources import GUARDRAIL_DATA

FILE = GUARDRAIL_DATA / "grounding.safetensors"
_LONGEST = 192  # tokens; of what is longer the passage is cut
_STEP = 16  # tokens that lengths are rounded up to: oneDNN makes its kernels anew for each shape, and that takes long
_BATCH = 8


class CrossEncoder:
    """A transformer over pairs with its head; `weight` is (1, 3 x width), `bias` (1,).

    `states` returns a transformer's last states, shape (pairs, tokens, width), for token ids and attention mask.
    """

    def __init__(self, states: Callable[[Any, Any], Any], tokenizer: Any, weight: Any, bias: Any) -> None:
        self.weight, self.bias = weight, bias
        self._states = states
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, file: Path = FILE, cache: Path | None = None, base: Any = None) -> CrossEncoder:
        """Load the trained one on its base, a SentenceTransformer; by default the packaged model.

        Raises:
            EncoderError: the base model cannot be loaded.
            GuardrailError: the trained part is missing or does not fit.
        """
        base = base or Encoder(adapter=None, cache=cache).model
        try:
            import torch
            from safetensors import safe_open

            from askdmt.guardrails.packed_mpnet import PackedMPNet

            with safe_open(file, framework="pt") as parts:
                layers = int(parts.metadata()["layers"])
                weight, bias = parts.get_tensor("head.weight").float(), parts.get_tensor("head.bias").float()
            model = shortened(base[0].model, layers)
            merge_adapter(base, file)
        except Exception as error:
            raise GuardrailError(
                f"The check of grounding {file} cannot be used.", "Restore it: make grounding."
            ) from error
        model.requires_grad_(requires_grad=False)
        model = model.to(torch.bfloat16) if multiplies_bfloat16() else model
        states = PackedMPNet(model) if model.config.model_type == "mpnet" else states_of(model)
        return cls(states, base.tokenizer, weight, bias)

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return for each (passage, sentence) how far it is borne out, 0 to 1."""
        import torch

        found: list[float] = []
        with torch.inference_mode():
            for start in range(0, len(pairs), _BATCH):
                found += torch.sigmoid(self.logits(pairs[start : start + _BATCH])).tolist()
        return found

    def logits(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """Return a number for each (passage, sentence), shape (len(pairs),); above 0 it is rather borne out."""
        import torch
        from torch.nn import functional

        tokens = self._tokenizer(
            [passage for passage, _ in pairs], [sentence for _, sentence in pairs], padding=True,
            truncation="only_first", max_length=_LONGEST, pad_to_multiple_of=_STEP, return_tensors="pt",
        )  # fmt: skip
        hidden = self._states(tokens["input_ids"], tokens["attention_mask"])
        inside = torch.tensor([[part == 1 for part in tokens.sequence_ids(row)] for row in range(len(pairs))])
        hidden, inside = hidden.float(), inside.unsqueeze(-1)
        mean = (hidden * inside).sum(1) / inside.sum(1).clamp(min=1)
        highest = hidden.masked_fill(~inside, -1e4).amax(1)
        pooled = [functional.layer_norm(part, part.shape[-1:]) for part in (hidden[:, 0], mean, highest)]
        return functional.linear(torch.cat(pooled, dim=1), self.weight, self.bias).squeeze(1)


def states_of(model: Any) -> Callable[[Any, Any], Any]:
    """Return how to get the last states of a model of transformers."""
    return lambda ids, mask: model(input_ids=ids, attention_mask=mask).last_hidden_state


def shortened(model: Any, layers: int) -> Any:
    """Cut a transformer to its first layers, in place."""
    model.encoder.layer = model.encoder.layer[:layers]
    return model
