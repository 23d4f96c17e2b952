"""Checks for the exercises of chapter 13."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.praise import praise

REACH = 2  # pixels, up or down, left or right
KEYS = 400  # enough to see each of the 25 moves


def check_shift(shift: Callable[[Any, Any], Any]) -> None:
    """Check a `shift(key, image)` of the reader's (chapter 13).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def shift(key, image):
        ...     row, column = jax.random.randint(key, (2,), 0, 5)
        ...     return jax.lax.dynamic_slice(jnp.pad(image, 2), (row, column), (28, 28))
        >>> check_shift(shift)
        Right: check_shift found nothing wrong.
    """
    image = jnp.arange(1.0, 785.0).reshape(28, 28)  # every pixel another, none black
    key = jax.random.key(0)
    moved = shift(key, image)
    assert moved is not None, "It returns None: is there a `return`?"
    assert jnp.shape(moved) == (28, 28), (
        f"It should return one image, (28, 28), not {jnp.shape(moved)}."
    )
    assert jnp.array_equal(moved, shift(key, image)), (
        "The same key gives two pictures: draw from the key alone."
    )
    keys = jax.random.split(key, KEYS)
    try:
        pictures = np.asarray(jax.jit(jax.vmap(shift, (0, None)))(keys, image))
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        raise AssertionError(
            "It cannot be compiled: a shape, an index or an `if` depends on a drawn number."
            " jax.lax.dynamic_slice takes a start that is drawn."
        ) from None
    padded = np.pad(np.asarray(image), REACH)
    allowed = {
        (row - REACH, column - REACH): padded[row : row + 28, column : column + 28]
        for row in range(2 * REACH + 1)
        for column in range(2 * REACH + 1)
    }
    seen = set()
    for picture in pictures:
        fits = [move for move, other in allowed.items() if (picture == other).all()]
        if not fits:
            wrapped = (picture > 0).all()
            raise AssertionError(
                "What leaves on one side comes back on the other: let black in instead."
                if wrapped
                else f"A picture is not the image moved by at most {REACH} pixels each way."
            )
        seen.add(fits[0])
    assert len(seen) == len(allowed), (
        f"Of the {len(allowed)} moves, no move counted too, only {len(seen)} ever come up "
        f"in {KEYS} tries."
    )
    praise("check_shift")
