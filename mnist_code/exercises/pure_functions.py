"""Checks for the exercises of chapter 10."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.praise import praise


def check_running_mean(update: Callable) -> None:
    """Check an `update(state, x)` of the reader's (chapter 10): a running mean, as a pure function.

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def update(state, x):
        ...     count = state["count"] + 1
        ...     return {"count": count, "mean": state["mean"] + (x - state["mean"]) / count}
        >>> check_running_mean(update)
        Right: check_running_mean found nothing wrong.
    """
    # As readers have it, whatever this session has switched on.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        _check(update)
    praise("check_running_mean")


def _check(update: Callable) -> None:
    values = np.array([4.0, 1.0, -2.0, 8.5, 0.25], np.float32)
    state = start = _state(0, 0.0)
    for seen, x in enumerate(values, start=1):
        given = dict(state)
        after = update(given, x)
        _check_form(after)
        untouched = {name: id(value) for name, value in given.items()} == {
            name: id(value) for name, value in state.items()
        }
        assert untouched, (
            "It changes the state that it was given: leave that as it is, and return a new one."
        )
        assert int(after["count"]) == seen, (
            f"After {seen} values the count should be {seen}, and is {int(after['count'])}."
        )
        expected = float(values[:seen].mean())
        assert abs(float(after["mean"]) - expected) < 1e-5, (
            f"After {values[:seen].tolist()} the mean should be {expected:g}, "
            f"and is {float(after['mean']):g}."
        )
        state = after

    again = update(dict(start), values[0])
    assert (int(again["count"]), float(again["mean"])) == (1, float(values[0])), (
        "Called with an old state it should start from there: keep nothing outside of `state`."
    )

    try:
        compiled = jax.jit(update)(start, values[0])
    except Exception as error:
        raise AssertionError(
            f"It works in Python, and fails under jit with {type(error).__name__}: "
            "compute with the values as arrays, without `if`, `float` or `int`."
        ) from error
    _check_form(compiled)
    for name in start:
        assert compiled[name].dtype == start[name].dtype, (
            f"`{name}` comes in as {start[name].dtype} and goes out as {compiled[name].dtype}: "
            "scan needs the same type in and out."
        )

    end, _ = jax.lax.scan(lambda s, x: (update(s, x), None), start, jnp.asarray(values))
    assert int(end["count"]) == len(values), (
        f"Carried by scan over {len(values)} values it counts {int(end['count'])}."
    )
    assert abs(float(end["mean"]) - float(values.mean())) < 1e-5, (
        "Carried by scan it arrives at another mean: keep nothing outside of `state`."
    )


def _state(count: int, mean: float) -> dict:
    return {"count": jnp.int32(count), "mean": jnp.float32(mean)}


def _check_form(state) -> None:
    assert state is not None, "It returns None: is there a `return`?"
    assert isinstance(state, dict), (
        f"It should return a dictionary, and returns {type(state).__name__}."
    )
    assert set(state) == {"count", "mean"}, (
        f"The state should hold count and mean, and holds "
        f"{', '.join(map(str, state)) or 'nothing'}."
    )
    for name, value in state.items():
        assert np.shape(value) == (), (
            f"`{name}` should be one number, and has shape {np.shape(value)}."
        )
