"""The check of chapter 3 refuses what readers get wrong, and says what it is."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_code.exercises import check_batches


def batches(images, labels, batch_size, rng, order=None, stop=None):
    """A right solution, with places where it can be spoiled."""
    order = rng.permutation(len(labels)) if order is None else order
    for start in range(0, stop or len(labels), batch_size):
        rows = order[start : start + batch_size]
        yield images[rows], labels[rows]


def apart(images, labels, batch_size, rng):
    for x, y in batches(images, labels, batch_size, rng):
        yield x, y[::-1]


def repeated(images, labels, batch_size, rng):
    order = rng.integers(0, len(labels), len(labels))
    return batches(images, labels, batch_size, rng, order)


def in_order(images, labels, batch_size, rng):
    return batches(images, labels, batch_size, rng, np.arange(len(labels)))


def hidden_generator(images, labels, batch_size, rng):
    return batches(images, labels, batch_size, np.random.default_rng())


def own_seed(images, labels, batch_size, rng):
    return batches(images, labels, batch_size, np.random.default_rng(7))


def as_pictures(images, labels, batch_size, rng):
    for x, y in batches(images, labels, batch_size, rng):
        yield x.reshape(-1, 28, 28), y


WRONG = {
    "returns None": lambda *arguments: None,
    "32, 32, 32 and 4": lambda *arguments: batches(*arguments, stop=96),
    "needs images of shape": as_pictures,
    "come apart": apart,
    "exactly once": repeated,
    "shuffle them": in_order,
    "same seed": hidden_generator,
    "Another seed": own_seed,
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses(message):
    """A check that lets a wrong answer pass, or does not say what is wrong with it."""
    with pytest.raises(AssertionError, match=message):
        check_batches(WRONG[message])


def test_accepts_a_right_one(capsys):
    """A check that refuses a right answer."""
    check_batches(batches)
    assert capsys.readouterr().out.startswith("Right")
