"""The check of chapter 9 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.jit import check_padded
from tests.helpers import assert_praised, assert_refused


def right(images, labels, size):
    missing = size - len(labels)
    images = np.pad(images, ((0, missing), (0, 0)))
    return images, np.pad(labels, (0, missing)), np.arange(size) < size - missing


def in_jax(images, labels, size):
    missing = size - len(labels)
    mask = jnp.arange(size) < len(labels)
    images = jnp.pad(images, ((0, missing), (0, 0)), mode="edge")
    return images, jnp.pad(labels, (0, missing), constant_values=-1), mask


def filled_in(images, labels, size):
    padded = (
        np.zeros((size, 784), np.float32),
        np.zeros(size, np.int32),
        np.zeros(size, bool),
    )
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
        padded[0][row], padded[1][row], padded[2][row] = image, label, True
    return padded


def padding_first(images, labels, size):
    images, labels, mask = right(images[::-1], labels[::-1], size)
    return [images[::-1], labels[::-1], mask[::-1]]


def changed(images=None, labels=None, mask=None):
    """A right answer in which some parts are changed."""

    def pad(*given):
        changes = images, labels, mask
        parts = zip(right(*given), changes, strict=True)
        return tuple(change(part) if change else part for part, change in parts)

    return pad


def by_brightness(images, labels, size):
    images, labels, _ = right(images, labels, size)
    return images, labels, images.any(axis=1)


def from_the_end(images, labels, size):
    images, labels, mask = right(images, labels, size)
    mask[-np.count_nonzero(~mask) :] = False
    return images, labels, mask


def two_types(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, labels, mask if len(mask) > mask.sum() else mask.astype(np.float32)


def in_place(images, labels, size):
    images += 1
    return right(images - 1, labels, size)


def padded_by(value, part):
    """The padding of the images or of the labels is this value."""

    def pad(images, labels, size):
        parts = dict(
            zip(("images", "labels", "mask"), right(images, labels, size), strict=True)
        )
        parts[part][~parts["mask"]] = value
        return tuple(parts.values())

    return pad


RIGHT = [
    right,
    in_jax,
    filled_in,
    padding_first,
    changed(mask=lambda mask: mask.astype(np.float32)),
    changed(mask=lambda mask: mask.astype(int)),
]

WRONG = [
    ("returns None", lambda images, labels, size: None),
    ("should accept 3 arguments", lambda images, labels: None),
    ("should return images, labels and mask", lambda images, labels, size: images),
    ("3 values in that order", lambda *given: right(*given)[:2]),
    ("pad to `size`, whatever it is", lambda x, y, size: (x, y, np.ones(len(y), bool))),
    ("pad to `size`, whatever it is", lambda x, y, size: right(x, y, 8)),
    ("pad to `size`, whatever it is", lambda x, y, size: right(x, y, len(y) + size)),
    ("it covers the padding, too", lambda x, y, size: (
        *right(x, y, size)[:2], np.ones(len(y), bool))),
    ("should be an array", changed(mask=list)),
    ("should be an array", changed(mask=lambda mask: int(mask.sum()))),
    ("images should stay float32", changed(images=lambda x: x.astype(np.float64))),
    ("labels should stay int32", changed(labels=lambda y: y.astype(np.float32))),
    ("the padding should be False", changed(mask=np.ones_like)),
    ("a black image or the label 0 can be real", by_brightness),
    ("True should stand for a real image", changed(mask=np.invert)),
    ("only True and False", changed(mask=lambda mask: mask * np.arange(len(mask)))),
    ("a slice that starts at -0", from_the_end),
    ("depending on the batch", two_types),
    ("does the padding come where the mask says", changed(
        images=lambda x: x[::-1], labels=lambda y: y[::-1])),
    ("the labels that the mask marks", changed(labels=lambda y: np.roll(y, 1))),
    ("changes the arrays that it received", in_place),
    ("holds nan or infinity", padded_by(np.nan, "images")),
    ("is 10, which is no digit", padded_by(10, "labels")),
    ("is -9, which is no digit", padded_by(-9, "labels")),
    ("raises ValueError", lambda x, y, size: right(x, y, len(y) - 1)),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_padded, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_padded, answer, words)
