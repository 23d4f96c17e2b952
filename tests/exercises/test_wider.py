"""The check of chapter 14 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.wider import check_shares
from tests.helpers import assert_praised, assert_refused


def right(size, devices):
    each = -(-size // devices)
    rows = np.arange(devices * each).reshape(devices, each)
    return np.where(rows < size, rows, 0), rows < size


def in_jax(size, devices):
    return tuple(map(jnp.asarray, right(size, devices)))


def dealt_like_cards(size, devices):
    each = -(-size // devices)
    rows = np.arange(devices * each).reshape(each, devices).T
    return np.where(rows < size, rows, size - 1), rows < size


def as_lists(size, devices):
    each = (size + devices - 1) // devices
    rows, mask = [], []
    for device in range(devices):
        mine = list(range(size))[device * each : (device + 1) * each]
        padding = each - len(mine)
        rows.append(mine + [0] * padding)
        mask.append([True] * len(mine) + [False] * padding)
    return [rows, mask]


def even(size, devices):
    each = -(-size // devices)
    parts = np.array_split(np.arange(size), devices)
    rows = np.array([np.resize(np.append(part, 0), each) for part in parts])
    return rows, np.array([np.arange(each) < len(part) for part in parts])


def dropped(size, devices):
    each = size // devices
    rows = np.arange(devices * each).reshape(devices, each)
    return rows, np.ones_like(rows, bool)


def one_more(size, devices):
    rows, mask = right(size, devices)
    return np.pad(rows, ((0, 0), (0, 1))), np.pad(mask, ((0, 0), (0, 1)))


def unpadded(size, devices):
    each = -(-size // devices)
    rows = np.arange(devices * each).reshape(devices, each)
    return rows, rows < size


def changed(rows=lambda rows: rows, mask=lambda mask: mask):
    """A right answer in which the rows or the mask are changed."""

    def shares(*given):
        found = right(*given)
        return rows(found[0]), mask(found[1])

    return shares


def minus_one(size, devices):
    rows, mask = right(size, devices)
    return np.where(mask, rows, -1), mask


def ragged(size, devices):
    rows, mask = right(size, devices)
    return [row[real].tolist() for row, real in zip(rows, mask, strict=True)], mask


RIGHT = [right, in_jax, dealt_like_cards, as_lists, even]

WRONG = [
    ("returns None", lambda size, devices: None),
    ("should accept 2 arguments", lambda size: None),
    ("should return rows and mask", lambda size, devices: right(size, devices)[0]),
    ("give each device a row", changed(np.ravel, np.ravel)),
    ("it is transposed", changed(np.transpose, np.transpose)),
    ("a row for each device", lambda size, devices: right(size, 8)),
    ("round the number of places up", dropped),
    ("use no more places than necessary", one_more),
    ("should hold True and False", changed(mask=lambda mask: mask.astype(np.float32))),
    ("should hold True and False", changed(mask=lambda mask: mask.astype(int))),
    ("return the rows and then the mask", lambda size, devices: right(size, devices)[::-1]),
    ("should be whole numbers, not float32", changed(lambda rows: rows.astype(np.float32))),
    ("the padding should be False", changed(mask=np.ones_like)),
    ("True should stand for a real image", changed(mask=np.invert)),
    ("every image should have one place", changed(mask=lambda mask: mask & (mask.cumsum() > 1)
        .reshape(mask.shape) if mask.size > 1 else mask)),
    ("the number of any image", unpadded),
    ("the number of any image", minus_one),
    ("come twice", changed(lambda rows: np.where(rows == 1, 0, rows))),
    ("count from 0", changed(lambda rows: rows + 1)),
    ("the mask marks other places", changed(mask=lambda mask: mask[::-1])),
    ("should consist of numbers", ragged),
    ("raises ZeroDivisionError", lambda size, devices: right(size, devices // 32)),
    ("raises ValueError", lambda size, devices: (
        np.arange(size).reshape(devices, -1), np.ones((devices, size // devices), bool))),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_shares, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_shares, answer, words)
