"""What all checks say about functions that crash, and about things that are no functions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.feedback import call, checking, compare, numbers, unpack


def divides(x):
    return x / 0


def silent(x):
    raise ValueError


CRASHES = [
    ("Your function returns None: is a `return` missing?", lambda x: None),
    ("Your function should accept 1 argument, but its signature is (x, y).", lambda x, y: x),
    ("Your function should accept 1 argument, but its signature is ().", lambda: 1),
    ("Your function raises ZeroDivisionError: division by zero.", divides),
    ("Your function raises ValueError: it gives no reason.", silent),
    ("use jnp.where or jax.lax.cond", jax.jit(lambda x: 1 if x > 0 else 0)),
    ("the function of the same name from jax.numpy", jax.jit(lambda x: np.sin(x))),
    ("go on computing with the array", jax.jit(lambda x: float(x))),
    ("take it from `.shape`", jax.jit(lambda x: jnp.zeros(x))),
    ("go on computing with the array", jax.jit(lambda x: [1, 2, 3][x])),
    ("a shape that depends on values", jax.jit(lambda x: jnp.arange(3)[jnp.arange(3) < x])),
    ("jax.lax.dynamic_slice", jax.jit(lambda x: jnp.arange(3)[x : x + 1])),
    ("an exponential overflows", lambda x: 1e300 ** (x + 1)),
]  # fmt: skip


@pytest.mark.parametrize(("words", "function"), CRASHES)
def test_a_crash_becomes_a_sentence(words, function):
    """The reader's own error stays attached as the cause."""
    with pytest.raises(AssertionError) as caught:
        call(function, 1)
    assert words in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


@pytest.mark.parametrize("answer", [None, 0.97, jnp.zeros(3), [len]])
def test_a_value_in_place_of_a_function(answer):
    """The commonest slip: check_x(my_function(...))."""
    with (
        pytest.raises(AssertionError, match="Pass the function itself"),
        checking("check_x", answer),
    ):
        pass


def test_a_check_runs_with_jax_as_it_comes():
    """The project's own strict settings are none of the reader's business."""
    with checking("check_x", len):
        jnp.ones(3) + np.float64(1) * jnp.ones((2, 3), int)


@pytest.mark.parametrize("value", ["2.3", None, object(), [[1], [2, 3]], {"a": 1}])
def test_what_is_no_number(value):
    with pytest.raises(AssertionError, match="should consist of numbers"):
        numbers(value)


@pytest.mark.parametrize(
    "value", [1, [1.0, 2], (True, False), jnp.ones(2), np.float16(3)]
)
def test_what_is_a_number(value):
    assert numbers(value).dtype.kind in "biuf"


@pytest.mark.parametrize("value", [3, (1,), (1, 2, 3), {"a": 1, "b": 2}])
def test_what_is_no_pair(value):
    with pytest.raises(AssertionError, match="should return a and b, 2 values"):
        unpack(value, "a", "b")


@pytest.mark.parametrize("found", [np.nan, np.inf, -1.0, 0.0])
def test_a_wrong_value_is_shown_beside_the_right_one(found):
    with pytest.raises(
        AssertionError, match="Here, your function should return 1, but"
    ):
        compare(found, 1.0, [(-1, "sign"), (np.inf, "")], "count", "Here")


def test_the_worst_place_of_an_array_is_shown():
    found = np.array([[1, 2], [np.nan, 4]])
    with pytest.raises(AssertionError, match=r"entry \[1, 0\] should be 3, but is nan"):
        compare(found, np.array([[1, 2], [3, 4]]), [], "count", "Here")
