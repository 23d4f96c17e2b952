"""The check of chapter 5 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_softmax
from tests.helpers import assert_praised, assert_refused


def less(pick, xp=jnp):
    """A softmax that subtracts something before it takes exponentials."""

    def softmax(logits):
        positive = xp.exp(logits - pick(logits))
        return positive / positive.sum()

    return softmax


def with_a_loop(logits):
    largest = max(float(z) for z in logits)
    positive = [math.exp(float(z) - largest) for z in logits]
    return [p / sum(positive) for p in positive]


def overflowing_loop(logits):
    positive = [math.exp(z) for z in logits.tolist()]
    return [p / sum(positive) for p in positive]


def subtracted_once(logits):
    return jnp.exp(logits - logits.max()) / jnp.exp(logits).sum()


RIGHT = [
    jax.nn.softmax,
    less(jnp.max),
    less(np.max, np),
    less(jax.nn.logsumexp),
    with_a_loop,
    jax.jit(less(jnp.max)),
    lambda logits: jnp.exp(jax.nn.log_softmax(logits)),
    lambda logits: less(np.max, np)(np.asarray(logits, np.float64)),
]

WRONG = [
    ("returns None", lambda logits: None),
    ("should consist of numbers", lambda logits: "high"),
    ("a probability for each logit", jnp.argmax),
    ("a probability for each logit", lambda logits: jax.nn.softmax(logits)[None]),
    ("a probability for each logit", lambda logits: jax.nn.softmax(logits).max()),
    ("divide by the sum", jnp.exp),
    ("divide by the sum", lambda z: jnp.exp(z - z.max())),
    ("not by the largest", lambda z: jnp.exp(z) / jnp.exp(z).max()),
    ("exponential first", lambda z: z / z.sum()),
    ("logarithm of the softmax", jax.nn.log_softmax),
    ("apply the exponential and divide", lambda z: z - z.max()),
    ("sigmoid", jax.nn.sigmoid),
    ("the sign is wrong", lambda z: jax.nn.softmax(-z)),
    ("powers of 2", lambda z: 2.0**z / (2.0**z).sum()),
    ("the sign of the logits alone", lambda z: jax.nn.softmax(jnp.abs(z))),
    ("names the largest only", lambda z: jax.nn.one_hot(jnp.argmax(z), 10)),
    ("without rounding", lambda z: jnp.round(jax.nn.softmax(z), 3)),
    ("above and below the fraction", subtracted_once),
    ("subtract the largest logit from all", lambda z: jnp.exp(z) / jnp.exp(z).sum()),
    ("subtract the largest number first", overflowing_loop),
    ("is not the largest logit", less(lambda z: z[0])),
    ("is not the largest logit", less(lambda z: z[-1])),
    ("is not the largest logit", less(jnp.mean)),
    ("is not the largest logit", less(jnp.min)),
    ("subtract the largest logit from all", less(lambda z: 3.0)),
    ("cutting off", lambda z: jax.nn.softmax(jnp.clip(z, -9, 9))),
    ("raises TypeError", lambda z: jax.nn.softmax(z, axs=0)),
]


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_softmax, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_softmax, answer, words)
