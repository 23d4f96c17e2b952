"""Checks for the exercises of chapter 12."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from mnist_code.exercises.praise import praise

CASES = [((784, 512, 10), 32), ((784, 10), 1), ((784, 300, 100, 10), 128)]


def check_operations(count: Callable[[Sequence[int], int], float]) -> None:
    """Check a `count(sizes, images)` of the reader's (chapter 12).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def count(sizes, images):
        ...     weights = [a * b for a, b in zip(sizes, sizes[1:])]
        ...     return 2 * images * (2 * sum(weights) + sum(weights[1:]))
        >>> check_operations(count)
        Right: check_operations found nothing wrong.
    """
    for sizes, images in CASES:
        weights = [a * b for a, b in itertools.pairwise(sizes)]
        forward, slopes, inputs = sum(weights), sum(weights), sum(weights[1:])
        mistakes = {
            2 * images * forward: "this counts the way forward alone",
            2 * images * (forward + slopes): (
                "the gradients of what later layers are fed with are missing"
            ),
            2 * images * 3 * forward: (
                "nobody needs the gradient with respect to the images"
            ),
            images * (forward + slopes + inputs): (
                "a multiplication and an addition are two operations"
            ),
            2 * (forward + slopes + inputs): "this is one image; a batch has more",
        }
        right = 2 * images * (forward + slopes + inputs)
        found = count(sizes, images)
        assert found is not None, "It returns None: is there a `return`?"
        if found != right:
            why = mistakes.get(int(found), "count each product's operations again")
            raise AssertionError(
                f"For layers {sizes} and {images} images it should be {right:,}, "
                f"not {found:,}: {why}."
            )
    praise("check_operations")
