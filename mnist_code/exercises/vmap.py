"""Checks for the exercises of chapter 6."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from mnist_code.exercises.praise import praise


def check_pairwise(pairwise: Callable) -> None:
    """Check a `pairwise(images, means)` of the reader's (chapter 6).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def pairwise(images, means):
        ...     return ((images[:, None, :] - means[None, :, :]) ** 2).sum(axis=-1)
        >>> check_pairwise(pairwise)
        Right: check_pairwise found nothing wrong.
    """
    for m, k in [(5, 3), (3, 5), (4, 4), (1, 2)]:
        image_key, mean_key = jax.random.split(jax.random.key(10 * m + k))
        images = jax.random.uniform(image_key, (m, 784))
        means = jax.random.uniform(mean_key, (k, 784))
        case = f"For {m} images and {k} means"
        try:
            table = pairwise(images, means)
        except (ValueError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise AssertionError(
                f"{case} it fails: {reason} Images and means differ in number, so they cannot "
                "be mapped in step: map over one inside, with None for the other; then the other."
            ) from error
        assert table is not None, "It returns None: is there a `return`?"
        assert isinstance(table, jax.Array | np.ndarray), (
            f"It should return one array, and returns a {type(table).__name__}."
        )
        found = np.asarray(table)
        difference = np.asarray(images)[:, None] - np.asarray(means)[None]
        expected = (difference**2).sum(axis=-1)
        _check_shape(found, (m, k), case)
        _check_values(found, expected, difference, case)
    praise("check_pairwise")


def _check_shape(found: np.ndarray, shape: tuple[int, int], case: str) -> None:
    problem = f"{case} it should return shape {shape}, and returns {found.shape}"
    if found.shape == shape[::-1] != shape:
        raise AssertionError(
            f"{problem}: it is transposed. The outer vmap should map over the images."
        )
    assert found.ndim >= 2, (
        f"{problem}: there should be a distance for every image with every mean. Map twice."
    )
    assert found.ndim <= 2, f"{problem}: sum over the pixels."
    assert found.shape == shape, f"{problem}."


def _check_values(
    found: np.ndarray, expected: np.ndarray, difference: np.ndarray, case: str
) -> None:
    def is_close(other: np.ndarray) -> bool:
        return other.shape == found.shape and np.allclose(found, other, rtol=1e-3)

    mistakes = [
        (expected.T, "The table is transposed: an image should have a row."),
        (np.sqrt(expected), "Leave out the square root."),
        (expected / difference.shape[-1], "Take the sum of the squares, not the mean."),
        (np.abs(difference).sum(axis=-1), "Square the differences."),
        (difference.sum(axis=-1), "Square the differences before you sum them."),
    ]
    for mistake, advice in mistakes:
        assert is_close(expected) or not is_close(mistake), (
            f"{case} the values are wrong. {advice}"
        )
    assert is_close(expected), (
        f"{case} the values are wrong: entry [0, 0] should be {expected[0, 0]:.2f}, and is "
        f"{found[0, 0]:.2f}."
    )
