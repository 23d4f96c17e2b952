"""The check for the exercise of Chapter 6."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from mnist_code.exercises.feedback import call, checking, compare, kind, numbers

CASES = [(5, 3), (4, 4)]  # images, means
IN_STEP = (
    "images and means cannot be mapped in step, since their numbers differ, "
    "so map over one with None for the other, then over the other"
)


def check_pairwise(pairwise: Callable) -> None:
    """Check the reader's `pairwise(images, means)` from Chapter 6.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def pairwise(images, means):
        ...     return ((images[:, None, :] - means[None, :, :]) ** 2).sum(axis=-1)
        >>> check_pairwise(pairwise)
        Right: check_pairwise found nothing wrong.
    """
    with checking("check_pairwise", pairwise):
        for number_of_images, number_of_means in CASES:
            _check_case(pairwise, number_of_images, number_of_means)


def _check_case(pairwise: Callable, m: int, k: int) -> None:
    image_key, mean_key = jax.random.split(jax.random.key(10 * m + k))
    images = jax.random.uniform(image_key, (m, 784))
    means = jax.random.uniform(mean_key, (k, 784))
    case = f"{m} images and {k} means"
    table = call(pairwise, images, means, case=f"for {case}", on_shapes=IN_STEP)
    assert isinstance(table, jax.Array | np.ndarray), (
        f"Your function should return one array with all distances, not {kind(table)}."
    )
    found = numbers(table)
    _check_shape(found, (m, k), case)

    x, y = (np.asarray(given, np.float64) for given in (images, means))
    difference = x[:, None] - y[None]
    right = (difference**2).sum(axis=-1)
    absolute = np.abs(difference)
    mistakes = [
        (right.T, "the table is transposed, so give each image a row"),
        (np.sqrt(right), "leave out the square root"),
        (right / 784, "take the sum of the squares, not their mean"),
        (right / 2, "leave out the factor of one half"),
        (-right, "the sign is wrong"),
        (absolute.sum(axis=-1), "square the differences instead of taking absolute values"),
        (absolute.max(axis=-1), "sum the squares of all differences, not the largest only"),
        (difference.sum(axis=-1), "square the differences before you sum them"),
        (difference.sum(axis=-1) ** 2, "square the differences before you sum them"),
        ((x**2).sum(-1)[:, None] - (y**2).sum(-1), "subtract first, and square the difference"),
        (x @ y.T, "this is the inner product, so subtract, square and sum"),
    ]  # fmt: skip
    compare(
        found, right, mistakes, "sum the squared differences of an image and a mean",
        f"For {case}", tolerance=1e-3,
    )  # fmt: skip


def _check_shape(found: np.ndarray, shape: tuple[int, int], case: str) -> None:
    problem = f"For {case} the table should have shape {shape}, not {found.shape}"
    if found.shape == shape:
        return
    if found.shape == shape[::-1]:
        why = "it is transposed, so let the outer vmap map over the images"
    elif found.dtype.kind in "iu":
        why = "return the distances, not the index of the nearest mean"
    elif found.ndim < 2:
        why = "every image should meet every mean, so map twice"
    elif found.shape == (*shape, 784):
        why = "sum over the pixels"
    else:
        why = "there should be a row for each image and a column for each mean"
    raise AssertionError(f"{problem}: {why}.")
