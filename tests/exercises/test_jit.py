"""The check of chapter 9: each typical mistake is told from the others."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.jit import check_padded


def right(images, labels, size):
    missing = size - len(labels)
    images = np.pad(images, ((0, missing), (0, 0)))
    return images, np.pad(labels, (0, missing)), np.arange(size) < size - missing


def in_jax(images, labels, size):
    missing = size - len(labels)
    mask = jnp.arange(size) < len(labels)
    images = jnp.pad(images, ((0, missing), (0, 0)), mode="edge")
    return images, jnp.pad(labels, (0, missing)), mask


def as_numbers(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, labels, mask.astype(np.float32)


def padding_first(images, labels, size):
    images, labels, mask = right(images[::-1], labels[::-1], size)
    return images[::-1], labels[::-1], mask[::-1]


@pytest.mark.parametrize("pad", [right, in_jax, as_numbers, padding_first])
def test_right_ones_pass(pad, capsys):
    check_padded(pad)
    assert "nothing wrong" in capsys.readouterr().out


def nothing(images, labels, size):
    pass


def no_mask(images, labels, size):
    return right(images, labels, size)[:2]


def not_padded(images, labels, size):
    return images, labels, np.ones(len(labels), bool)


def short_mask(images, labels, size):
    return *right(images, labels, size)[:2], np.ones(len(labels), bool)


def mask_of_none(images, labels, size):
    return *right(images, labels, size)[:2], [None] * size


def double(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images.astype(np.float64), labels, mask


def float_labels(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, labels.astype(np.float32), mask


def all_real(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, labels, np.ones_like(mask)


def by_brightness(images, labels, size):
    images, labels, _ = right(images, labels, size)
    return images, labels, images.any(axis=1)


def inverted(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, labels, ~mask


def index_mask(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, labels, mask * np.arange(size)


def padding_in_front(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images[::-1], labels[::-1], mask


def labels_apart(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, np.roll(labels, 1), mask


def two_types(images, labels, size):
    images, labels, mask = right(images, labels, size)
    return images, labels, mask if len(mask) > mask.sum() else mask.astype(np.float32)


@pytest.mark.parametrize(
    ("pad", "message"),
    [
        (nothing, "None: is there a `return`"),
        (lambda images, labels, size: images, "three things"),
        (no_mask, "three things"),
        (not_padded, r"images should have shape \(8, 784\), not \(5, 784\)"),
        (short_mask, r"mask should have shape \(8,\), not \(5,\)"),
        (mask_of_none, "mask should be an array of numbers"),
        (double, "images should stay float32, and are float64"),
        (float_labels, "labels should stay int32, and are float32"),
        (all_real, "mark 5 as real, and marks 8"),
        (by_brightness, "mark 5 as real, and marks 4"),
        (inverted, "mark 5 as real, and marks 3"),
        (index_mask, "True and False, or 1 and 0"),
        (padding_in_front, "marked images should be those given"),
        (labels_apart, "marked labels should be those given"),
        (two_types, "of type bool and float32"),
    ],
)
def test_wrong_ones_are_told_what_is_wrong(pad, message):
    with pytest.raises(AssertionError, match=message):
        check_padded(pad)
