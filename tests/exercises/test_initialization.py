"""What check_init tells a reader whose function is wrong."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_init


def layers(sizes):
    return list(pairwise(sizes))


def he(fan_in):
    return (2 / fan_in) ** 0.5


def make(key, sizes, scale=lambda fan_in, fan_out: he(fan_in), draw=jax.random.normal):
    """The right answer, or one with another scale or another distribution."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (scale(i, o) * draw(k, (o, i)), jnp.zeros(o))
        for k, (i, o) in zip(keys, layers(sizes), strict=True)
    ]


def uniform(key, shape):
    return jax.random.uniform(key, shape, minval=-(3**0.5), maxval=3**0.5)


def make_with_biases(key, sizes, renew=True, own_bias_key=True):
    params = []
    for i, o in layers(sizes):
        following, weight_key, bias_key = jax.random.split(key, 3)
        if renew:
            key = following
        if not own_bias_key:
            bias_key = weight_key
        weights = he(i) * jax.random.normal(weight_key, (o, i))
        params.append((weights, 0.01 * jax.random.normal(bias_key, (o,))))
    return params


def make_with_initializer(key, sizes):
    init = jax.nn.initializers.he_normal(in_axis=-1, out_axis=-2)
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (init(k, (o, i)), jnp.zeros(o))
        for k, (i, o) in zip(keys, layers(sizes), strict=True)
    ]


def make_one_key(key, sizes):
    return [
        (he(i) * jax.random.normal(key, (o, i)), jnp.zeros(o)) for i, o in layers(sizes)
    ]


def make_parent_key(key, sizes):
    """The first layer draws its biases with the key of another layer's weights."""
    keys = jax.random.split(key, len(sizes) - 1)
    params = make(key, sizes)
    params[0] = (params[0][0], jax.random.normal(keys[1], (sizes[1],)))
    return params


def make_with_numpy(key, sizes):
    return [
        (jnp.asarray(he(i) * np.random.normal(size=(o, i)), jnp.float32), jnp.zeros(o))
        for i, o in layers(sizes)
    ]


def make_numpy_arrays(key, sizes):
    return [(np.asarray(w), np.asarray(b)) for w, b in make(key, sizes)]


@pytest.mark.parametrize("right", [make, make_with_biases, make_with_initializer])
def test_right_answers_pass(right, capsys):
    check_init(right)
    assert capsys.readouterr().out == "Right: check_init found nothing wrong.\n"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda key, sizes: None, "returns None"),
        (lambda key, sizes: tuple(make(key, sizes)), "a list"),
        (lambda key, sizes: make(key, sizes)[:-1], "4 sizes make 3 layers"),
        (lambda key, sizes: [w for w, _ in make(key, sizes)], "pair"),
        (lambda key, sizes: [[*layer] for layer in make(key, sizes)], "pair"),
        (make_numpy_arrays, "JAX array"),
        (
            lambda key, sizes: [(w.tolist(), b) for w, b in make(key, sizes)],
            "JAX array",
        ),
        (lambda key, sizes: [(w.T, b) for w, b in make(key, sizes)], r"\[out, in\]"),
        (lambda key, sizes: [(w, b[:, None]) for w, b in make(key, sizes)], "biases"),
        (
            lambda key, sizes: jax.tree.map(
                lambda x: x.astype(jnp.float16), make(key, sizes)
            ),
            "float32",
        ),
        (
            lambda key, sizes: jax.tree.map(lambda x: x + jnp.nan, make(key, sizes)),
            "finite",
        ),
        (
            lambda key, sizes: jax.tree.map(jnp.zeros_like, make(key, sizes)),
            "draw them at random",
        ),
        (make_with_numpy, "same key"),
        (lambda key, sizes: make(jax.random.key(7), sizes), "Another key"),
        (make_one_key, "a key was used twice"),
        (
            lambda key, sizes: make_with_biases(key, sizes, renew=False),
            "a key was used twice",
        ),
        (
            lambda key, sizes: make_with_biases(key, sizes, own_bias_key=False),
            "The weights of layer 0 and the biases of layer 0 repeat",
        ),
        (make_parent_key, "The biases of layer 0 and the weights of layer 1 repeat"),
        (
            lambda key, sizes: make(key, sizes, lambda i, o: 0.01),
            "standard deviation near 0.177; theirs is 0.010",
        ),
        (lambda key, sizes: make(key, sizes, lambda i, o: 2 / i), "standard deviation"),
        (lambda key, sizes: make(key, sizes, lambda i, o: i**-0.5), "near 0.177"),
        (lambda key, sizes: make(key, sizes, lambda i, o: he(o)), "64 inputs"),
        (
            lambda key, sizes: [(w + 0.1, b) for w, b in make(key, sizes)],
            "a mean near 0",
        ),
        (
            lambda key, sizes: make(key, sizes, draw=uniform),
            "normally distributed",
        ),
    ],
)
def test_wrong_answers_are_told_why(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check_init(wrong)
