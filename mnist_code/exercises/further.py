"""The check for the exercise of Chapter 13."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.feedback import call, check_shape, checking, numbers

REACH = 2  # pixels, up or down, left or right
KEYS = 2500  # a hundred for each of the 25 moves
CUT_OFF = (
    70  # of chi-squared with 24 degrees of freedom: beyond it once in half a million
)


def check_shift(shift: Callable[[Any, Any], Any]) -> None:
    """Check the reader's `shift(key, image)` from Chapter 13.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def shift(key, image):
        ...     row, column = jax.random.randint(key, (2,), 0, 5)
        ...     return jax.lax.dynamic_slice(jnp.pad(image, 2), (row, column), (28, 28))
        >>> check_shift(shift)
        Right: check_shift found nothing wrong.
    """
    with checking("check_shift", shift):
        # All pixels differ, and none is black.
        image = jnp.arange(1.0, 785.0).reshape(28, 28)
        keys = jax.random.split(jax.random.key(0), KEYS)
        for key in keys[:3]:
            moved = numbers(call(shift, key, image))
            check_shape(moved, (28, 28), "the moved image", "it stays one image")
            assert np.array_equal(moved, call(shift, key, image)), (
                "The same key gives two different images: draw from `key` and nothing else."
            )
        # Traced as jit does it, without the time to compile.
        call(lambda: jax.eval_shape(shift, keys[0], image), case="under jit")
        moved = call(jax.vmap(shift, (0, None)), keys, image, case="under vmap")
        _check_moves(_moves(np.asarray(moved), np.asarray(image)))


def _moves(pictures: np.ndarray, image: np.ndarray) -> np.ndarray:
    """How often each move occurs, up to down by left to right."""
    padded = np.pad(image, REACH)
    size = 2 * REACH + 1
    seen = np.zeros((size, size), int)
    found = np.zeros(len(pictures), bool)
    for row, column in np.ndindex(size, size):
        moved = padded[row : row + 28, column : column + 28]
        fits = (pictures == moved).all(axis=(1, 2))
        seen[size - 1 - row, size - 1 - column] = fits.sum()
        found |= fits
    if not found.all():
        raise AssertionError(_why_no_move(pictures[~found], image))
    return seen


def _why_no_move(pictures: np.ndarray, image: np.ndarray) -> str:
    """Explain a result that is none of the 25 possible pictures."""
    farthest = 27
    padded = np.pad(image, farthest)
    for picture in pictures[:8]:
        for row, column in np.ndindex(2 * REACH + 1, 2 * REACH + 1):
            down, right = row - REACH, column - REACH
            if (picture == np.roll(image, (down, right), (0, 1))).all():
                return (
                    "What leaves the image on one side comes back on the other: "
                    "pad with black before you roll or slice."
                )
            shown = np.pad(np.ones((28, 28), bool), REACH)[
                REACH - down : REACH - down + 28, REACH - right : REACH - right + 28
            ]
            moved = np.roll(image, (down, right), (0, 1))
            if (picture == moved)[shown].all():
                return (
                    "The image moves, but what comes in from outside is not black: "
                    "pad with zeros."
                )
        for row, column in np.ndindex(2 * farthest + 1, 2 * farthest + 1):
            moved = padded[row : row + 28, column : column + 28]
            if moved.any() and (picture == moved).all():
                down, right = farthest - row, farthest - column
                return (
                    f"An image moves {abs(down)} pixels {'down' if down > 0 else 'up'} and "
                    f"{abs(right)} {'right' if right > 0 else 'left'}, but {REACH} each way is "
                    "the limit: look at the bounds that you draw from and at the padding."
                )
    return (
        "An image comes back changed rather than moved by whole pixels: "
        "pad it with zeros, and cut 28 rows and 28 columns out of that."
    )


def _check_moves(seen: np.ndarray) -> None:
    """Check that all 25 moves occur, and that they are equally likely."""
    kinds = int((seen > 0).sum())
    names = (("up", "down"), ("left", "right"))
    if kinds == 1:
        still = seen[REACH, REACH] > 0
        raise AssertionError(
            "Under vmap the image never moves: does dynamic_slice have padding to move in, "
            "and do the numbers come from `key`?"
            if still
            else "Under vmap every key gives the same move: draw the numbers from `key`."
        )
    for axis, (back, forth) in enumerate(names):
        along = seen.sum(axis=1 - axis)
        for place, name in ((0, back), (-1, forth)):
            assert along[place] > 0, (
                f"The image never moves {REACH} pixels {name}: look at both bounds, "
                "since jax.random.randint leaves out the upper one."
            )
    assert kinds > 2 * REACH + 1 or not _is_line(seen), (
        "Only 5 of the 25 moves occur, because rows and columns always move together: "
        "draw two numbers, each with a key of its own or both in one call."
    )
    assert kinds == seen.size, (
        f"Only {kinds} of the 25 moves occur in {KEYS} tries: let rows and columns move "
        "independently, with no move at all as one of the 25."
    )
    expected = KEYS / seen.size
    chi_squared = ((seen - expected) ** 2 / expected).sum()
    assert chi_squared < CUT_OFF, (
        f"The moves are not equally likely, since in {KEYS} tries one occurs {seen.min()} times "
        f"and another {seen.max()} times: draw whole numbers with jax.random.randint, "
        "without rounding."
    )


def _is_line(seen: np.ndarray) -> bool:
    """Whether the move of the rows determines the move of the columns."""
    return bool(((seen > 0).sum(axis=0) == 1).all())
