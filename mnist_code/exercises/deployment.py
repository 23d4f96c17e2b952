"""Checks for the exercises of chapter 15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_code.exercises.praise import praise


def check_quantized(quantize: Callable[..., Any]) -> None:
    """Check a `quantize(weights)` of the reader's (chapter 15).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> from mnist_code.browser import quantize
        >>> check_quantized(quantize)
        Right: check_quantized found nothing wrong.
    """
    draw = np.random.default_rng(0)
    weights = draw.normal(size=(5, 40)).astype(np.float32)
    weights *= np.array(
        [[1e-3], [1], [50], [1], [1]], np.float32
    )  # rows of very different size
    weights[3] = 0
    weights[4] = -np.abs(weights[4])
    found = quantize(weights.copy())
    assert found is not None, "It returns None: is there a `return`?"
    two = isinstance(found, tuple | list) and len(found) == 2
    assert two, "It should return two things: integers and steps."
    integers, steps = (np.asarray(value) for value in found)
    for name, array, shape, dtype in (
        ("integers", integers, (5, 40), np.int8),
        ("steps", steps, (5,), np.float32),
    ):
        assert array.shape == shape, (
            f"For weights of shape (5, 40) the {name} should have shape {shape}, "
            f"not {array.shape}."
        )
        assert array.dtype == dtype, (
            f"The {name} should be {np.dtype(dtype)}, not {array.dtype}."
        )
    assert np.isfinite(steps).all(), (
        "A step is no finite number: look at the row of zeros."
    )
    assert (steps > 0).all(), "Each step should be above 0, of a row of zeros too."
    assert integers.min() >= -127, (
        "The integers should go from -127 to 127: -128 has no counterpart."
    )
    error = np.abs(integers * steps[:, None] - weights) / steps[:, None]
    worst = int(error.max(axis=1).argmax())
    assert error.max() < 0.501, (
        f"A weight of row {worst} is {error.max():.2g} steps from its integer; half a step "
        "should do. Is it rounded, not cut off, and has each row a step of its own?"
    )
    largest = np.abs(integers).max(axis=1)[[0, 1, 2, 4]]
    assert (largest == 127).all(), (
        f"The largest weight of each row should become 127 or -127, not {largest.min()}: "
        "smaller steps would be more exact."
    )
    praise("check_quantized")
