"""The check for the exercise of Chapter 3."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from mnist_code.exercises.feedback import call, checking, kind

CASES = [(100, 32), (96, 32), (45, 10), (5, 8)]  # examples, batch size
PASSES = 60  # enough to tell a random order from a biased one


def check_batches(batches: Callable[..., Iterable]) -> None:
    """Check the reader's `batches(images, labels, batch_size, rng)` from Chapter 3.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def batches(images, labels, batch_size, rng):
        ...     order = rng.permutation(len(labels))
        ...     for start in range(0, len(labels), batch_size):
        ...         rows = order[start : start + batch_size]
        ...         yield images[rows], labels[rows]
        >>> check_batches(batches)
        Right: check_batches found nothing wrong.
    """
    with checking("check_batches", batches):
        for examples, size in CASES:
            _check_pass(batches, examples, size)
        _check_seeds(batches)
        _check_chance(batches)


def _one_pass(batches: Callable, examples: int, size: int, seed: int) -> list:
    """The batches of one pass over images that show nothing but their own number."""
    labels = np.arange(examples)
    images = np.repeat(labels[:, None].astype(np.float32), 784, axis=1)
    given = images.copy(), labels.copy()
    case = f"for {examples} examples in batches of {size}"
    made = call(batches, *given, size, np.random.default_rng(seed), case=case)
    assert isinstance(made, Iterable), (
        f"Your function should yield batches, but returns {kind(made)}: "
        "is it `return` where it should be `yield`?"
    )
    found = call(lambda: list(itertools.islice(made, examples + 2)), case=case)
    assert len(found) < examples + 2, (
        "Your generator does not stop after one pass: leave the loop over epochs to its caller."
    )
    kept = np.array_equal(given[0], images) and np.array_equal(given[1], labels)
    assert kept, (
        "Your function reorders the arrays that it received: shuffle a list of indices instead, "
        "since the caller still needs them."
    )
    return [_pair(batch) for batch in found]


def _pair(batch: Any) -> tuple[np.ndarray, np.ndarray]:
    is_pair = isinstance(batch, tuple | list) and len(batch) == 2
    assert is_pair, (
        f"Each batch should be a pair (images, labels), but one is {kind(batch)}: "
        "is a value missing after `yield`, or is it a `return`?"
    )
    images, labels = batch
    assert np.ndim(labels) > 0, (
        "A batch should hold `batch_size` examples, but your function yields one at a time."
    )
    for name, part in (("images", images), ("labels", labels)):
        assert isinstance(part, np.ndarray | jax.Array), (
            f"The {name} of a batch should be an array, not {kind(part)}: "
            "index the whole array with an array of indices."
        )
    images, labels = np.asarray(images), np.asarray(labels)
    assert not (images.ndim == 1 and labels.ndim > 1), (
        "A batch should be (images, labels), but the labels come first."
    )
    assert images.shape == (*labels.shape, 784), (
        f"Images of shape (784,) each should stay that way, but a batch has images of shape "
        f"{images.shape} and labels of shape {labels.shape}."
    )
    return images, labels


def _check_pass(batches: Callable, examples: int, size: int) -> None:
    """Sizes, pairs and completeness."""
    made = _one_pass(batches, examples, size, 0)
    sizes = [len(labels) for _, labels in made]
    full, rest = divmod(examples, size)
    expected = [size] * full + [rest] * (rest > 0)
    if sizes != expected:
        if sizes == [*expected, 0]:
            why = "an empty batch comes last, so look at where the loop ends"
        elif rest and sizes == expected[:-1]:
            why = "the short last batch is missing"
        elif rest and sizes == [size] * len(expected):
            why = "the last batch should stay short, not be filled up"
        elif sizes and sizes[0] != expected[0]:
            why = "the first batch should already have `batch_size` examples"
        else:
            why = "look at where each batch starts and where the loop ends"
        raise AssertionError(
            f"{examples} examples with batch_size={size} should come in batches of "
            f"{_listed(expected)}, but come in batches of {_listed(sizes)}: {why}."
        )
    images = np.concatenate([images for images, _ in made])
    labels = np.concatenate([labels for _, labels in made])
    numbers = images[:, 0]
    untouched = (
        np.isin(numbers, np.arange(examples)).all() & (numbers == images.T).all()
    )
    assert untouched, (
        "The images of the batches are not the images that your function received: "
        "return them as they are."
    )
    assert (numbers == labels).all(), (
        "Images no longer have their own labels: draw one order and use it for both."
    )
    missing = examples - len(np.unique(labels))
    assert missing == 0, (
        f"In a pass over {examples} examples {missing} never come and others come twice: "
        "draw a permutation, which holds each index once."
    )


def _order(
    batches: Callable, seed: int, examples: int = 100, size: int = 32
) -> np.ndarray:
    return np.concatenate([y for _, y in _one_pass(batches, examples, size, seed)])


def _check_seeds(batches: Callable) -> None:
    """The order comes from `rng` and from nothing else."""
    order = _order(batches, 0)
    assert (order != np.arange(100)).any(), (
        "The examples come in their original order: shuffle them."
    )
    assert (order == _order(batches, 0)).all(), (
        "Two generators with the same seed give two orders: draw from `rng` and nothing else."
    )
    assert (order != _order(batches, 1)).any(), (
        "Generators with different seeds give the same order: draw the order from `rng`."
    )


def _check_chance(batches: Callable) -> None:
    """Check, as far as samples can tell, that all orders are equally likely."""
    examples, size = 100, 32
    orders = np.array([_order(batches, seed) for seed in range(PASSES)])
    block = np.arange(examples) // size
    assert not (orders // size == block).all(), (
        "Each batch always holds the same examples, only in another order: "
        "shuffle all examples before you cut them into batches."
    )
    steps = np.diff(orders, axis=1)
    assert not (steps % examples == 1).all(), (
        "The examples start at another place but follow each other as before: "
        "draw a permutation instead of rolling the arrays."
    )
    positions = np.arange(examples)
    kept = np.mean([np.corrcoef(order, positions)[0, 1] for order in orders])
    neighbors = (np.abs(steps) == 1).sum(axis=1).mean()  # 2 on average if shuffled
    assert neighbors < 4 or abs(kept) > 0.5, (
        "Many examples stay next to their old neighbors, as when whole batches are shuffled: "
        "shuffle individual examples."
    )
    assert abs(kept) < 0.1, (
        "Early examples still tend to come "
        f"{'early' if kept > 0 else 'late'}: let every example reach every place in the order."
    )


def _listed(sizes: list[int]) -> str:
    *others, last = map(str, sizes or [0])
    return f"{', '.join(others)} and {last}" if others else last
