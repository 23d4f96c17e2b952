"""The check of chapter 10 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_running_mean
from tests.helpers import assert_praised, assert_refused


def right(state, x):
    count = state["count"] + 1
    return {"count": count, "mean": state["mean"] + (x - state["mean"]) / count}


def from_the_sum(state, x):
    count = state["count"] + 1
    return {"mean": (state["mean"] * state["count"] + x) / count, "count": count}


def on_a_copy(state, x):
    state = dict(state)
    state["count"] = state["count"].astype(jnp.int32) + jnp.int32(1)
    state["mean"] += (x - state["mean"]) / state["count"]
    return state


def with_where(state, x):
    later = from_the_sum(state, x)
    return {**later, "mean": jnp.where(state["count"] == 0, x, later["mean"])}


def moved(by):
    """A count that is right, and a mean that moves by this function of count, mean and value."""

    def update(state, x):
        count = state["count"] + 1
        return {"count": count, "mean": state["mean"] + by(count, state["mean"], x)}

    return update


def changed(change):
    """A right state, changed."""
    return lambda state, x: change(right(state, x))


def in_place(state, x):
    state["count"] += 1
    state["mean"] += (x - state["mean"]) / state["count"]
    return state


def kept_outside():
    kept = {"count": 0, "mean": 0.0}

    def update(state, x):
        kept.update(right(kept, x))
        return {"count": jnp.int32(kept["count"]), "mean": jnp.float32(kept["mean"])}

    return update


def branches(state, x):
    if state["count"] == 0:
        return {"count": state["count"] + 1, "mean": jnp.float32(x)}
    return right(state, x)


def with_numpy(state, x):
    count = np.add(state["count"], 1)
    return {"count": count, "mean": state["mean"] + (x - state["mean"]) / count}


RIGHT = [right, from_the_sum, on_a_copy, with_where, jax.jit(right)]

WRONG = [
    ("returns None", lambda state, x: None),
    ("should accept 2 arguments", lambda self: None),
    ("a dictionary, not a tuple", changed(lambda s: tuple(s.values()))),
    ("a dictionary, not an array", changed(lambda s: s["mean"])),
    ("but has mean", changed(lambda s: {"mean": s["mean"]})),
    ("but has count and mean and sum", changed(lambda s: {**s, "sum": s["mean"]})),
    ("changes the dictionary", in_place),
    ("it is one number", changed(lambda s: {**s, "mean": jnp.stack([s["mean"]])})),
    ("the count should be 1, not 0", lambda s, x: {"count": s["count"], "mean": x}),
    ("the count should be 2, not 1", changed(lambda s: {**s, "count": jnp.int32(1)})),
    ("not nan", changed(lambda s: {**s, "count": s["count"] * jnp.nan})),
    ("this is the sum", moved(lambda count, mean, x: x)),
    ("this is the last value", moved(lambda count, mean, x: x - mean)),
    ("instead of 2", moved(lambda count, mean, x: (x - mean) / 2)),
    ("the count with the new value", moved(lambda count, mean, x: (x - mean) / (count + 1))),
    ("divide by the new count", moved(lambda count, mean, x: (x - mean) / (count - 1))),
    ("not x / count", moved(lambda count, mean, x: x / count)),
    ("toward the value", moved(lambda count, mean, x: (mean - x) / count)),
    ("multiply the old mean", lambda s, x: {
        "count": s["count"] + 1, "mean": (s["mean"] + x) / (s["count"] + 1)}),
    ("with the count that includes x", moved(lambda count, mean, x: 0.1 * (x - mean))),
    ("keep nothing outside", kept_outside()),
    ("use jnp.where or jax.lax.cond", branches),
    ("go on computing with the array", changed(
        lambda s: {"count": int(s["count"]), "mean": float(s["mean"])})),
    ("the function of the same name from jax.numpy", with_numpy),
    ("goes out as float32", changed(lambda s: {**s, "count": s["count"] + 0.0})),
    ("raises KeyError", lambda state, x: right({"n": 1}, x)),
    ("raises TypeError", lambda state, x: state + x),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_running_mean, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_running_mean, answer, words)
