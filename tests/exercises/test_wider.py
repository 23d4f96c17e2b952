"""The check of chapter 14: each typical mistake is told from the others."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.wider import check_shares


def right(size, devices):
    each = -(-size // devices)
    rows = np.arange(devices * each).reshape(devices, each)
    return np.where(rows < size, rows, 0), rows < size


def in_jax(size, devices):
    rows, mask = right(size, devices)
    return jnp.asarray(rows), jnp.asarray(mask)


def dealt_like_cards(size, devices):
    each = -(-size // devices)
    rows = np.arange(devices * each).reshape(each, devices).T
    return np.where(rows < size, rows, size - 1), rows < size


@pytest.mark.parametrize("shares", [right, in_jax, dealt_like_cards])
def test_right_ones_pass(shares, capsys):
    check_shares(shares)
    assert "nothing wrong" in capsys.readouterr().out


def nothing(size, devices):
    pass


def no_mask(size, devices):
    return right(size, devices)[0]


def flat(size, devices):
    return tuple(array.ravel() for array in right(size, devices))


def dropped(size, devices):
    each = size // devices
    rows = np.arange(devices * each).reshape(devices, each)
    return rows, np.ones_like(rows, bool)


def too_wide(size, devices):
    rows, mask = right(size, devices)
    return np.pad(rows, ((0, 0), (0, 1))), np.pad(mask, ((0, 0), (0, 1)))


def numbers(size, devices):
    rows, mask = right(size, devices)
    return rows, mask.astype(np.float32)


def all_real(size, devices):
    rows, mask = right(size, devices)
    return rows, np.ones_like(mask)


def out_of_range(size, devices):
    each = -(-size // devices)
    rows = np.arange(devices * each).reshape(devices, each)
    return rows, rows < size


def twice(size, devices):
    rows, mask = right(size, devices)
    return np.where(rows == 1, 0, rows), mask


def as_floats(size, devices):
    rows, mask = right(size, devices)
    return rows.astype(np.float32), mask


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (nothing, "None: is there a `return`"),
        (no_mask, "two things"),
        (flat, "one row for each device"),
        (dropped, "should get 4 places"),
        (too_wide, "should get 4 places, as few as will do, not 5"),
        (numbers, "True and False, not float32"),
        (all_real, "should mark 30 places as real, and marks 32"),
        (out_of_range, "out of range"),
        (twice, "each image from 0 to 31 once"),
        (as_floats, "whole numbers, not float32"),
    ],
)
def test_wrong_ones_are_told_what_is_wrong(shares, message):
    with pytest.raises(AssertionError, match=message):
        check_shares(shares)
