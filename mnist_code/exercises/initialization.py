"""Checks for the exercises of chapter 4."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.praise import praise

SIZES = (64, 100, 100, 50)


def check_init(init: Callable) -> None:
    """Check an `init(key, sizes)` with He's scale, of the reader's (chapter 4).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def init(key, sizes):
        ...     keys = jax.random.split(key, len(sizes) - 1)
        ...     return [
        ...         ((2 / n) ** 0.5 * jax.random.normal(k, (m, n)), jnp.zeros(m))
        ...         for k, n, m in zip(keys, sizes[:-1], sizes[1:])
        ...     ]
        >>> check_init(init)
        Right: check_init found nothing wrong.
    """
    params = init(jax.random.key(0), SIZES)
    _check_structure(params)
    _check_leaves(params)
    _check_keys(init, params)
    _check_scale(params)
    praise("check_init")


def _check_structure(params) -> None:
    """A list of pairs, one for each layer."""
    assert params is not None, "It returns None: is there a `return`?"
    assert isinstance(params, list), (
        f"It should return a list with a pair for each layer, not {type(params).__name__}."
    )
    assert len(params) == len(SIZES) - 1, (
        f"{len(SIZES)} sizes make {len(SIZES) - 1} layers, and it returns {len(params)}."
    )
    for number, layer in enumerate(params):
        is_pair = isinstance(layer, tuple) and len(layer) == 2
        assert is_pair, f"Layer {number} should be a pair (weights, biases)."


def _check_leaves(params) -> None:
    """JAX arrays of the right shapes, float32."""
    for number, (weights, biases) in enumerate(params):
        fan_in, fan_out = SIZES[number], SIZES[number + 1]
        for name, leaf, shape in (
            ("weights", weights, (fan_out, fan_in)),
            ("biases", biases, (fan_out,)),
        ):
            where = f"The {name} of layer {number}"
            assert isinstance(leaf, jax.Array), (
                f"{where} should be a JAX array, not {type(leaf).__name__}."
            )
            assert leaf.shape == shape, (
                f"{where} should have shape {shape}, and have {leaf.shape}. "
                "Weights are [out, in], biases [out]."
            )
            assert leaf.dtype == jnp.float32, (
                f"{where} should be float32, not {leaf.dtype}."
            )
            assert jnp.isfinite(leaf).all(), f"{where} should be finite numbers."


def _equal(one, other) -> bool:
    """Whether two pytrees hold the same numbers."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def _check_keys(init: Callable, params) -> None:
    """The key decides, and each derived key is used once."""
    assert any(float(jnp.std(weights)) > 0 for weights, _ in params), (
        "All weights of a layer are equal: draw them at random."
    )
    assert _equal(params, init(jax.random.key(0), SIZES)), (
        "The same key should give the same parameters: draw with `key`, and from nothing else."
    )
    assert not _equal(params, init(jax.random.key(1), SIZES)), (
        "Another key should give other parameters: draw with `key`."
    )
    drawn = {
        f"the {name} of layer {number}": np.asarray(leaf).ravel()
        for number, layer in enumerate(params)
        for name, leaf in zip(("weights", "biases"), layer, strict=True)
        if float(jnp.std(leaf)) > 0
    }
    for (one, a), (other, b) in combinations(drawn.items(), 2):
        size = min(len(a), len(b))
        repeated = np.corrcoef(a[:size], b[:size])[0, 1] > 0.99
        assert not repeated, (
            f"{one[0].upper()}{one[1:]} and {other} repeat each other: a key was used twice."
        )


def _check_scale(params) -> None:
    """Normal, with mean 0 and He's standard deviation."""
    for number, (weights, _) in enumerate(params):
        fan_in = SIZES[number]
        expected, found = (2 / fan_in) ** 0.5, float(jnp.std(weights))
        assert abs(found / expected - 1) < 0.1, (
            f"Layer {number} has {fan_in} inputs, so its weights should have a standard deviation "
            f"near {expected:.3f}; theirs is {found:.3f}."
        )
        assert abs(float(jnp.mean(weights))) < 0.1 * expected, (
            f"The weights of layer {number} should have a mean near 0."
        )
        assert float(jnp.abs(weights).max()) > 2 * found, (
            f"The weights of layer {number} should be normally distributed."
        )
