"""The check for the exercise of Chapter 7."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.feedback import (
    call,
    check_shape,
    checking,
    compare,
    kind,
    numbers,
)

LABELS = np.array([3, 1, 4, 1, 5, 9, 2], np.int32)


def check_loss(loss: Callable) -> None:
    """Check the reader's `loss(logits, labels)`, a cross-entropy, from Chapter 7.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def loss(logits, labels):
        ...     rows = jnp.arange(len(labels))
        ...     return -jnp.mean(jax.nn.log_softmax(logits)[rows, labels])
        >>> check_loss(loss)
        Right: check_loss found nothing wrong.
    """
    with checking("check_loss", loss):
        for batch in (len(LABELS), 1):
            _check_value(loss, batch)
        _check_large(loss)
        _check_gradient(loss)


def _logits(batch: int) -> np.ndarray:
    return np.asarray(3 * jax.random.normal(jax.random.key(5), (batch, 10)))


def _value(
    loss: Callable, logits: np.ndarray, labels: np.ndarray, case: str
) -> np.ndarray:
    with np.errstate(all="ignore"):  # the check's own message explains it
        result = call(
            loss, jnp.asarray(logits, jnp.float32), jnp.asarray(labels, jnp.int32),
            case=f"for {case}", on_shapes="keepdims=True keeps the axis of a maximum or a sum",
        )  # fmt: skip
    found = numbers(result)
    check_shape(
        found,
        (),
        "the loss",
        "it is one number for the batch, the mean over its images",
    )
    return found


def _check_value(loss: Callable, batch: int) -> None:
    """Moderate logits, for which every formula is exact."""
    logits, labels = _logits(batch), LABELS[:batch]
    case = f"a batch of {batch}"
    found = _value(loss, logits, labels, case)
    right, mistakes = _mistakes(logits.astype(np.float64), labels)
    compare(
        found, right, mistakes,
        "look for the mean over the batch of log(sum(exp(logits))) minus the logit of the label",
        f"For {case}",
    )  # fmt: skip


def _mistakes(
    logits: np.ndarray, labels: np.ndarray
) -> tuple[float, list[tuple[float, str]]]:
    """The right loss, and what typical mistakes return."""
    batch, classes = logits.shape
    rows = np.arange(batch)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    logs = np.log(probabilities)
    picked = logits[rows, labels]
    right = -logs[rows, labels].mean()

    largest = logits.max(axis=-1)
    log_sums = np.log(np.exp(logits).sum(axis=-1))
    over_all = np.log(np.exp(logits).sum()) - picked.mean()
    over_batch = np.mean(np.log(np.exp(logits).sum(axis=0))[labels] - picked)
    by_class = logits - logits.max(axis=0)
    shifted_by_class = np.mean(
        np.log(np.exp(by_class).sum(axis=-1)) - by_class[rows, labels]
    )
    of_label = probabilities[rows, labels]
    squares = ((probabilities - np.eye(classes)[labels]) ** 2).sum(axis=-1)

    by_ten = "it divides by the 10 classes too, so sum over the classes before you take the mean"
    whole = (
        "one softmax runs over the whole batch, so sum each row by itself with axis=-1"
    )
    indexing = "this picks whole rows or columns, so index with jnp.arange(len(labels)), labels"
    shift = "subtract each row's maximum from the logit of the label, too"
    return right, [
        (-right, "the sign is wrong, since the loss is minus the logarithm"),
        (right / classes, by_ten),
        (right * batch, "this sums over the batch, so take the mean"),
        (right / batch, "it divides by the batch size twice"),
        (over_all, whole),
        (over_all * batch, whole),
        (over_all / classes, f"{whole}; {by_ten}"),
        (over_batch, "it sums over axis 0, the batch; the classes are the last axis, axis=-1"),
        (shifted_by_class, "the maximum is taken over axis 0, the batch, so use axis=-1"),
        (np.mean(log_sums - largest - picked), shift),
        (np.mean(log_sums - picked + largest), "the maximum is counted once too often"),
        (-picked.mean(), "these are logits, not yet log-probabilities, so subtract log(sum(exp))"),
        (log_sums.mean(), "the logit of the label is missing"),
        (-logs.mean() * classes, "this counts every class, so take that of the label only"),
        (-logs.mean(), "this counts every class, so take that of the label only"),
        (-logs[np.minimum(labels, batch - 1)].mean(), indexing),
        (-logs[:, labels].mean(), indexing),
        (-of_label.mean(), "take the logarithm of the probability"),
        (1 - of_label.mean(), "take the logarithm of the probability"),
        (-np.log(of_label.mean()), "take the logarithms first and their mean afterwards"),
        *[
            (-np.log(of_label + small).mean(), "add nothing to the probabilities")
            for small in (0.1, 0.01, 1e-3, 1e-4, 1e-5)
        ],
        (np.exp(right), "this is the exponential of the loss"),
        (right / np.log(2), "this is the logarithm to base 2, so use the natural one, jnp.log"),
        (right / np.log(10), "this is the logarithm to base 10, so use the natural one, jnp.log"),
        (squares.mean(), "this is a squared error, not a cross-entropy"),
        (squares.mean() / classes, "this is a squared error, not a cross-entropy"),
    ]  # fmt: skip


def _check_large(loss: Callable) -> None:
    """Logits for which a careless exponential overflows or vanishes."""
    classes = np.arange(len(LABELS))  # one shape throughout, which JAX compiles once
    far = 1000 * np.eye(10)[classes]
    right = _value(loss, far, classes, "logits of 1,000")
    assert np.isfinite(right), (
        f"For logits of 1,000 the loss is {right}, because an exponential overflows: "
        "subtract the largest logit of each row first."
    )
    assert abs(right) < 1e-4, (
        f"Where the label's logit is the largest by 1,000, the loss should be 0, not {right:.4g}: "
        "add nothing to the probabilities, and cut nothing off."
    )
    wrong = _value(loss, far, classes + 1, "logits of 1,000")
    assert abs(wrong - 1000) < 1, (
        f"Where another class leads by 1,000, the loss should be 1,000, not {wrong:.4g}: "
        "compute the logarithm of the softmax without rounding the probability to 0 first."
    )
    uneven = np.tile(np.arange(1.0, 11.0), (len(LABELS), 1))
    uneven[0] = far[0]
    for rows, what in ((uneven, "far above"), (-uneven, "far below")):
        labels = rows.argmax(axis=-1)
        expected = np.mean(_log_sums(rows) - rows[classes, labels])
        found = _value(loss, rows, labels, f"one row {what} the others")
        assert abs(found - expected) < 1e-3, (
            f"For a batch with one row {what} the others, the loss should be {expected:.4g}, "
            f"not {found:.4g}: subtract the maximum of each row, not one for the whole batch."
        )


def _log_sums(logits: np.ndarray) -> np.ndarray:
    largest = logits.max(axis=-1)
    return largest + np.log(np.exp(logits - largest[:, None]).sum(axis=-1))


def _check_gradient(loss: Callable) -> None:
    labels = jnp.asarray(LABELS)
    value = loss(jnp.asarray(_logits(len(LABELS))), labels)
    assert isinstance(value, jax.Array), (
        f"The value is right, but it is {kind(value)}, which jax.grad cannot follow: "
        "compute with jax.numpy, and return its array without float(...)."
    )
    for factor, case in ((1, "moderate logits"), (1000, "logits of thousands")):
        logits = factor * jnp.asarray(_logits(len(LABELS)))
        gradient = call(
            lambda logits: jax.grad(loss)(logits, labels), logits,
            case=f"under jax.grad, for {case}",
        )  # fmt: skip
        assert jnp.isfinite(gradient).all(), (
            f"For {case} the loss is right, but its gradient is not finite: "
            "subtract the maximum before the exponential, not afterwards."
        )
        right = (jax.nn.softmax(logits) - jax.nn.one_hot(labels, 10)) / len(labels)
        assert jnp.allclose(gradient, right, atol=1e-5), (
            f"For {case} the loss is right, but its gradient is not the softmax minus one-hot, "
            "divided by the batch size: is a part rounded or cut off from the gradient?"
        )
