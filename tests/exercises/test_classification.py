"""The check of chapter 2 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_accuracy
from tests.helpers import assert_praised, assert_refused


def mean(predicted, labels):
    return float(np.mean(predicted == labels))


def with_a_loop(predicted, labels):
    right = 0
    for p, label in zip(predicted, labels, strict=True):
        if p == label:
            right += 1
    return right / len(labels)


def of_batches(size, drop=False):
    def accuracy(predicted, labels):
        stop = max(len(labels) // size * size, 1) if drop else len(labels)
        starts = range(0, stop, size)
        return float(
            np.mean(
                [mean(predicted[i : i + size], labels[i : i + size]) for i in starts]
            )
        )

    return accuracy


def of_classes(predicted, labels):
    classes = np.unique(labels)
    return float(np.mean([mean(predicted[labels == c], c) for c in classes]))


RIGHT = [
    mean,
    with_a_loop,
    lambda predicted, labels: int(sum(predicted == labels)) / len(labels),
    lambda predicted, labels: float(jnp.mean(jnp.asarray(predicted) == labels)),
    lambda predicted, labels: np.count_nonzero(predicted == labels) / labels.size,
    lambda predicted, labels: 1 - np.mean(predicted != labels),
]

WRONG = [
    ("returns None", lambda predicted, labels: None),
    ("should accept 2 arguments", lambda params, images, labels: 1.0),
    ("counts the images of a short last batch too much", of_batches(32)),
    ("counts the images of a short last batch too much", of_batches(10)),
    ("leaves out the short last batch", of_batches(50, drop=True)),
    ("averages over the classes", of_classes),
    ("leave out the percentage", lambda p, y: 100 * mean(p, y)),
    ("divide the count", lambda p, y: float(np.sum(p == y))),
    ("divides by 5", lambda p, y: float(np.sum(p == y)) / 5),
    ("divides by 10", lambda p, y: float(np.sum(p == y)) / 10),
    ("the fraction that is wrong", lambda p, y: float(np.mean(p != y))),
    ("whether every prediction is right", lambda p, y: float((p == y).all())),
    ("whether any prediction is right", lambda p, y: float((p == y).any())),
    ("in the same place", lambda p, y: mean(np.sort(p), np.sort(y))),
    ("without rounding", lambda p, y: round(mean(p, y), 2)),
    ("for all images together", lambda p, y: p == y),
    ("make it a Python float", lambda p, y: jnp.mean(p == y)),
    ("should consist of numbers", lambda p, y: f"{mean(p, y):.1%}"),
    ("divide once", lambda p, y: 0.4321),
    ("raises ValueError", lambda p, y: 1.0 if p == y else 0.0),
]


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_accuracy, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_accuracy, answer, words)
