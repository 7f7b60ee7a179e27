"""MPNet's layers written out for the processor: the same numbers as transformers' model in about half the time.

Each weight is laid out once as oneDNN wants it, instead of at every call; query, key and value are one product; the
attention is PyTorch's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

_MASKED = -1e4
_ROWS = 64  # tokens that weights are laid out for


class PackedMPNet:
    """Takes the place of an MPNetModel of transformers for inference."""

    def __init__(self, model: Any) -> None:
        self._embeddings = model.embeddings
        self._position_bias = model.encoder.compute_position_bias
        self._heads = model.config.num_attention_heads
        with torch.no_grad():
            self._layers = [_Layer.of(layer) for layer in model.encoder.layer]
        model.encoder.layer = torch.nn.ModuleList()  # the weights as they were are not needed any more

    def __call__(self, input_ids: Any, attention_mask: Any) -> Any:
        """Return the last layer's states, shape (texts, tokens, width)."""
        x = self._embeddings(input_ids=input_ids)
        mask = (1 - attention_mask[:, None, None, :].to(x.dtype)) * _MASKED
        bias = self._position_bias(x).to(x.dtype).expand(len(x), -1, -1, -1) + mask
        for layer in self._layers:
            x = layer(x, bias, self._heads)
        return x


@dataclass(frozen=True, slots=True)
class _Layer:
    attend: _Linear
    merge: _Linear
    widen: _Linear
    narrow: _Linear
    norms: tuple[Any, Any]

    @classmethod
    def of(cls, layer: Any) -> _Layer:
        attention = layer.attention.attn
        parts = (attention.q, attention.k, attention.v)
        return cls(
            _Linear(torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])),
            _Linear(attention.o.weight, attention.o.bias),
            _Linear(layer.intermediate.dense.weight, layer.intermediate.dense.bias),
            _Linear(layer.output.dense.weight, layer.output.dense.bias),
            (layer.attention.LayerNorm, layer.output.LayerNorm),
        )

    def __call__(self, x: Any, bias: Any, heads: int) -> Any:
        texts, tokens, width = x.shape
        query, key, value = self.attend(x).view(texts, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = self.norms[0](self.merge(seen.transpose(1, 2).reshape(texts, tokens, width)) + x)
        return self.norms[1](self.narrow(functional.gelu(self.widen(x))) + x)


class _Linear:
    """A linear layer whose weight is laid out beforehand, where this PyTorch can."""

    def __init__(self, weight: Any, bias: Any) -> None:
        self._bias = bias
        self._weight = weight.detach().contiguous()
        self._is_packed = False
        if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
            self._weight = torch.ops.mkldnn._reorder_linear_weight(self._weight, _ROWS)
            self._is_packed = True

    def __call__(self, x: Any) -> Any:
        if self._is_packed:
            return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return functional.linear(x, self._weight, self._bias)
