"""The check for the exercise of Chapter 1."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.feedback import call, check_shape, checking, numbers

CASES = [(6, 10), (1, 10), (4, 3)]  # images, classes


def check_second_choice(second_choice: Callable) -> None:
    """Check the reader's `second_choice(logits)` from Chapter 1.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> check_second_choice(lambda logits: np.argsort(logits, axis=-1)[:, -2])
        Right: check_second_choice found nothing wrong.
    """
    with checking("check_second_choice", second_choice):
        for images, classes in CASES:
            _check_case(second_choice, images, classes)


def _check_case(second_choice: Callable, images: int, classes: int) -> None:
    case = f"for {images} row{'s' * (images > 1)} of {classes} logits"
    logits = np.random.default_rng(1).normal(size=(images, classes)).astype(np.float32)
    logits[0] -= 20  # a row without a positive score
    logits[-1] += 20  # and one without a negative score
    found = numbers(call(second_choice, jnp.asarray(logits), case=case))
    case = case.capitalize()
    advice = f"it names one digit for each of the {images} images"
    if found.shape == (classes,):
        advice = "compare the classes of each image, axis=-1, not the images"
    elif found.shape == (images, 2):
        advice = "return the second choice only, without the first"
    elif found.shape == logits.shape:
        advice = "pick the second choice from each row"
    check_shape(found, (images,), f"{case}, the answer", advice)
    ranks = np.argsort(logits, axis=-1)
    right = ranks[:, -2]
    if np.array_equal(found, right) and found.dtype.kind in "iu":
        return
    rows = np.arange(images)
    flattened = np.argsort(logits, axis=None)
    mistakes: list[tuple[np.ndarray, str]] = [
        (ranks[:, -1], "these are the first choices, the digits with the highest scores"),
        (ranks[:, 0], "these are the last choices, the digits with the lowest scores"),
        (ranks[:, 1], "these have the second lowest scores, so look at the other end of the order"),
        (ranks[:, -3], "these are the third choices, so count from the end: -1, then -2"),
        (logits[rows, right], "these are the scores, so return the digits that have them"),
        (logits[rows, ranks[:, -1]], "these are scores, and the highest ones"),
        (np.argsort(ranks)[:, -2], "these are ranks, so argsort once, not twice"),
        (np.full(images, right[0]), "each row has a second choice of its own"),
        (right + 1, "digits count from 0"),
        (flattened[-images:], "compare the classes of each image, with axis=-1"),
        *_masked(logits, ranks),
    ]  # fmt: skip
    why = next((clause for value, clause in mistakes if np.allclose(found, value)), "")
    row = int(np.argmax(found != right))
    if not why and found.dtype.kind not in "iu":
        why = f"a digit is a whole number, but these are {found.dtype}"
    scores = ", ".join(f"{score:.2f}" for score in logits[row])
    raise AssertionError(
        f"{case}, the second choice for [{scores}] should be {right[row]}, "
        f"not {found[row]:.4g}: {why or 'it is the digit with the second highest score'}."
    )


def _masked(logits: np.ndarray, ranks: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """The results of wrong ways to hide the highest score."""
    rows, first = np.arange(len(logits)), ranks[:, -1]
    zeroed, lowered = logits.copy(), logits.copy()
    zeroed[rows, first] = 0
    lowered[rows, first] = -1
    removed = np.array(
        [np.delete(row, n).argmax() for row, n in zip(logits, first, strict=True)]
    )
    hidden = "what replaces the highest score may still be the highest, so use -inf"
    return [
        (zeroed.argmax(axis=-1), hidden),
        (lowered.argmax(axis=-1), hidden),
        (removed, "removing a score moves the later digits one place to the left"),
    ]
