"""The check of chapter 12 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.faster import check_operations
from tests.helpers import assert_praised, assert_refused


def weights_of(sizes):
    return [a * b for a, b in itertools.pairwise(sizes)]


def right(sizes, images):
    return 2 * images * (2 * sum(weights_of(sizes)) + sum(weights_of(sizes)[1:]))


def product_by_product(sizes, images):
    total = 0.0
    for layer, weights in enumerate(weights_of(sizes)):
        total += 2 * images * weights * (2 if layer == 0 else 3)
    return total


def per_image_and_weight(count):
    """Two operations for each image, times a function of the weights of all layers."""
    return lambda sizes, images: 2 * images * count(weights_of(sizes))


RIGHT = [
    right,
    product_by_product,
    lambda sizes, images: (
        6 * images * sum(weights_of(sizes)) - 2 * images * sizes[0] * sizes[1]
    ),
    lambda sizes, images: np.float64(right(sizes, images)),
    lambda sizes, images: jnp.float32(right(sizes, images)),
]

WRONG = [
    ("returns None", lambda sizes, images: None),
    ("should accept 2 arguments", lambda params: 0),
    ("one number for the whole update", lambda sizes, images: weights_of(sizes)),
    ("the forward pass alone", per_image_and_weight(sum)),
    ("the gradients of the weights", per_image_and_weight(lambda w: sum(w) + sum(w[1:]))),
    ("the inputs of the later layers", per_image_and_weight(lambda w: 2 * sum(w))),
    ("with respect to the images", per_image_and_weight(lambda w: 3 * sum(w))),
    ("is the first, not the last", per_image_and_weight(lambda w: 2 * sum(w) + sum(w[:-1]))),
    ("this counts the first layer only", per_image_and_weight(lambda w: 2 * w[0])),
    ("are two operations", lambda sizes, images: right(sizes, images) / 2),
    ("not four", lambda sizes, images: right(sizes, images) * 2),
    ("this is for one image", lambda sizes, images: right(sizes, 1)),
    ("leave out the biases", lambda sizes, images: right(sizes, images) + images * sum(sizes[1:])),
    ("leave out the update,", lambda sizes, images: (
        right(sizes, images) + 2 * (sum(weights_of(sizes)) + sum(sizes[1:])))),
    ("number of weights", lambda sizes, images: sum(weights_of(sizes))),
    ("number of parameters", lambda sizes, images: sum(weights_of(sizes)) + sum(sizes[1:])),
    ("the forward product of each layer", lambda sizes, images: right(sizes, images) + 1000),
    ("(784, 10) and 1 image", lambda sizes, images: right((784, 512, 10), images)),
    ("a count is finite", lambda sizes, images: math.inf),
    ("a count is finite", lambda sizes, images: math.nan),
    ("raises TypeError", lambda sizes, images: sum(sizes * images * 2.0)),
    ("raises IndexError", lambda sizes, images: (
        right(sizes, images) if sizes[2] else 0)),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_operations, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_operations, answer, words)
