"""The check of chapter 3 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_batches
from tests.helpers import assert_praised, assert_refused


def batches(images, labels, batch_size, rng, order=None, stop=None):
    """A right answer, with places where it can be spoiled."""
    order = rng.permutation(len(labels)) if order is None else order
    for start in range(0, stop or len(labels), batch_size):
        rows = order[start : start + batch_size]
        yield images[rows], labels[rows]


def in_order(make):
    """Batches in an order that comes from a function of the generator, the number and the size."""

    def answer(images, labels, batch_size, rng):
        order = make(rng, len(labels), batch_size)
        return batches(images, labels, batch_size, rng, order)

    return answer


def changed(change):
    """Batches that are changed before they are yielded."""

    def answer(images, labels, batch_size, rng):
        for x, y in batches(images, labels, batch_size, rng):
            yield change(x, y)

    return answer


def as_a_list(images, labels, batch_size, rng):
    order = np.arange(len(labels))
    rng.shuffle(order)
    parts = np.split(order, range(batch_size, len(labels), batch_size))
    return [(images[rows], labels[rows]) for rows in parts]


def with_a_while(images, labels, batch_size, rng):
    left = list(rng.permutation(len(labels)))
    while left:
        rows, left = left[:batch_size], left[batch_size:]
        yield [jnp.asarray(images[rows]), jnp.asarray(labels[rows])]


def blocks(examples, size):
    return [np.arange(i, min(i + size, examples)) for i in range(0, examples, size)]


def whole_blocks(rng, examples, size):
    parts = blocks(examples, size)
    last = parts.pop() if examples % size else []
    return np.concatenate(
        [*[parts[i] for i in rng.permutation(len(parts))], last]
    ).astype(int)


def buffered(rng, examples, size):
    """What a shuffle buffer of 20 does."""
    waiting, order = list(range(examples))[::-1], []
    buffer = []
    while waiting or buffer:
        while waiting and len(buffer) < 20:
            buffer.append(waiting.pop())
        order.append(buffer.pop(rng.integers(len(buffer))))
    return np.array(order)


def shuffled_twice(images, labels, batch_size, rng):
    order = rng.permutation(len(labels))
    return batches(images[order], labels[rng.permutation(len(labels))], batch_size, rng)


def in_place(images, labels, batch_size, rng):
    order = rng.permutation(len(labels))
    images[:], labels[:] = images[order], labels[order]
    return batches(images, labels, batch_size, rng)


def without_the_last(images, labels, batch_size, rng):
    stop = len(labels) // batch_size * batch_size
    return batches(images, labels, batch_size, rng, stop=stop or None) if stop else []


def one_too_many(images, labels, batch_size, rng):
    stop = (len(labels) // batch_size + 1) * batch_size
    return batches(images, labels, batch_size, rng, stop=stop)


def filled_up(images, labels, batch_size, rng):
    order = rng.permutation(len(labels))
    missing = -len(labels) % batch_size
    return batches(
        images, labels, batch_size, rng, np.resize(order, len(order) + missing)
    )


def endless(images, labels, batch_size, rng):
    while True:
        yield from batches(images, labels, batch_size, rng)


def one_by_one(images, labels, batch_size, rng):
    for i in rng.permutation(len(labels)):
        yield images[i], labels[i]


RIGHT = [
    batches,
    as_a_list,
    with_a_while,
    in_order(lambda rng, n, size: rng.choice(n, n, replace=False)),
    in_order(lambda rng, n, size: np.argsort(rng.random(n))),
    in_order(lambda rng, n, size: jnp.asarray(rng.permutation(n))),
]

WRONG = [
    ("returns None", lambda images, labels, batch_size, rng: None),
    ("should accept 4 arguments", lambda images, labels, batch_size: []),
    ("should be a pair", lambda x, y, size, rng: (x[:size], y[:size])),
    ("should yield batches", lambda x, y, size, rng: 3),
    ("short last batch is missing", without_the_last),
    ("already have `batch_size`", lambda x, y, size, rng: batches(x, y, 32, rng)),
    ("should stay short", filled_up),
    ("an empty batch comes last", one_too_many),
    ("does not stop", endless),
    ("yields one at a time", one_by_one),
    ("come twice", in_order(lambda rng, n, size: rng.integers(0, n, n))),
    ("shuffle them", in_order(lambda rng, n, size: np.arange(n))),
    ("same order", in_order(lambda rng, n, size: np.arange(n)[::-1])),
    ("draw from `rng`", in_order(lambda rng, n, size: np.random.permutation(n))),
    ("same order", in_order(lambda rng, n, size: np.random.default_rng(7).permutation(n))),
    ("always holds the same examples", in_order(
        lambda rng, n, size: np.concatenate(
            [rng.permutation(part) for part in blocks(n, size)])
    )),
    ("whole batches are shuffled", in_order(whole_blocks)),
    ("rolling", in_order(lambda rng, n, size: np.roll(np.arange(n), rng.integers(1, n)))),
    ("Early examples still tend to come early", in_order(buffered)),
    ("one order", shuffled_twice),
    ("own labels", changed(lambda x, y: (x, y[::-1]))),
    ("reorders the arrays", in_place),
    ("labels come first", changed(lambda x, y: (y, x))),
    ("should stay that way", changed(lambda x, y: (x.reshape(-1, 28, 28), y))),
    ("return them as they are", changed(lambda x, y: (x / 255, y))),
    ("should be an array", changed(lambda x, y: (list(x), list(y)))),
    ("should be a pair", changed(lambda x, y: x)),
    ("raises IndexError", in_order(lambda rng, n, size: rng.permutation(n + 1))),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_batches, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_batches, answer, words)
