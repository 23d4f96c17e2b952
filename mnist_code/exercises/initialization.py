"""The check for the exercise of Chapter 4."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.errors import KeyReuseError

from mnist_code.exercises.feedback import call, checking, kind

SIZES = (64, 100, 100, 50)


def check_init(init: Callable) -> None:
    """Check the reader's `init(key, sizes)` with He's scale from Chapter 4.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

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
    with checking("check_init", init):
        for sizes in (SIZES, SIZES[:2]):
            params = _params(init, 0, sizes)
            _check_structure(params, sizes)
            _check_leaves(params, sizes)
        params = jax.tree.map(np.asarray, _params(init, 0))
        _check_key(init, params)
        _check_scale(params)
        _check_biases(params)
        _check_reuse(init, params)


def _params(init: Callable, seed: int, sizes: tuple[int, ...] = SIZES) -> Any:
    return call(init, jax.random.key(seed), sizes, case=f"for sizes {sizes}")


def _check_structure(params: Any, sizes: tuple[int, ...]) -> None:
    """A list with a pair for each layer."""
    assert isinstance(params, list), (
        f"Your function should return a list with a pair for each layer, not {kind(params)}."
    )
    assert len(params) == len(sizes) - 1, (
        f"The sizes {sizes} describe {len(sizes) - 1} "
        f"layer{'s' * (len(sizes) > 2)}, one between each size and the next, "
        f"but the list has length {len(params)}."
    )
    for number, layer in enumerate(params):
        is_pair = isinstance(layer, tuple) and len(layer) == 2
        assert is_pair, (
            f"Layer {number} should be a pair, the tuple (weights, biases), not {kind(layer)}."
        )


def _check_leaves(params: list, sizes: tuple[int, ...]) -> None:
    """JAX arrays of the right shapes, in float32."""
    for number, (weights, biases) in enumerate(params):
        fan_in, fan_out = sizes[number], sizes[number + 1]
        for name, leaf, shape in (
            ("weights", weights, (fan_out, fan_in)),
            ("biases", biases, (fan_out,)),
        ):
            where = f"The {name} of layer {number}"
            assert isinstance(leaf, jax.Array), (
                f"{where} should be a JAX array, not {kind(leaf)}: use jax.numpy and jax.random."
            )
            assert leaf.shape == shape, (
                f"{where} should have shape {shape}, not {leaf.shape}: weights are [out, in] "
                "and biases [out]."
            )
            assert leaf.dtype == jnp.float32, (
                f"{where} should be float32, not {leaf.dtype}."
            )
            assert np.isfinite(leaf).all(), (
                f"{where} should be finite, but some are nan or infinite: look for a division "
                "by zero or the root of a negative number."
            )


def _check_key(init: Callable, params: list) -> None:
    """The key, and nothing but the key, decides what is drawn."""
    for number, (weights, _) in enumerate(params):
        assert np.ptp(weights) > 0, (
            f"All weights of layer {number} are equal, so its units would always stay alike: "
            "draw them at random."
        )
    assert _equal(params, _params(init, 0)), (
        "The same key gives different parameters each time: draw with `key` and nothing else."
    )
    assert not _equal(params, _params(init, 1)), (
        "Different keys give the same parameters: draw with the `key` that your function receives."
    )


def _equal(one: list, other: list) -> bool:
    """Whether two pytrees hold the same numbers."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def _check_scale(params: list) -> None:
    """A normal distribution with mean 0 and He's standard deviation."""
    for number, (weights, _) in enumerate(params):
        fan_in, fan_out = SIZES[number], SIZES[number + 1]
        right, found = (2 / fan_in) ** 0.5, float(np.std(weights))
        which = f"the weights of layer {number}"
        mistakes = [
            (1, "this is what jax.random.normal draws, not yet scaled"),
            (0.01, "0.01 is the scale of the book's program, so use He's instead"),
            (2 / fan_in, "2 / fan_in is the variance, so take its square root"),
            (1 / fan_in, "1 / fan_in is LeCun's variance, so take the root of He's, 2 / fan_in"),
            (fan_in**-0.5, "this is LeCun's scale; He's variance is 2 / fan_in"),
            (
                (2 / (fan_in + fan_out)) ** 0.5,
                "this is Glorot's scale; He's variance is 2 / fan_in",
            ),
            ((2 / fan_out) ** 0.5, "it goes by the outputs, so count the inputs of the layer"),
            ((2 / (fan_in * fan_out)) ** 0.5, "it goes by all weights, so count the inputs only"),
            ((2 / SIZES[0]) ** 0.5, "this is the scale of the first layer, but each has its own"),
            ((2 / SIZES[-2]) ** 0.5, "this is the scale of the last layer, but each has its own"),
            ((2 / 784) ** 0.5, "784 inputs are MNIST's, so take the number from `sizes`"),
            ((2 * fan_in) ** 0.5, "divide 2 by the inputs instead of multiplying"),
            ((fan_in / 2) ** 0.5, "the fraction is upside down"),
            (
                0.8796 * right,
                "a normal distribution that is cut off at 2 is narrower, so draw with "
                "jax.random.normal",
            ),
            (right / 3**0.5, "a uniform distribution is narrower, so draw with jax.random.normal"),
        ]  # fmt: skip
        mean = float(np.mean(weights))
        assert abs(mean) < 0.1 * found, (
            f"{which[0].upper()}{which[1:]} have a mean of {mean:.3g}, but it should be near 0."
        )
        # The standard deviation of n draws is off by about one part in sqrt(2n).
        if abs(found / right - 1) > 0.05:
            why = next(
                (clause for value, clause in mistakes if abs(found / value - 1) < 0.04),
                f"the layer has {fan_in} inputs, so take the root of 2 / {fan_in}",
            )
            raise AssertionError(
                f"The standard deviation of {which} should be near {right:.4f}, "
                f"but is {found:.4f}: {why}."
            )
        near = float(np.mean(np.abs(weights) < found))
        assert 0.62 < near < 0.72, (
            f"{which[0].upper()}{which[1:]} have the right standard deviation but are not normally "
            "distributed: draw with jax.random.normal."
        )


def _check_biases(params: list) -> None:
    """Zeros, or small random numbers."""
    for number, (_, biases) in enumerate(params):
        size = float(np.sqrt(np.mean(biases**2)))
        assert size == 0 or np.ptp(biases) > 0, (
            f"The biases of layer {number} are all {float(biases[0]):g}: "
            "make them zeros, or draw them at random."
        )
        assert size < 1.5, (
            f"The biases of layer {number} are of size {size:.3g}, so they would drown the "
            "weighted sums: make them zeros, or scale them down."
        )


def _check_reuse(init: Callable, params: list) -> None:
    """Every key is used once."""
    drawn = {
        f"the {name} of layer {number}": np.asarray(leaf).ravel()
        for number, layer in enumerate(params)
        for name, leaf in zip(("weights", "biases"), layer, strict=True)
        if np.ptp(leaf) > 0
    }
    for (one, a), (other, b) in combinations(drawn.items(), 2):
        size = min(len(a), len(b))
        repeated = np.corrcoef(a[:size], b[:size])[0, 1] > 0.9
        assert not repeated, (
            f"{one[0].upper()}{one[1:]} and {other} repeat each other, so a key was used twice: "
            "give each draw a key of its own from jax.random.split."
        )
    try:
        with jax.debug_key_reuse(True):
            jax.eval_shape(lambda key: init(key, SIZES), jax.random.key(0))
    except KeyReuseError as error:
        raise AssertionError(
            "A key is used after it was split or drawn from: give each draw a key of its own."
        ) from error
    except jax.errors.JAXTypeError:
        pass  # the function cannot be traced, and need not be
