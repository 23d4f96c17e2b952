"""The check of chapter 15: each typical mistake is told from the others."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_code.browser import quantize
from mnist_code.exercises.deployment import check_quantized


def by_hand(weights):
    integers = np.zeros(weights.shape, np.int8)
    steps = np.ones(len(weights), np.float32)
    for place, row in enumerate(weights):
        if row.any():
            steps[place] = max(row.max(), -row.min()) / 127
            integers[place] = np.rint(row / steps[place])
    return integers, steps


@pytest.mark.parametrize("right", [quantize, by_hand])
def test_right_ones_pass(right, capsys):
    check_quantized(right)
    assert "nothing wrong" in capsys.readouterr().out


def nothing(weights):
    pass


def no_steps(weights):
    return quantize(weights)[0]


def one_step(weights):
    step = np.float32(np.abs(weights).max() / 127)
    steps = np.full(len(weights), step)
    return np.rint(weights / step).astype(np.int8), steps


def a_number(weights):
    integers, steps = one_step(weights)
    return integers, steps[0]


def wide(weights):
    integers, steps = quantize(weights)
    return integers.astype(np.int32), steps


def double(weights):
    integers, steps = quantize(weights)
    return integers, steps.astype(np.float64)


def cut_off(weights):
    _, steps = quantize(weights)
    return (weights / steps[:, None]).astype(np.int8), steps


def no_guard(weights):
    with np.errstate(all="ignore"):
        steps = np.abs(weights).max(axis=1) / 127
        return np.rint(weights / steps[:, None]).astype(np.int8), steps / (steps > 0)


def zero_step(weights):
    integers, steps = quantize(weights)
    return integers, np.where(weights.any(axis=1), steps, 0).astype(np.float32)


def to_128(weights):
    _, steps = quantize(weights)
    steps = steps * np.float32(127 / 128)
    return np.clip(np.rint(weights / steps[:, None]), -128, 127).astype(np.int8), steps


def by_largest(weights):
    largest = weights.max(axis=1)
    steps = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    scaled = np.rint(weights / steps[:, None])
    return np.clip(scaled, -127, 127).astype(np.int8), steps


def too_coarse(weights):
    _, steps = quantize(weights)
    return np.rint(weights / (2 * steps[:, None])).astype(np.int8), 2 * steps


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (nothing, "None: is there a `return`"),
        (no_steps, "two things"),
        (a_number, r"steps should have shape \(5,\)"),
        (wide, "integers should be int8, not int32"),
        (double, "steps should be float32, not float64"),
        (no_guard, "row of zeros"),
        (zero_step, "above 0"),
        (to_128, "-128 has no counterpart"),
        (cut_off, "rounded, not cut off"),
        (by_largest, "steps from its integer"),
        (one_step, "should become 127"),
        (too_coarse, "should become 127"),
    ],
)
def test_wrong_ones_are_told_what_is_wrong(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check_quantized(wrong)
