"""Writes MPNet as an ONNX graph in 8-bit numbers that keeps the directions of its vectors.

Quantising each matrix, and all that goes into it, by one scale ruins this model: a few channels of a few tokens are
fifty times as loud as the rest. Here each token has a scale of its own (so a text's vector does not depend on the texts
that share its batch), weights are rounded by what the layer hears (`askdmt.quantisation`), and where one byte for an
input is too coarse it gets two: the second holds what the first left over, and both are multiplied by the same
weights in one go. All else is in 32-bit numbers, in onnxruntime's fused operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from askdmt.quantisation import LEVELS, QUIETEST, Floats, quantise

# The tokens' numbers, and 1 for a token or 0 for padding: int64, (texts, tokens). Then each token's row of the table of
# words: float32, (texts, tokens, width). The table is no part of the graph, so that it can stay on disk.
INPUTS = ("tokens", "mask", "words")
OUTPUT = "vectors"  # float32, (texts, width), each of unit length
_FUSED = "com.microsoft"  # the domain of onnxruntime's own operators
_OPSET, _FUSED_OPSET, _IR = 18, 1, 9
_ZERO = 128  # the byte that stands for 0
_MOST = 127  # from it to the greatest byte
_REST = 2 * _MOST  # steps of the second byte in one of the first

# What share of its inputs' loudness a layer's weights take, and how many bytes an input gets; tried on the messages of
# evals/datasets/development.
_KINDS = {
    "attention.attn.q": (0.3, 2),
    "attention.attn.o": (0.7, 1),
    "intermediate.dense": (0.7, 1),
    "output.dense": (0.3, 2),
}


def write_graph(
    model: Any, texts: Sequence[Mapping[str, Any]], longest: int, target: Path, levels: int = LEVELS
) -> None:
    """Write the graph of a transformers MPNetModel with mean pooling; its weights go into a file beside it.

    The model reads the tokenised `texts`, one after the other, to hear what goes into each layer. Texts of up to
    `longest` tokens can be encoded. Weights are whole numbers from -`levels` to `levels`.
    """
    import onnx
    import torch

    writer = _Writer(model, levels)
    with torch.inference_mode():
        writer.write(texts, longest)
    onnx.save(writer.as_model(), str(target), save_as_external_data=True, location=f"{target.stem}.weights")


def exact_levels() -> int:
    """Return the greatest weight with which this processor multiplies bytes exactly.

    Older ones add two products in 16 bits, where two great ones of greatest weight don't fit; half of it always does.
    """
    import onnxruntime
    from onnx import helper, numpy_helper

    bytes_, weights = np.full((1, 64), 255, dtype=np.uint8), np.full((64, 64), LEVELS, dtype=np.int8)
    node = helper.make_node("MatMulInteger", ["given", "weights"], ["product"])
    given = helper.make_tensor_value_info("given", _type("UINT8"), bytes_.shape)
    product = helper.make_tensor_value_info("product", _type("INT32"), [1, 64])
    constants = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph([node], "exact", [given], [product], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"given": bytes_})
    return LEVELS if (found == bytes_.astype(np.int32) @ weights.astype(np.int32)).all() else LEVELS // 2


class _Writer:
    """The nodes and constants of a graph; a method that adds nodes returns the name of what comes out of them."""

    def __init__(self, model: Any, levels: int) -> None:
        self._model = model
        self._config = model.config
        self._weights: dict[str, Floats] = {
            name: value.detach().float().numpy() for name, value in model.state_dict().items()
        }
        self._levels = levels
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def write(self, texts: Sequence[Mapping[str, Any]], longest: int) -> None:
        """Add everything from the tokens to the vectors."""
        listened = [self._model.embeddings(input_ids=text["input_ids"]) for text in texts]
        hidden = self._embeddings()
        distances = self._distances(longest)
        padding = self._add("Cast", INPUTS[1], to=_type("INT32"))
        for number, layer in enumerate(self._model.encoder.layer):
            heard = _listen(layer, listened, self._model.encoder.compute_position_bias)
            hidden = self._layer(f"encoder.layer.{number}.", heard, hidden, padding, distances)
        self._pool(hidden)

    def as_model(self) -> Any:
        from onnx import helper

        texts, width = ["texts", "tokens"], self._config.hidden_size
        inputs = [helper.make_tensor_value_info(name, _type("INT64"), texts) for name in INPUTS[:2]]
        inputs.append(helper.make_tensor_value_info(INPUTS[2], _type("FLOAT"), [*texts, width]))
        outputs = [helper.make_tensor_value_info(OUTPUT, _type("FLOAT"), ["texts", width])]
        graph = helper.make_graph(self._nodes, "encoder", inputs, outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, _FUSED_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR)

    # The parts of the model

    def _embeddings(self) -> str:
        """Add up what is known of each token and of its position; positions count tokens, not padding."""
        pad = self._constant(np.array(self._config.pad_token_id, dtype=np.int64))
        is_token = self._add("Cast", self._add("Not", self._add("Equal", INPUTS[0], pad)), to=_type("INT64"))
        count = self._add("CumSum", is_token, self._constant(np.array(1, dtype=np.int64)))
        position = self._add("Add", self._add("Mul", count, is_token), pad)
        positions = self._add("Gather", self._weight("embeddings.position_embeddings.weight"), position)
        parts = [self._weight(f"embeddings.LayerNorm.{name}") for name in ("weight", "bias")]
        both = self._add("Add", INPUTS[2], positions)
        return self._add("LayerNormalization", both, *parts, axis=-1, epsilon=float(self._config.layer_norm_eps))

    def _distances(self, longest: int) -> str:
        """Return what each head makes of how far two tokens lie apart, shape (1, heads, tokens, tokens)."""
        import torch

        square = self._model.encoder.compute_position_bias(torch.zeros(1, longest, 1))[0].float().numpy()
        by_distance = np.concatenate([square[:, :0:-1, 0], square[:, 0, :]], axis=1)  # from 1 - longest on
        tokens = self._add("Gather", self._add("Shape", INPUTS[0]), self._whole(1))
        steps = self._add("Range", self._whole(0), tokens, self._whole(1))
        asked, asking = (self._add("Unsqueeze", steps, self._axis(axis)) for axis in (0, 1))
        place = self._add("Add", self._add("Sub", asked, asking), self._whole(longest - 1))
        return self._add("Unsqueeze", self._add("Gather", self._constant(by_distance), place, axis=1), self._axis(0))

    def _layer(self, at: str, heard: Mapping[str, Floats], hidden: str, padding: str, distances: str) -> str:
        together = self._multiplied(at, heard, "attention.attn.q", hidden, "attention.attn.k", "attention.attn.v")
        biases = np.concatenate([self._weights[f"{at}attention.attn.{part}.bias"] for part in "qkv"])
        parts = self._split(self._add("Add", together, self._constant(biases)), 3, axis=-1)
        heads = self._config.num_attention_heads
        seen = self._add("MultiHeadAttention", *parts, "", padding, distances, domain=_FUSED, num_heads=heads)
        seen = self._multiplied(at, heard, "attention.attn.o", seen)
        hidden = self._closed(f"{at}attention.LayerNorm", f"{at}attention.attn.o", seen, hidden)
        inner = self._multiplied(at, heard, "intermediate.dense", hidden)
        inner = self._add("BiasGelu", inner, self._weight(f"{at}intermediate.dense.bias"), domain=_FUSED)
        inner = self._multiplied(at, heard, "output.dense", inner)
        return self._closed(f"{at}output.LayerNorm", f"{at}output.dense", inner, hidden)

    def _closed(self, norm: str, dense: str, update: str, hidden: str) -> str:
        """Add a block's bias, and what went into the block, and normalise."""
        parts = (self._weight(name) for name in (f"{norm}.weight", f"{norm}.bias", f"{dense}.bias"))
        epsilon = float(self._config.layer_norm_eps)
        return self._add("SkipLayerNormalization", update, hidden, *parts, domain=_FUSED, epsilon=epsilon)

    def _pool(self, hidden: str) -> None:
        """Sum the tokens that are no padding, and bring the sum to unit length, as that of their mean would be."""
        kept = self._add("Unsqueeze", self._add("Cast", INPUTS[1], to=_type("FLOAT")), self._axis(2))
        total = self._add("ReduceSum", self._add("Mul", hidden, kept), self._axis(1), keepdims=0)
        length = self._add("Max", self._add("ReduceL2", total, self._axis(1), keepdims=1), self._number(QUIETEST))
        self._add("Div", total, length, out=[OUTPUT])

    # Multiplying in 8 bits

    def _multiplied(self, at: str, heard: Mapping[str, Floats], dense: str, given: str, *beside: str) -> str:
        """Multiply by the weights of a linear layer, and of those `beside` it, which take the same; adds no bias."""
        moved, bytes_each = _KINDS[dense]
        weights = np.concatenate([self._weights[f"{at}{name}.weight"].T for name in (dense, *beside)], axis=1)
        whole = quantise(weights, heard[dense], moved, self._levels)
        given = self._add("Mul", given, self._constant(1 / whole.quieter))
        loudest = self._add("ReduceMax", self._add("Abs", given), self._axis(-1), keepdims=1)
        step = self._add("Mul", self._add("Max", loudest, self._number(QUIETEST)), self._number(1 / _MOST))
        steps = self._add("Div", given, step)
        tokens = self._in_bytes(steps, 1)
        if bytes_each == 2:
            rest = self._add("Sub", steps, self._add("Round", steps))
            tokens = self._add("Concat", tokens, self._in_bytes(rest, 1 / _REST), axis=1)
        matrix = [self._constant(whole.numbers), self._number(1), self._constant(whole.scales), self._zero()]
        product = self._add("MatMulIntegerToFloat", tokens, *matrix, domain=_FUSED)
        if bytes_each == 2:
            product, rest = self._split(product, 2, axis=1)
            product = self._add("Add", product, self._add("Mul", rest, self._number(1 / _REST)))
        return self._add("Mul", product, step)

    def _in_bytes(self, given: str, step: float) -> str:
        return self._add("QuantizeLinear", given, self._number(step), self._zero())

    # The graph

    def _add(self, operator: str, *inputs: str, out: Sequence[str] = (), **attributes: Any) -> str:
        from onnx import helper

        out = list(out) or [f"n{len(self._nodes)}"]
        self._nodes.append(helper.make_node(operator, inputs, out, **attributes))
        return out[0]

    def _split(self, given: str, parts: int, axis: int) -> list[str]:
        out = [f"n{len(self._nodes)}.{part}" for part in range(parts)]
        self._add("Split", given, out=out, axis=axis, num_outputs=parts)
        return out

    def _constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def _weight(self, name: str) -> str:
        return self._constant(self._weights[name])

    def _number(self, value: float) -> str:
        return self._constant(np.array(value, dtype=np.float32))

    def _whole(self, value: int) -> str:
        return self._constant(np.array(value, dtype=np.int64))

    def _axis(self, value: int) -> str:
        return self._constant(np.array([value], dtype=np.int64))

    def _zero(self) -> str:
        return self._constant(np.array(_ZERO, dtype=np.uint8))


def _listen(layer: Any, hidden: list[Any], position_bias: Any) -> dict[str, Floats]:
    """Let a layer read each text, put what comes out in the place of what went in, and return what its parts heard."""
    dense = {name: module for name, module in layer.named_modules() if name in _KINDS}
    heard: dict[str, list[Floats]] = {name: [] for name in dense}

    def ear(name: str) -> Any:
        return lambda _, inputs: heard[name].append(inputs[0].flatten(0, -2).float().numpy())

    hooks = [module.register_forward_pre_hook(ear(name)) for name, module in dense.items()]
    try:
        for place, given in enumerate(hidden):
            hidden[place] = layer(given, None, position_bias(given))[0]
    finally:
        for hook in hooks:
            hook.remove()
    return {name: np.concatenate(tokens) for name, tokens in heard.items()}


def _type(name: str) -> int:
    from onnx import TensorProto

    return int(TensorProto.DataType.Value(name))
