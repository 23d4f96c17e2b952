"""The check for the exercise of Chapter 10."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

VALUES = np.array([4.0, 1.0, -2.0, 8.5, 0.25], np.float32)


def check_running_mean(update: Callable) -> None:
    """Check the reader's `update(state, x)`, a running mean as a pure function, from Chapter 10.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def update(state, x):
        ...     count = state["count"] + 1
        ...     return {"count": count, "mean": state["mean"] + (x - state["mean"]) / count}
        >>> check_running_mean(update)
        Right: check_running_mean found nothing wrong.
    """
    with checking("check_running_mean", update):
        _check_steps(update)
        _check_purity(update)
        _check_tracing(update)


def _state(count: int, mean: float) -> dict[str, jax.Array]:
    return {"count": jnp.int32(count), "mean": jnp.float32(mean)}


def _check_form(state: Any) -> None:
    assert isinstance(state, dict), (
        f"Your function should return the next state, a dictionary, not {kind(state)}."
    )
    assert set(state) == {"count", "mean"}, (
        "The next state should have the keys count and mean, like the one before, but has "
        f"{' and '.join(map(str, state)) or 'none'}."
    )
    for name, value in state.items():
        check_shape(numbers(value, f"`{name}`"), (), f"`{name}`", "it is one number")


def _check_steps(update: Callable) -> None:
    """One value after the other, and each next state from the last."""
    state, values = _state(0, 0.0), VALUES.astype(np.float64)
    for seen in range(1, len(VALUES) + 1):
        given, x = dict(state), VALUES[seen - 1]
        after = call(update, given, x, case=f"for value {seen}")
        untouched = given.keys() == state.keys() and all(
            given[name] is state[name] for name in state
        )
        assert untouched, (
            "Your function changes the dictionary that it received: "
            "leave that as it is, and return a new one."
        )
        _check_form(after)
        case = f"After {seen} value{'s' * (seen > 1)}"
        counted = float(after["count"])
        assert counted == seen, (
            f"{case} the count should be {seen}, not {counted:g}: "
            "each call adds 1 to the count of the state it receives."
        )
        before, total = float(state["mean"]), values[:seen].sum()
        divide = f"divide by the count with the new value, {seen}"
        mistakes = [
            (total, "this is the sum, so divide it by the count"),
            (float(x), "this is the last value, so let the mean move only part of the way"),
            ((before + float(x)) / 2, f"{divide}, instead of 2"),
            (before + (float(x) - before) / (seen + 1), divide),
            (before + float(x) / seen, "add (x - mean) / count, not x / count"),
            (before - (float(x) - before) / seen, "the mean should move toward the value"),
            ((before + float(x)) / seen, "multiply the old mean by the old count first"),
        ]  # fmt: skip
        found = float(after["mean"])
        otherwise = "add (x - mean) / count to the mean, with the count that includes x"
        if not np.isfinite(found):
            otherwise = (
                "the count before the first value is 0, so divide by the new count"
            )
        case = f"After {VALUES[:seen].tolist()}"
        compare(found, total / seen, mistakes, otherwise, case, name="the mean")
        state = after


def _check_purity(update: Callable) -> None:
    """The answer depends on the arguments alone."""
    again = call(update, _state(0, 0.0), VALUES[0])
    fresh = (int(again["count"]), float(again["mean"])) == (1, float(VALUES[0]))
    later = call(update, _state(3, 1.0), np.float32(9))
    goes_on = (int(later["count"]), float(later["mean"])) == (4, 3.0)
    is_pure = fresh and goes_on
    assert is_pure, (
        "Called with another state, your function should go on from that one: "
        "keep nothing outside of `state`."
    )


def _check_tracing(update: Callable) -> None:
    """It works under `jit` and `scan`, with the same types in and out."""
    start = _state(0, 0.0)
    after = call(jax.jit(update), start, VALUES[0], case="under jit")
    _check_form(after)
    for name in start:
        assert after[name].dtype == start[name].dtype, (
            f"`{name}` comes in as {start[name].dtype} but goes out as {after[name].dtype}: "
            "keep the type, since scan needs the same one in and out."
        )

    def carry(values):
        return jax.lax.scan(lambda s, x: (update(s, x), None), start, values)[0]

    end = call(carry, jnp.asarray(VALUES), case="under scan")
    assert int(end["count"]) == len(VALUES), (
        f"Carried by scan over {len(VALUES)} values, the count ends at {int(end['count'])}: "
        "keep nothing outside of `state`."
    )
    assert abs(float(end["mean"]) - float(VALUES.mean())) < 1e-5, (
        "Carried by scan, the mean ends elsewhere: keep nothing outside of `state`."
    )
