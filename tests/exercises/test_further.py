"""The check of chapter 13: each typical mistake is told from the others."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.further import check_shift


def right(key, image):
    row, column = jax.random.randint(key, (2,), 0, 5)
    return jax.lax.dynamic_slice(jnp.pad(image, 2), (row, column), (28, 28))


def by_roll(key, image):
    move = jax.random.randint(key, (2,), -2, 3)
    return jnp.roll(jnp.pad(image, 2), move, (0, 1))[2:-2, 2:-2]


@pytest.mark.parametrize("shift", [right, by_roll])
def test_right_ones_pass(shift, capsys):
    check_shift(shift)
    assert "nothing wrong" in capsys.readouterr().out


def nothing(key, image):
    pass


def padded(key, image):
    return jnp.pad(image, 2)


def hidden(key, image, generator=np.random.default_rng(0)):  # noqa: B008
    return jnp.roll(jnp.pad(image, 2), generator.integers(-2, 3), 0)[2:-2, 2:-2]


def sliced(key, image):
    row, column = (int(i) for i in jax.random.randint(key, (2,), 0, 5))
    return jnp.pad(image, 2)[row : row + 28, column : column + 28]


def wrapped(key, image):
    return jnp.roll(image, jax.random.randint(key, (2,), -2, 3), (0, 1))


def too_far(key, image):
    move = jax.random.randint(key, (2,), -3, 4)
    return jnp.roll(jnp.pad(image, 3), move, (0, 1))[3:-3, 3:-3]


def diagonal(key, image):
    move = jax.random.randint(key, (), 0, 5)
    return jax.lax.dynamic_slice(jnp.pad(image, 2), (move, move), (28, 28))


def off_by_one(key, image):
    row, column = jax.random.randint(key, (2,), 0, 4)
    return jax.lax.dynamic_slice(jnp.pad(image, 2), (row, column), (28, 28))


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        (nothing, "return"),
        (padded, r"\(32, 32\)"),
        (hidden, "same key"),
        (sliced, "cannot be compiled"),
        (wrapped, "comes back"),
        (too_far, "at most 2"),
        (diagonal, "only 5"),
        (off_by_one, "only 16"),
    ],
)
def test_mistakes_are_named(shift, message):
    with pytest.raises(AssertionError, match=message):
        check_shift(shift)
