"""The check of chapter 15 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.browser import quantize
from mnist_code.exercises.deployment import check_quantized
from tests.helpers import assert_praised, assert_refused


def steps_of(weights):
    largest = np.abs(weights).max(axis=1)
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)


def with_steps(steps, round=np.rint, lowest=-128):
    """Integers for these steps."""

    def answer(weights):
        found = np.asarray(steps(weights), np.float32)
        integers = np.clip(round(weights / found[:, None]), lowest, 127)
        return integers.astype(np.int8), found

    return answer


def with_a_loop(weights):
    integers = np.zeros(weights.shape, np.int8)
    steps = np.ones(len(weights), np.float32)
    for place, row in enumerate(weights):
        if row.any():
            steps[place] = max(row.max(), -row.min()) / 127
            integers[place] = np.rint(row / steps[place])
    return integers, steps


def in_jax(weights):
    largest = jnp.abs(weights).max(axis=1, keepdims=True)
    steps = jnp.where(largest > 0, largest, 127.0) / 127
    return jnp.round(weights / steps).astype(jnp.int8), steps[:, 0]


def half_up(weights):
    return with_steps(steps_of, lambda exact: np.floor(exact + 0.5))(weights)


def changed(integers=lambda integers: integers, steps=lambda steps: steps):
    """A right answer in which the integers or the steps are changed."""

    def answer(weights):
        found = quantize(weights)
        return integers(found[0]), steps(found[1])

    return answer


def in_place(weights):
    found = quantize(weights)
    weights /= found[1][:, None]
    return found


def unguarded(weights):
    steps = np.abs(weights).max(axis=1) / 127
    return np.rint(weights / steps[:, None]).astype(np.int8), steps


def unguarded_nan(weights):
    largest = np.abs(weights).max(axis=1)
    return quantize(weights)[0], largest / 127 * (largest / largest)


def of_columns(weights):
    integers, steps = quantize(weights.T.copy())
    return integers.T, steps


def no_scale(weights):
    return np.rint(weights).astype(np.int8), np.ones(len(weights), np.float32)


def by_largest(weights):
    found = weights.max(axis=1) / 127
    return np.where(found > 0, found, 1)


def by_range(weights):
    """Steps from the lowest to the highest weight, as for integers without a sign."""
    found = np.ptp(weights, axis=1) / 255
    return np.where(found > 0, found, 1)


RIGHT = [quantize, with_steps(steps_of), with_a_loop, in_jax, half_up]

WRONG = [
    ("returns None", lambda weights: None),
    ("should accept 1 argument", lambda weights, steps: None),
    ("should return integers and steps", lambda weights: quantize(weights)[0]),
    ("return the integers and then the steps", lambda weights: quantize(weights)[::-1]),
    ("each row has a step", changed(steps=lambda steps: steps[0])),
    ("leave out keepdims", changed(steps=lambda steps: steps[:, None])),
    ("not each column", of_columns),
    ("like the weights", changed(integers=np.ravel)),
    ("integers should be int8, not int32", changed(lambda integers: integers.astype(np.int32))),
    ("integers should be int8, not float32", changed(lambda integers: integers.astype("f4"))),
    ("steps should be float32, not float64", changed(steps=np.float64)),
    ("changes the weights", in_place),
    ("give a row of zeros any step above 0", unguarded),
    ("does a row of zeros divide by zero", unguarded_nan),
    ("take absolute values first", changed(steps=np.negative)),
    ("128", with_steps(lambda weights: steps_of(weights) * 127 / 128)),
    ("which cuts off", with_steps(steps_of, np.trunc)),
    ("instead of down", with_steps(steps_of, np.floor)),
    ("instead of up", with_steps(steps_of, np.ceil)),
    ("go by absolute values", with_steps(by_largest, lowest=-127)),
    ("go by absolute values", with_steps(by_range, lowest=-127)),
    ("give each row a step of its own", with_steps(
        lambda weights: np.full(len(weights), np.abs(weights).max() / 127))),
    ("for a smaller step", with_steps(lambda weights: 2 * steps_of(weights))),
    ("should become 127 or -127, not 1", with_steps(lambda weights: 127 * steps_of(weights))),
    ("should become 127", no_scale),
    ("divide by the row's step", changed(np.zeros_like)),
    ("raises ValueError", lambda weights: weights / np.abs(weights).max(axis=1)),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_quantized, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_quantized, answer, words)
