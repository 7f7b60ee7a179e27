"""Weights in 8 bits: what comes out of a layer stays what it was, outliers or not."""

from __future__ import annotations

import numpy as np
import pytest

from askdmt.quantisation import LEVELS, Floats, quantise

INPUTS, OUTPUTS = 64, 48


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.default_rng(5)


def heard_by(chance: np.random.Generator, outlier: float = 1.0) -> Floats:
    """Tokens whose inputs go together, one of them louder than the rest."""
    mixed = chance.standard_normal((400, 12)) @ chance.standard_normal((12, INPUTS))
    tokens = mixed + 0.3 * chance.standard_normal((400, INPUTS))
    tokens[:, 7] *= outlier
    return tokens.astype(np.float32)


def error(product: Floats, exact: Floats) -> float:
    return float(np.linalg.norm(product - exact) / np.linalg.norm(exact))


def peak(tokens: Floats) -> float:
    """Return how many times as loud as the median input the loudest is."""
    loudness = np.abs(tokens).max(axis=0)
    return float(loudness.max() / np.median(loudness))


def plainly_rounded(weights: Floats, levels: int) -> Floats:
    scales = np.abs(weights).max(axis=0) / levels
    return np.asarray(np.rint(weights / scales) * scales, dtype=np.float32)


@pytest.mark.parametrize("levels", [LEVELS, LEVELS // 2])
def test_what_comes_out_is_nearer_than_by_plain_rounding(chance: np.random.Generator, levels: int) -> None:
    tokens, weights = heard_by(chance), chance.standard_normal((INPUTS, OUTPUTS)).astype(np.float32)
    whole = quantise(weights, tokens, moved=0.0, levels=levels)
    assert np.abs(whole.numbers).max() <= levels
    product = (tokens / whole.quieter) @ (whole.numbers * whole.scales)
    exact = tokens @ weights
    assert error(product, exact) < 0.8 * error(tokens @ plainly_rounded(weights, levels), exact)


def test_a_loud_input_is_made_quieter_and_the_product_stays(chance: np.random.Generator) -> None:
    tokens, weights = heard_by(chance, outlier=50), chance.standard_normal((INPUTS, OUTPUTS)).astype(np.float32)
    whole = quantise(weights, tokens, moved=0.5)
    assert whole.quieter.argmax() == 7
    quiet = tokens / whole.quieter
    assert peak(quiet) < 0.6 * peak(tokens)
    assert error(quiet @ (whole.numbers * whole.scales), tokens @ weights) < 0.02


def test_an_input_that_is_never_heard_does_no_harm(chance: np.random.Generator) -> None:
    tokens, weights = heard_by(chance, outlier=0), chance.standard_normal((INPUTS, OUTPUTS)).astype(np.float32)
    whole = quantise(weights, tokens, moved=0.5)
    assert np.isfinite(whole.scales).all()
    assert np.isfinite(whole.quieter).all()
    assert error((tokens / whole.quieter) @ (whole.numbers * whole.scales), tokens @ weights) < 0.05


def test_weights_that_are_all_nought_stay_so(chance: np.random.Generator) -> None:
    whole = quantise(np.zeros((INPUTS, OUTPUTS), np.float32), heard_by(chance), moved=0.3)
    assert not whole.numbers.any()
