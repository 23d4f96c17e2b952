"""The checks of chapter 6: each typical mistake is refused with a message that names it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_pairwise


def distance(image, mean):
    """What is asked for, for one pair."""
    return ((image - mean) ** 2).sum()


def every_pair(function):
    """Mapped as the solution does."""
    return jax.vmap(jax.vmap(function, in_axes=(None, 0)), in_axes=(0, None))


def transposed(images, means):
    return every_pair(distance)(images, means).T


def transposed_where_square(images, means):
    table = every_pair(distance)(images, means)
    return table.T if len(images) == len(means) else table


def absolutes(images, means):
    return every_pair(lambda a, b: jnp.abs(a - b).sum())(images, means)


def flat(images, means):
    return every_pair(distance)(images, means).ravel()


def not_summed(images, means):
    return every_pair(lambda image, mean: (image - mean) ** 2)(images, means)


def one_table_too_wide(images, means):
    return every_pair(distance)(images, jnp.concatenate([means, means]))


def nested_lists(images, means):
    return every_pair(distance)(images, means).tolist()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda images, means: None, "return"),
        (jax.vmap(distance), "mapped in step"),
        (distance, "mapped in step"),
        (transposed, "transposed"),
        (transposed_where_square, "transposed"),
        (flat, "every image with every mean"),
        (lambda images, means: distance(images[0], means[0]), "Map twice"),
        (not_summed, "sum over the pixels"),
        (one_table_too_wide, r"shape \(5, 3\), and returns \(5, 6\)"),
        (nested_lists, "one array, and returns a list"),
        (every_pair(lambda a, b: jnp.sqrt(distance(a, b))), "square root"),
        (every_pair(lambda a, b: distance(a, b) / 784), "not the mean"),
        (absolutes, "Square the differences"),
        (every_pair(lambda a, b: (a - b).sum()), "before you sum"),
        (every_pair(lambda a, b: a @ b), r"entry \[0, 0\] should be"),
        (every_pair(lambda a, b: distance(a, b) * jnp.nan), "values are wrong"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(wrong, message):
    """A wrong table that passes, or that is refused without help."""
    with pytest.raises(AssertionError, match=message):
        check_pairwise(wrong)


def by_products(images, means):
    """Another right way."""
    squares = (images**2).sum(axis=1)[:, None] + (means**2).sum(axis=1)[None, :]
    return squares - 2 * images @ means.T


@pytest.mark.parametrize(
    "right",
    [
        every_pair(distance),
        by_products,
        jax.jit(every_pair(distance)),
        lambda images, means: np.asarray(every_pair(distance)(images, means)),
    ],
)
def test_a_right_answer_passes(right, capsys):
    """A right answer in another form that is refused."""
    check_pairwise(right)
    assert "found nothing wrong" in capsys.readouterr().out
