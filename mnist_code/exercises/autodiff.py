"""Checks for the exercises of chapter 7."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.praise import praise


def check_loss(loss: Callable) -> None:
    """Check a `loss(logits, labels)` of the reader's: cross-entropy, integer labels (chapter 7).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def loss(logits, labels):
        ...     rows = jnp.arange(len(labels))
        ...     return -jnp.mean(jax.nn.log_softmax(logits)[rows, labels])
        >>> check_loss(loss)
        Right: check_loss found nothing wrong.
    """
    logits = jax.random.normal(jax.random.key(6), (7, 10)) * 3
    labels = jnp.array([3, 1, 4, 1, 5, 9, 2])
    value = _number(loss(logits, labels))
    expected, mistakes = _known_values(np.asarray(logits, np.float64), labels)
    if abs(value - expected) > 1e-4 * expected:
        for mistaken, message in mistakes:
            assert abs(value - mistaken) > 1e-4 * abs(mistaken), message
        raise AssertionError(
            f"On the logits of this check it should return {expected:.4f}, and returns {value:.4f}."
        )

    large = _number(loss(1000 * jnp.eye(10)[:4], jnp.arange(4)))
    assert np.isfinite(large), (
        f"With logits of 1,000 it returns {large}: the exponential overflows. "
        "Use jax.nn.log_softmax, or subtract the largest logit of each row first."
    )
    assert abs(large) < 1e-4, (
        f"Where the right class has all the probability it should return 0, and returns {large}."
    )
    wrong = _number(loss(1000 * jnp.eye(10)[:4], jnp.arange(4) + 1))
    assert abs(wrong - 1000) < 1, (
        "Where the right class lies 1,000 below the best it should return 1,000, and returns "
        f"{wrong}: take the logarithm from jax.nn.log_softmax, not of a rounded probability."
    )

    try:
        gradient = jax.grad(loss)(logits, labels)
    except (jax.errors.JAXTypeError, TypeError) as error:
        raise AssertionError(
            "jax.grad cannot trace it: compute with jax.numpy, and return an array, not a float."
        ) from error
    right = (jax.nn.softmax(logits) - jax.nn.one_hot(labels, 10)) / len(labels)
    assert jnp.allclose(gradient, right, atol=1e-5), (
        "Its value is right, but its gradient is not softmax minus one-hot over the batch size."
    )
    praise("check_loss")


def _number(result) -> float:
    """What the reader's loss returned, if it is one number."""
    assert result is not None, "It returns None: is there a `return`?"
    try:
        array = np.asarray(result, np.float64)
    except (TypeError, ValueError):
        raise AssertionError(
            f"It should return a number, and returns {type(result).__name__}."
        ) from None
    assert array.shape == (), (
        f"It should return one number for the batch, and returns shape {array.shape}: "
        "take the mean over the batch."
    )
    return float(array)


def _known_values(
    logits: np.ndarray, labels: jax.Array
) -> tuple[float, list[tuple[float, str]]]:
    """The right loss in float64, and typical wrong ones with what to say about each."""
    batch, classes = logits.shape
    picked = logits[np.arange(batch), np.asarray(labels)]
    right = float(np.mean(np.log(np.exp(logits).sum(axis=-1)) - picked))
    over_all = float(np.log(np.exp(logits).sum()) - picked.mean())
    over_batch = float(
        np.mean(np.log(np.exp(logits).sum(axis=0))[np.asarray(labels)] - picked)
    )
    by_ten = (
        f"It divides by the {classes} classes too: sum over the classes, "
        "then take the mean over the batch."
    )
    all_entries = (
        "It normalizes over the whole batch: each row has a log-sum-exp, axis=-1."
    )
    return right, [
        (-right, "It has the wrong sign: the loss is minus the logarithm."),
        (right / classes, by_ten),
        (right * batch, "It sums over the batch: take the mean."),
        (over_all, all_entries),
        (over_all * batch, all_entries),
        (over_all / classes, f"{all_entries} {by_ten}"),
        (
            over_batch,
            "It normalizes over the batch, axis 0: the classes are the last axis, axis=-1.",
        ),
        (
            float(-picked.mean()),
            "It takes the logits for log-probabilities: apply log_softmax to each row.",
        ),
        (right / np.log(2), "It uses the logarithm to base 2: use the natural one."),
    ]
