"""The weights of a linear layer as whole numbers of 8 bits, chosen by what goes into the layer.

Two things keep what comes out as it was. A loud input is made quieter beforehand, and its weights greater in turn, so
that neither side has outliers that take the 8 bits for themselves (SmoothQuant, Xiao et al., 2023). And what rounding
one input's weights does wrong is made up for in the weights of later inputs, as far as they are heard together (GPTQ,
Frantar et al., 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LEVELS = 127  # greatest whole number
QUIETEST = 1e-6  # magnitude that counts as none
_DAMPING = 0.01  # of the mean square of all inputs, for those that were hardly heard
_LEAST_QUIETER = 0.01
_BLOCK = 32  # inputs whose errors are made up for in all later ones at once


@dataclass(frozen=True, slots=True)
class WholeNumbers:
    """A layer's weights: `numbers * scales / quieter[:, np.newaxis]` is about what they were."""

    numbers: NDArray[np.int8]  # (inputs, outputs)
    scales: Floats  # (outputs,)
    quieter: Floats  # (inputs,), by how much each input is to be divided beforehand


def quantise(weights: Floats, heard: Floats, moved: float, levels: int = LEVELS) -> WholeNumbers:
    """Return the weights, shape (inputs, outputs), as whole numbers from -`levels` to `levels`.

    `heard` are tokens that went into the layer, shape (tokens, inputs). `moved` is the share of an input's loudness,
    0 to 1, that is moved into its weights.
    """
    heard = heard / np.maximum(np.sqrt(np.mean(heard**2, axis=1, keepdims=True)), QUIETEST)  # all tokens count alike
    quieter = _quieter(weights, np.abs(heard).max(axis=0), moved)
    weights = weights * quieter[:, np.newaxis]
    scales = np.maximum(np.abs(weights).max(axis=0), QUIETEST) / np.float32(levels)
    return WholeNumbers(_rounded(weights / scales, heard / quieter, levels), scales, quieter)


def _quieter(weights: Floats, loudest: Floats, moved: float) -> Floats:
    greatest = np.maximum(np.abs(weights).max(axis=1), QUIETEST)
    factors = np.maximum(loudest, QUIETEST) ** moved / greatest ** (1 - moved)
    return np.asarray(np.maximum(factors / np.median(factors), _LEAST_QUIETER), dtype=np.float32)


def _rounded(weights: Floats, heard: Floats, levels: int) -> NDArray[np.int8]:
    """Round one input's weights after the other, and move each error to the inputs still to come."""
    weights = weights.copy()
    numbers = np.empty(weights.shape, dtype=np.int8)
    shares = _shares(heard)
    for start in range(0, len(weights), _BLOCK):
        block = slice(start, start + _BLOCK)
        errors = weights[block]  # a view: each row becomes its error
        for row, own in enumerate(shares[block, block]):
            numbers[start + row] = whole = np.clip(np.rint(errors[row]), -levels, levels)
            errors[row] = (errors[row] - whole) / own[row]
            errors[row + 1 :] -= np.outer(own[row + 1 :], errors[row])
        weights[start + _BLOCK :] -= shares[block, start + _BLOCK :].T @ errors
    return numbers


def _shares(heard: Floats) -> Floats:
    """Return how an input's error spreads to the later ones: the upper triangle U with U'U the inverse of X'X."""
    import torch

    products = (heard.T @ heard).astype(np.float64)
    products[np.diag_indices_from(products)] += _DAMPING * max(float(np.mean(np.diag(products))), QUIETEST)
    lower = torch.from_numpy(np.linalg.cholesky(products[::-1, ::-1]))  # backwards, so that the factor is U's inverse
    backwards = torch.linalg.solve_triangular(lower, torch.eye(len(lower), dtype=lower.dtype), upper=False)
    return np.ascontiguousarray(backwards.numpy()[::-1, ::-1], dtype=np.float32)
