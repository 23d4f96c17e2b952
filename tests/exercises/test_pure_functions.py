"""The check of chapter 10: what it refuses, and that it says why."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_running_mean

kept = {"count": 0, "mean": 0.0}


def right(state, x):
    """The recurrence, in a new state."""
    count = state["count"] + 1
    return {"count": count, "mean": state["mean"] + (x - state["mean"]) / count}


def right_from_the_sum(state, x):
    """Another way to the same mean."""
    count = state["count"] + 1
    return {"count": count, "mean": (state["mean"] * state["count"] + x) / count}


def returns_nothing(state, x):
    """Computes, and forgets to return."""
    right(state, x)


def returns_a_pair(state, x):
    """A state of another kind than it was given."""
    return tuple(right(state, x).values())


def returns_the_mean(state, x):
    """The result without the count."""
    return {"mean": right(state, x)["mean"]}


def changes_its_input(state, x):
    """The class's body, on the dictionary."""
    state["count"] = state["count"] + 1
    state["mean"] = state["mean"] + (x - state["mean"]) / state["count"]
    return state


def returns_a_vector(state, x):
    """A mean that has grown an axis."""
    return {**right(state, x), "mean": jnp.stack([right(state, x)["mean"]])}


def does_not_count(state, x):
    """A mean of two at every step."""
    return {"count": state["count"], "mean": (state["mean"] + x) / 2}


def divides_by_the_old_count(state, x):
    """Off by one."""
    count = state["count"] + 1
    return {"count": count, "mean": state["mean"] + (x - state["mean"]) / (count + 1)}


def keeps_it_outside(state, x):
    """State in a global."""
    kept["count"] += 1
    kept["mean"] += (x - kept["mean"]) / kept["count"]
    return {"count": jnp.int32(kept["count"]), "mean": jnp.float32(kept["mean"])}


def branches(state, x):
    """A Python `if` on a value."""
    if state["count"] == 0:
        return {"count": state["count"] + 1, "mean": jnp.float32(x)}
    return right(state, x)


def converts(state, x):
    """Python numbers instead of arrays."""
    after = right(state, x)
    return {"count": int(after["count"]), "mean": float(after["mean"])}


def uses_numpy(state, x):
    """NumPy cannot compute with a tracer."""
    count = np.add(state["count"], 1)
    return {"count": count, "mean": state["mean"] + (x - state["mean"]) / count}


def counts_in_float(state, x):
    """A count that changes its type."""
    return {**right(state, x), "count": state["count"] + 1.0}


@pytest.mark.parametrize("update", [right, right_from_the_sum])
def test_right_answers_pass(update, capsys):
    """A check that refuses what is right."""
    check_running_mean(update)
    assert "found nothing wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (returns_nothing, "returns None"),
        (returns_a_pair, "returns tuple"),
        (returns_the_mean, "and holds mean"),
        (changes_its_input, "changes the state"),
        (returns_a_vector, r"has shape \(1,\)"),
        (does_not_count, "count should be 1, and is 0"),
        (divides_by_the_old_count, "mean should be 4, and is 2"),
        (keeps_it_outside, "keep nothing outside"),
        (branches, "under jit with TracerBoolConversionError"),
        (converts, "under jit with ConcretizationTypeError"),
        (uses_numpy, "under jit with TracerArrayConversionError"),
        (counts_in_float, "goes out as float32"),
    ],
)
def test_wrong_answers_are_told_why(update, message):
    """A wrong answer that passes, or a message that does not help."""
    kept.update(count=0, mean=0.0)
    with pytest.raises(AssertionError, match=message):
        check_running_mean(update)
