"""The check of chapter 6 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_pairwise
from tests.helpers import assert_praised, assert_refused


def distance(image, mean):
    return ((image - mean) ** 2).sum()


def every_pair(function):
    """A function of one image and one mean, mapped as the solution maps it."""
    return jax.vmap(jax.vmap(function, in_axes=(None, 0)), in_axes=(0, None))


def by_products(images, means):
    squares = (images**2).sum(axis=1)[:, None] + (means**2).sum(axis=1)[None, :]
    return squares - 2 * images @ means.T


def with_a_loop(images, means):
    return np.array([[float(distance(x, y)) for y in means] for x in images])


RIGHT = [
    every_pair(distance),
    jax.jit(every_pair(distance)),
    by_products,
    with_a_loop,
    lambda images, means: ((images[:, None] - means) ** 2).sum(-1),
    lambda images, means: (
        jax.vmap(jax.vmap(distance, (0, None)), (None, 0))(images, means).T
    ),
    lambda images, means: np.asarray(every_pair(distance)(images, means), np.float64),
    lambda images, means: jnp.stack([((x - means) ** 2).sum(1) for x in images]),
]

WRONG = [
    ("returns None", lambda images, means: None),
    ("should accept 2 arguments", lambda images: images),
    ("mapped in step", jax.vmap(distance)),
    ("mapped in step", distance),
    ("it is transposed", lambda x, y: every_pair(distance)(x, y).T),
    ("it is transposed", jax.vmap(jax.vmap(distance, (0, None)), (None, 0))),
    ("the table is transposed", lambda x, y: (
        every_pair(distance)(x, y).T if len(x) == len(y) else every_pair(distance)(x, y)
    )),
    ("so map twice", lambda x, y: every_pair(distance)(x, y).ravel()),
    ("so map twice", lambda x, y: distance(x[0], y[0])),
    ("so map twice", lambda x, y: jax.vmap(distance, (0, None))(x, y[0])),
    ("index of the nearest", lambda x, y: every_pair(distance)(x, y).argmin(axis=1)),
    ("sum over the pixels", every_pair(lambda a, b: (a - b) ** 2)),
    ("a column for each mean", lambda x, y: every_pair(distance)(x, jnp.tile(y, (2, 1)))),
    ("one array with all distances", lambda x, y: every_pair(distance)(x, y).tolist()),
    ("square root", every_pair(lambda a, b: jnp.sqrt(distance(a, b)))),
    ("square root", every_pair(lambda a, b: jnp.linalg.norm(a - b))),
    ("not their mean", every_pair(lambda a, b: ((a - b) ** 2).mean())),
    ("one half", every_pair(lambda a, b: distance(a, b) / 2)),
    ("the sign", every_pair(lambda a, b: -distance(a, b))),
    ("absolute values", every_pair(lambda a, b: jnp.abs(a - b).sum())),
    ("not the largest only", every_pair(lambda a, b: jnp.abs(a - b).max())),
    ("before you sum", every_pair(lambda a, b: (a - b).sum())),
    ("before you sum", every_pair(lambda a, b: (a - b).sum() ** 2)),
    ("subtract first", every_pair(lambda a, b: (a**2 - b**2).sum())),
    ("inner product", every_pair(jnp.dot)),
    ("sum the squared differences", every_pair(lambda a, b: distance(a, b) * jnp.nan)),
    ("NumPy cannot compute with a traced array", every_pair(lambda a, b: np.dot(a - b, a - b))),
    ("go on computing with the array", every_pair(lambda a, b: float(distance(a, b)))),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_pairwise, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_pairwise, answer, words)
