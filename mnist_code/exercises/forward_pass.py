"""The check for the exercise of Chapter 5."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.feedback import call, check_shape, checking, compare, numbers

PLAIN = np.array([2, 1, -1, 0.5, 0, -2, 1.5, -0.5, 3, 0.25], np.float32)


def check_softmax(softmax: Callable) -> None:
    """Check the reader's `softmax(logits)` for the logits of one image from Chapter 5.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> import jax
        >>> check_softmax(jax.nn.softmax)
        Right: check_softmax found nothing wrong.
    """
    with checking("check_softmax", softmax):
        _check_values(softmax)
        _check_large(softmax)


def _probabilities(softmax: Callable, logits: np.ndarray, case: str) -> np.ndarray:
    with np.errstate(all="ignore"):  # the check's own message explains it
        result = call(softmax, jnp.asarray(logits, jnp.float32), case=f"for {case}")
    found = numbers(result)
    check_shape(
        found, (10,), f"for {case}, the result", "there is a probability for each logit"
    )
    return found


def _check_values(softmax: Callable) -> None:
    """Logits that no exponential can overflow."""
    found = _probabilities(softmax, PLAIN, f"the logits {PLAIN.tolist()}")
    logits = PLAIN.astype(np.float64)
    right = _softmax(logits)
    positive, shifted = np.exp(logits), np.exp(logits - logits.max())
    mistakes = [
        (positive, "divide by the sum of the exponentials"),
        (shifted, "divide by the sum of the exponentials, not by the largest"),
        (shifted / positive.sum(), "subtract the same constant above and below the fraction"),
        (positive / shifted.sum(), "subtract the same constant above and below the fraction"),
        (logits / logits.sum(), "apply the exponential first, since logits may be negative"),
        (np.log(right), "this is the logarithm of the softmax"),
        (logits - logits.max(), "apply the exponential and divide by the sum"),
        (1 / (1 + np.exp(-logits)), "this is the sigmoid of each logit by itself"),
        (_softmax(-logits), "the sign is wrong: the largest logit is the most probable"),
        (_softmax(logits * np.log(2)), "this uses powers of 2 instead of the exponential"),
        (_softmax(np.abs(logits)), "leave the sign of the logits alone"),
        (np.eye(10)[logits.argmax()], "this names the largest only, so return probabilities"),
        *[(np.round(right, d), "return the probabilities without rounding") for d in (2, 3, 4)],
    ]  # fmt: skip
    compare(
        found, right, mistakes,
        "each is exp(logit) divided by the sum of exp over all logits",
        f"For the logits {PLAIN.tolist()}", tolerance=1e-5,
    )  # fmt: skip


def _check_large(softmax: Callable) -> None:
    """Logits for which the plain formula overflows, with the largest in each place."""
    cases = [
        (PLAIN + 1000, "logits around 1,000"),
        (PLAIN - 1000, "logits around -1,000"),
        *[
            (np.roll(1000 * np.arange(10.0), n), "logits from 0 to 9,000")
            for n in range(10)
        ],
        (np.roll(PLAIN + 1000 * (PLAIN > 1), 3), "logits of which some are near 1,000"),
        (np.full(10, 3.0), "ten equal logits"),
    ]
    mistakes = [
        (np.zeros(10), "all exponentials vanish, so subtract the largest logit first"),
        (
            np.full(10, 0.1),
            "cutting off large logits makes them alike, so subtract instead",
        ),
    ]
    for logits, case in cases:
        logits = logits.astype(np.float32)
        found = _probabilities(softmax, logits, case)
        assert np.isfinite(found).all(), (
            f"For {case} a result is {found[~np.isfinite(found)][0]}: "
            f"{_why_not_finite(softmax)}."
        )
        compare(
            found, _softmax(logits.astype(np.float64)), mistakes,
            "the constant that you subtract from all logits should be the largest of them",
            f"For {case}", tolerance=1e-3,
        )  # fmt: skip


def _why_not_finite(softmax: Callable) -> str:
    """Distinguish a softmax that subtracts nothing from one that subtracts the wrong number."""
    with np.errstate(all="ignore"):
        near = np.asarray(call(softmax, jnp.asarray(PLAIN + 1000)))
    if np.isfinite(near).all():
        return (
            "the constant that you subtract is not the largest logit, "
            "so an exponential still overflows or all of them vanish"
        )
    return (
        "an exponential overflows or all of them vanish, so subtract the largest logit "
        "from all of them first"
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    positive = np.exp(logits - logits.max())
    return positive / positive.sum()
