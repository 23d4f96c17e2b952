"""The checks of chapter 7 refuse what is wrong and say why."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_loss


def picked(table, labels):
    return jnp.take_along_axis(table, labels[:, None], axis=1)[:, 0]


def right(logits, labels):
    return -jnp.mean(picked(jax.nn.log_softmax(logits), labels))


def by_hand(logits, labels):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = jnp.log(jnp.exp(shifted).sum(axis=-1))
    return jnp.mean(log_sum - picked(shifted, labels))


def one_hot_product(logits, labels):
    targets = jax.nn.one_hot(labels, 10)
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1))


def published(logits, labels):
    targets = jax.nn.one_hot(labels, 10)
    return -jnp.mean(targets * (logits - jax.nn.logsumexp(logits)))


def naive(logits, labels):
    return jnp.mean(jnp.log(jnp.exp(logits).sum(axis=-1)) - picked(logits, labels))


def rounded(logits, labels):
    return -jnp.mean(jnp.log(picked(jax.nn.softmax(logits), labels) + 1e-7))


def with_numpy(logits, labels):
    logits = np.asarray(logits)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))
    return np.mean(log_sum - shifted[np.arange(len(labels)), np.asarray(labels)])


def as_float(logits, labels):
    return float(right(logits, labels))


def stopped(logits, labels):
    return jax.lax.stop_gradient(right(logits, labels))


@pytest.mark.parametrize("loss", [right, by_hand, one_hot_product])
def test_check_loss_accepts_what_is_right(loss, capsys):
    check_loss(loss)
    assert "Right: check_loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda z, y: None, "returns None"),
        (lambda z, y: "2.3", "returns 2.3|should return a number|should return 3"),
        (lambda z, y: object(), "should return a number, and returns object"),
        (lambda z, y: -picked(jax.nn.log_softmax(z), y), r"returns shape \(7,\)"),
        (lambda z, y: -right(z, y), "wrong sign"),
        (lambda z, y: right(z, y) / 10, "divides by the 10 classes"),
        (lambda z, y: right(z, y) * len(y), "sums over the batch"),
        (
            lambda z, y: jax.nn.logsumexp(z) - jnp.mean(picked(z, y)),
            "normalizes over the whole batch",
        ),
        (published, "normalizes over the whole batch.*divides by the 10 classes"),
        (
            lambda z, y: -jnp.mean(picked(jax.nn.log_softmax(z, axis=0), y)),
            "normalizes over the batch, axis 0",
        ),
        (lambda z, y: -jnp.mean(picked(z, y)), "logits for log-probabilities"),
        (lambda z, y: right(z, y) / jnp.log(2), "base 2"),
        (lambda z, y: jnp.float32(1.5), "should return .*, and returns 1.5000"),
        (naive, "overflows"),
        (rounded, "rounded probability|should return 0"),
        (with_numpy, "jax.grad cannot trace it"),
        (as_float, "jax.grad cannot trace it"),
        (stopped, "its gradient is not"),
    ],
)
def test_check_loss_says_what_is_wrong(loss, message):
    with pytest.raises(AssertionError, match=message):
        check_loss(loss)
