"""The check for the exercise of Chapter 15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_code.exercises.feedback import call, check_shape, checking, numbers, unpack

ROWS = 6
COLUMNS = 40
ZEROS = 3  # the row whose weights are all 0


def check_quantized(quantize: Callable[..., Any]) -> None:
    """Check the reader's `quantize(weights)` from Chapter 15.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> from mnist_code.browser import quantize
        >>> check_quantized(quantize)
        Right: check_quantized found nothing wrong.
    """
    with checking("check_quantized", quantize):
        weights = _weights()
        given = weights.copy()
        with np.errstate(all="ignore"):  # the check's own message explains it
            result = call(quantize, given, case="for weights of shape (6, 40)")
        assert np.array_equal(given, weights), (
            "Your function changes the weights that it received: work on a copy."
        )
        parts = unpack(result, "integers", "steps")
        integers, steps = (
            numbers(part, f"the array of {name}")
            for part, name in zip(parts, ("integers", "steps"), strict=True)
        )
        _check_form(integers, steps)
        _check_rows(integers, steps, weights)


def _weights() -> np.ndarray:
    """Rows of very different magnitudes: one is all zeros, and two have only one sign."""
    weights = np.random.default_rng(0).normal(size=(ROWS, COLUMNS))
    weights *= np.array([1e-3, 1, 50, 0, 1, 1])[:, None]
    weights[4] = -np.abs(weights[4])
    weights[5] = np.abs(weights[5])
    return weights.astype(np.float32)


def _check_form(integers: np.ndarray, steps: np.ndarray) -> None:
    """Shapes and types."""
    swapped = integers.ndim == 1 and steps.ndim == 2
    assert not swapped, (
        "Your function returns the steps first: return the integers and then the steps."
    )
    check_shape(integers, (ROWS, COLUMNS), "the array of integers", "like the weights")
    advice = "each row has a step, and the rows are the first axis"
    if steps.shape == (ROWS, 1):
        advice = "leave out keepdims, or index with [:, 0]"
    elif steps.shape == (COLUMNS,):
        advice = "each row has a step, not each column, so reduce over axis 1"
    check_shape(steps, (ROWS,), "the array of steps", advice)
    for name, array, dtype in (
        ("integers", integers, np.dtype(np.int8)),
        ("steps", steps, np.dtype(np.float32)),
    ):
        assert array.dtype == dtype, (
            f"The {name} should be {dtype}, not {array.dtype}: convert them with astype."
        )


def _check_rows(integers: np.ndarray, steps: np.ndarray, weights: np.ndarray) -> None:
    """Each row by itself, to within half a step."""
    assert np.isfinite(steps).all(), (
        f"The step of row {int(np.argmin(np.isfinite(steps)))} is not finite: "
        "does a row of zeros divide by zero?"
    )
    assert (steps > 0).all(), (
        f"The step of row {int(np.argmin(steps))} should be positive, not "
        f"{steps.min():g}: take absolute values first, and give a row of zeros any step above 0."
    )
    assert not integers[ZEROS].any(), (
        f"Row {ZEROS} holds only zeros, but its integers don't: does 0 / 0 come first?"
    )
    exact = weights / steps[:, None]
    rounding = _rounding(integers, exact)
    if integers.min() < -127:
        why = rounding or "divide the largest absolute value by 127, not 128"
        raise AssertionError(
            f"The integers should lie between -127 and 127, but one is -128: {why}."
        )
    error = np.abs(integers - exact)
    row = int(error.max(axis=1).argmax())
    if error.max() > 0.501:
        why = rounding or "divide by the row's step and round to the nearest integer"
        if np.abs(exact).max() > 127.5:
            row = int(np.abs(exact).max(axis=1).argmax())
            why = (
                "its step is too small for its largest weight, so go by absolute values"
            )
        raise AssertionError(
            f"A weight of row {row} is {error[row].max():.2g} steps from its integer, but half a "
            f"step is the limit: {why}."
        )
    rows = [number for number in range(ROWS) if number != ZEROS]
    largest = np.abs(integers.astype(int)).max(axis=1)[rows]
    if (largest != 127).any():
        number = rows[int(np.argmin(largest))]
        why = "divide by 127 for a smaller step"
        if np.ptp(steps[rows]) == 0:
            why = "give each row a step of its own"
        raise AssertionError(
            f"The largest weight of row {number} should become 127 or -127, not "
            f"{largest.min()}: {why}."
        )


def _rounding(integers: np.ndarray, exact: np.ndarray) -> str:
    """The way of rounding that is wrong, if that explains all but the largest weights."""
    ways = [
        (np.trunc, "round to the nearest integer before you convert to int8, which cuts off"),
        (np.floor, "round to the nearest integer instead of down"),
        (np.ceil, "round to the nearest integer instead of up"),
    ]  # fmt: skip
    inner = np.abs(exact) < 126.5
    return next((why for way, why in ways if (integers == way(exact))[inner].all()), "")
