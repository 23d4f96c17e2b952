"""The check of chapter 7 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_loss
from tests.helpers import assert_praised, assert_refused


def picked(table, labels):
    return jnp.take_along_axis(table, labels[:, None], axis=1)[:, 0]


def right(logits, labels):
    return -jnp.mean(picked(jax.nn.log_softmax(logits), labels))


def by_hand(largest=lambda z: z.max(axis=-1, keepdims=True), axis=-1):
    """The formula, with a choice of what to subtract and where to sum."""

    def loss(logits, labels):
        shifted = logits - largest(logits)
        log_sums = jnp.log(jnp.exp(shifted).sum(axis=axis, keepdims=True))
        return -jnp.mean(picked(shifted - log_sums, labels))

    return loss


def one_hot_product(logits, labels):
    targets = jax.nn.one_hot(labels, 10)
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1))


def mapped(logits, labels):
    losses = jax.vmap(lambda z, y: jax.nn.logsumexp(z) - z[y])(logits, labels)
    return losses.sum() / len(labels)


def with_a_loop(logits, labels):
    total = 0.0
    for z, y in zip(logits, labels, strict=True):
        total += jnp.log(jnp.sum(jnp.exp(z - jnp.max(z)))) + jnp.max(z) - z[y]
    return total / len(labels)


def of_probabilities(change):
    """A loss from the probabilities of the labels."""
    return lambda logits, labels: change(picked(jax.nn.softmax(logits), labels))


def published(logits, labels):
    targets = jax.nn.one_hot(labels, 10)
    return -jnp.mean(targets * (logits - jax.nn.logsumexp(logits)))


def with_numpy(logits, labels):
    logits = np.asarray(logits)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=-1))
    return np.mean(log_sums - shifted[np.arange(len(labels)), np.asarray(labels)])


def with_math(logits, labels):
    rows = zip(logits.tolist(), labels.tolist(), strict=True)
    return sum(math.log(sum(map(math.exp, z))) - z[y] for z, y in rows) / len(labels)


def shifted_once(logits, labels):
    largest = logits.max(axis=-1)
    sums = jnp.exp(logits - largest[:, None]).sum(axis=-1)
    return jnp.mean(jnp.log(sums) - picked(logits, labels))


def without_keepdims(logits, labels):
    return right(logits - logits.max(axis=-1), labels)


def squared(logits, labels):
    errors = jax.nn.softmax(logits) - jax.nn.one_hot(labels, 10)
    return jnp.mean(jnp.sum(errors**2, axis=-1))


RIGHT = [right, by_hand(), one_hot_product, mapped, with_a_loop, jax.jit(right)]

WRONG = [
    ("returns None", lambda z, y: None),
    ("should accept 2 arguments", lambda params, images, labels: 0.0),
    ("should consist of numbers", lambda z, y: "2.3"),
    ("one number for the batch", lambda z, y: -picked(jax.nn.log_softmax(z), y)),
    ("keepdims=True", without_keepdims),
    ("the sign is wrong", lambda z, y: -right(z, y)),
    ("divides by the 10 classes too", lambda z, y: right(z, y) / 10),
    ("sums over the batch", lambda z, y: right(z, y) * len(y)),
    ("divides by the batch size twice", lambda z, y: right(z, y) / len(y)),
    ("runs over the whole batch", lambda z, y: jax.nn.logsumexp(z) - jnp.mean(picked(z, y))),
    ("divides by the 10 classes too", published),
    ("sums over axis 0", by_hand(lambda z: 0.0, axis=0)),
    ("the maximum is taken over axis 0", by_hand(lambda z: z.max(axis=0))),
    ("from the logit of the label, too", shifted_once),
    ("not yet log-probabilities", lambda z, y: -jnp.mean(picked(z, y))),
    ("the logit of the label is missing", lambda z, y: jnp.mean(jax.nn.logsumexp(z, axis=-1))),
    ("counts every class", lambda z, y: -jnp.mean(jax.nn.log_softmax(z))),
    ("whole rows or columns", lambda z, y: -jnp.mean(jax.nn.log_softmax(z)[:, y])),
    ("whole rows or columns", lambda z, y: -jnp.mean(jax.nn.log_softmax(z)[y])),
    ("the logarithm of the probability", of_probabilities(lambda p: -jnp.mean(p))),
    ("their mean afterwards", of_probabilities(lambda p: -jnp.log(jnp.mean(p)))),
    ("exponential of the loss", lambda z, y: jnp.exp(right(z, y))),
    ("base 2", of_probabilities(lambda p: -jnp.mean(jnp.log2(p)))),
    ("squared error", squared),
    ("look for the mean", lambda z, y: jnp.float32(1.5)),
    ("an exponential overflows", by_hand(lambda z: 0.0)),
    ("subtract the largest number first", with_math),
    ("add nothing to the probabilities", of_probabilities(lambda p: -jnp.mean(jnp.log(p + 1e-3)))),
    ("rounding the probability to 0", of_probabilities(lambda p: -jnp.mean(jnp.log(p)))),
    ("rounding the probability to 0", of_probabilities(
        lambda p: -jnp.mean(jnp.log(jnp.clip(p, 1e-9))))),
    ("not one for the whole batch", by_hand(jnp.max)),
    ("which jax.grad cannot follow", with_numpy),
    ("which jax.grad cannot follow", lambda z, y: float(right(z, y))),
    ("NumPy cannot compute", lambda z, y: jnp.asarray(with_numpy(z, y))),
    ("cut off from the gradient", lambda z, y: jax.lax.stop_gradient(right(z, y))),
    ("raises NameError", lambda z, y: jnp.mean(log_softmax(z))),  # noqa: F821
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_loss, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_loss, answer, words)
