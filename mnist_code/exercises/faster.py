"""The check for the exercise of Chapter 12."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from mnist_code.exercises.feedback import call, check_shape, checking, compare, numbers

CASES = [((784, 512, 10), 32), ((784, 10), 1), ((784, 300, 100, 10), 128)]


def check_operations(count: Callable[[Sequence[int], int], float]) -> None:
    """Check the reader's `count(sizes, images)`, the operations of one update, from Chapter 12.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def count(sizes, images):
        ...     weights = [a * b for a, b in zip(sizes, sizes[1:])]
        ...     return 2 * images * (2 * sum(weights) + sum(weights[1:]))
        >>> check_operations(count)
        Right: check_operations found nothing wrong.
    """
    with checking("check_operations", count):
        for sizes, images in CASES:
            _check_case(count, sizes, images)


def _check_case(count: Callable, sizes: tuple[int, ...], images: int) -> None:
    case = f"for layers of sizes {sizes} and {images} image{'s' * (images > 1)}"
    found = numbers(call(count, sizes, images, case=case))
    check_shape(found, (), "the count", "it is one number for the whole update")

    weights = [a * b for a, b in itertools.pairwise(sizes)]
    forward, later = sum(weights), sum(weights[1:])
    outputs = sum(sizes[1:])
    right = 2 * images * (2 * forward + later)
    mistakes = [
        (2 * images * forward, "this counts the forward pass alone"),
        (2 * images * (forward + later), "this leaves out the gradients of the weights"),
        (
            2 * images * 2 * forward,
            "this leaves out the gradients with respect to the inputs of the later layers",
        ),
        (
            2 * images * 3 * forward,
            "leave out the gradient with respect to the images, which nothing needs",
        ),
        (
            2 * images * (2 * forward + sum(weights[:-1])),
            "the layer that needs no gradient for its inputs is the first, not the last",
        ),
        (right / 2, "a multiplication and an addition are two operations"),
        (right / images, "this is for one image, but the batch has more"),
        (2 * right, "a multiplication and an addition are two operations, not four"),
        (right + images * outputs, "leave out the biases, which are in no matrix product"),
        (right + 2 * images * outputs, "leave out the biases, which are in no matrix product"),
        (right + 2 * forward, "leave out the update, which is no matrix product"),
        (right + 2 * (forward + outputs), "leave out the update, which is no matrix product"),
        (forward, "this is the number of weights"),
        (forward + outputs, "this is the number of parameters"),
        (2 * images * (2 * weights[0]), "this counts the first layer only"),
    ]  # fmt: skip
    otherwise = (
        "count the forward product of each layer, the one for its weights' gradient, "
        "and from the second layer on the one for its inputs' gradient"
    )
    if not np.isfinite(found):
        otherwise = "a count is finite"
    compare(found, right, mistakes, otherwise, f"F{case[1:]}", tolerance=1e-6)
