"""Checks for the exercises of chapter 3."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from mnist_code.exercises.praise import praise


def check_batches(batches: Callable[..., Iterable]) -> None:
    """Check a `batches(images, labels, batch_size, rng)` of the reader's (chapter 3).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def batches(images, labels, batch_size, rng):
        ...     order = rng.permutation(len(labels))
        ...     for start in range(0, len(labels), batch_size):
        ...         rows = order[start : start + batch_size]
        ...         yield images[rows], labels[rows]
        >>> check_batches(batches)
        Right: check_batches found nothing wrong.
    """
    labels = np.arange(100)
    images = np.repeat(labels[:, None].astype(np.float32), 784, axis=1)

    def one_pass(seed):
        made = batches(images, labels, 32, np.random.default_rng(seed))
        assert made is not None, "It returns None: is there a `yield` or a `return`?"
        return [(np.asarray(x), np.asarray(y)) for x, y in made]

    first = one_pass(0)
    sizes = [len(y) for _, y in first]
    assert sizes == [32, 32, 32, 4], (
        f"100 examples in batches of 32 should make batches of 32, 32, 32 and 4, and make {sizes}."
    )
    for x, y in first:
        assert x.shape == (len(y), 784), (
            f"A batch of {len(y)} labels needs images of shape ({len(y)}, 784), not {x.shape}."
        )
        assert (x[:, 0] == y).all(), (
            "Images and labels come apart: use one order for both."
        )
    order = np.concatenate([y for _, y in first])
    assert sorted(order) == list(labels), (
        "Each example should come exactly once in a pass."
    )
    assert (order != labels).any(), (
        "The examples come in their old order: shuffle them."
    )
    again = np.concatenate([y for _, y in one_pass(0)])
    assert (order == again).all(), (
        "The same seed should give the same order: draw it from `rng`, and from nothing else."
    )
    other = np.concatenate([y for _, y in one_pass(1)])
    assert (order != other).any(), (
        "Another seed should give another order: draw it from `rng`."
    )
    praise("check_batches")
