"""The check of chapter 13 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.further import check_shift
from tests.helpers import assert_praised, assert_refused


def cut(image, row, column, **padding):
    """Pad an image by 2 on each side, and cut 28 rows and columns out of that."""
    return jax.lax.dynamic_slice(jnp.pad(image, 2, **padding), (row, column), (28, 28))


def rolled(image, move, reach=2):
    padded = jnp.roll(jnp.pad(image, reach), move, (0, 1))
    return padded[reach : reach + 28, reach : reach + 28]


def right(key, image):
    return cut(image, *jax.random.randint(key, (2,), 0, 5))


def by_roll(key, image):
    return rolled(image, jax.random.randint(key, (2,), -2, 3))


def two_keys(key, image):
    first, second = jax.random.split(key)
    return cut(
        image, jax.random.randint(first, (), 0, 5), jax.random.randint(second, (), 0, 5)
    )


def one_of_25(key, image):
    move = jax.random.choice(key, 25)
    return cut(image, move // 5, move % 5)


def on_a_canvas(key, image):
    move = jax.random.randint(key, (2,), 0, 5)
    return jax.lax.dynamic_update_slice(jnp.zeros((32, 32)), image, move)[2:30, 2:30]


def hidden(key, image, generator=np.random.default_rng(0)):  # noqa: B008
    return rolled(image, tuple(generator.integers(-2, 3, 2).tolist()))


def sliced(key, image):
    row, column = jax.random.randint(key, (2,), 0, 5)
    return jnp.pad(image, 2)[row : row + 28, column : column + 28]


def with_int(key, image):
    row, column = (int(i) for i in jax.random.randint(key, (2,), 0, 5))
    return jnp.pad(image, 2)[row : row + 28, column : column + 28]


def with_numpy(key, image):
    return jnp.asarray(np.roll(image, jax.random.randint(key, (2,), -2, 3), (0, 1)))


def wrapped(key, image):
    return jnp.roll(image, jax.random.randint(key, (2,), -2, 3), (0, 1))


def too_far(key, image):
    return rolled(image, jax.random.randint(key, (2,), -3, 4), reach=3)


def one_way(key, image):
    return rolled(image, jax.random.randint(key, (2,), 0, 3))


def one_key_twice(key, image):
    return cut(
        image, jax.random.randint(key, (), 0, 5), jax.random.randint(key, (), 0, 5)
    )


def one_short(key, image):
    return cut(image, *jax.random.randint(key, (2,), 0, 4))


def rows_or_columns(key, image):
    which, far = jax.random.split(key)
    along = jax.random.bernoulli(which)
    move = jax.random.randint(far, (), -2, 3)
    return rolled(image, jnp.stack([move * along, move * (1 - along)]))


def rounded(key, image):
    move = jnp.round(jax.random.uniform(key, (2,), minval=-2.0, maxval=2.0))
    return rolled(image, move.astype(int))


def normal(key, image):
    return rolled(
        image, jnp.clip(jnp.round(jax.random.normal(key, (2,))), -2, 2).astype(int)
    )


def no_padding(key, image):
    row, column = jax.random.randint(key, (2,), 0, 5)
    return jax.lax.dynamic_slice(image, (row, column), (28, 28))


def own_key(key, image):
    return right(jax.random.key(3), image)


def fixed(key, image):
    return rolled(image, (1, 2))


def by_fractions(key, image):
    move = jax.random.uniform(key, (2,), minval=-2.0, maxval=2.0)
    rows, columns = jnp.meshgrid(jnp.arange(28.0), jnp.arange(28.0), indexing="ij")
    places = [rows + move[0], columns + move[1]]
    return jax.scipy.ndimage.map_coordinates(image, places, order=1)


RIGHT = [right, by_roll, two_keys, one_of_25, on_a_canvas, jax.jit(right)]

WRONG = [
    ("returns None", lambda key, image: None),
    ("should accept 2 arguments", lambda image: image),
    ("should have shape (28, 28), not (32, 32)", lambda key, image: jnp.pad(image, 2)),
    ("it stays one image", lambda key, image: right(key, image)[None]),
    ("The same key gives two different images", hidden),
    ("use jax.lax.dynamic_slice", sliced),
    ("`int`, `float`, a shape or a loop needs the value", with_int),
    ("the function of the same name from jax.numpy", with_numpy),
    ("comes back on the other", wrapped),
    ("is not black", lambda key, image: cut(
        image, *jax.random.randint(key, (2,), 0, 5), mode="edge")),
    ("is not black", lambda key, image: cut(
        image, *jax.random.randint(key, (2,), 0, 5), constant_values=1.0)),
    ("2 each way is the limit", too_far),
    ("never moves 2 pixels up", one_way),
    ("never moves 2 pixels up", one_short),
    ("rows and columns always move together", one_key_twice),
    ("let rows and columns move independently", rows_or_columns),
    ("not equally likely", rounded),
    ("not equally likely", normal),
    ("the image never moves", no_padding),
    ("the image never moves", lambda key, image: image),
    ("every key gives the same move", own_key),
    ("every key gives the same move", fixed),
    ("changed rather than moved", by_fractions),
    ("changed rather than moved", lambda key, image: right(key, image) / 255),
    ("raises TypeError", lambda key, image: rolled(image, jax.random.randint(key, (2,)))),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_shift, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_shift, answer, words)
