"""The check of chapter 4 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises import check_init
from tests.helpers import assert_praised, assert_refused


def he(fan_in, fan_out=None):
    return (2 / fan_in) ** 0.5


def make(key, sizes, scale=he, draw=jax.random.normal):
    """A right answer, or one with another scale or another distribution."""
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (scale(i, o) * draw(k, (o, i)), jnp.zeros(o))
        for k, (i, o) in zip(keys, pairwise(sizes), strict=True)
    ]


def scaled(scale):
    return lambda key, sizes: make(key, sizes, scale)


def drawn(draw):
    return lambda key, sizes: make(key, sizes, draw=draw)


def changed(change):
    """A right answer in which every pair is changed."""
    return lambda key, sizes: [change(w, b) for w, b in make(key, sizes)]


def with_biases(key, sizes, renew=True, own_bias_key=True):
    params = []
    for i, o in pairwise(sizes):
        following, weight_key, bias_key = jax.random.split(key, 3)
        key = following if renew else key
        bias_key = bias_key if own_bias_key else weight_key
        weights = he(i) * jax.random.normal(weight_key, (o, i))
        params.append((weights, 0.01 * jax.random.normal(bias_key, (o,))))
    return params


def with_initializer(key, sizes):
    init = jax.nn.initializers.variance_scaling(
        2.0, "fan_in", "normal", in_axis=1, out_axis=0
    )
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (init(k, (o, i)), jnp.zeros(o))
        for k, (i, o) in zip(keys, pairwise(sizes), strict=True)
    ]


def with_fold_in(key, sizes):
    return [
        (
            jnp.sqrt(2 / i) * jax.random.normal(jax.random.fold_in(key, n), (o, i)),
            jnp.zeros(o),
        )
        for n, (i, o) in enumerate(pairwise(sizes))
    ]


def by_way_of_numpy(key, sizes):
    """A right answer that cannot be traced."""
    return [(jnp.asarray(np.array(w)), b) for w, b in make(key, sizes)]


def one_key(key, sizes):
    return [
        (he(i) * jax.random.normal(key, (o, i)), jnp.zeros(o))
        for i, o in pairwise(sizes)
    ]


def used_after_split(key, sizes):
    params = make(key, sizes)
    params[0] = (params[0][0], 0.01 * jax.random.normal(key, (sizes[1],)))
    return params


def other_layers_key(key, sizes):
    params = make(key, sizes)
    bias_key = jax.random.split(key, len(sizes) - 1)[-1]
    params[0] = (params[0][0], jax.random.normal(bias_key, (sizes[1],)))
    return params


def with_numpy(key, sizes):
    return [
        (jnp.asarray(he(i) * np.random.normal(size=(o, i)), jnp.float32), jnp.zeros(o))
        for i, o in pairwise(sizes)
    ]


def uniform(key, shape):
    return jax.random.uniform(key, shape, minval=-(3**0.5), maxval=3**0.5)


def unit_uniform(key, shape):
    return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)


RIGHT = [
    make,
    with_biases,
    with_fold_in,
    by_way_of_numpy,
    with_initializer,
    scaled(lambda i, o: np.sqrt(2 / i)),
]

WRONG = [
    ("returns None", lambda key, sizes: None),
    ("should accept 2 arguments", lambda key: None),
    ("should return a list", lambda key, sizes: tuple(make(key, sizes))),
    ("describe 3 layers", lambda key, sizes: make(key, sizes)[:-1]),
    ("should be a pair", changed(lambda w, b: w)),
    ("should be a pair", changed(lambda w, b: [w, b])),
    ("the tuple (weights, biases)", changed(lambda w, b: {"w": w, "b": b})),
    ("weights of layer 0 should have shape", changed(lambda w, b: (b, w))),
    ("weights are [out, in]", changed(lambda w, b: (w.T, b))),
    ("biases of layer 0 should have shape", changed(lambda w, b: (w, b[:, None]))),
    ("should be a JAX array", changed(lambda w, b: (np.asarray(w), np.asarray(b)))),
    ("should be a JAX array", changed(lambda w, b: (w, 0.0))),
    ("should be float32", changed(lambda w, b: (w.astype(jnp.float16), b))),
    ("should be float32", changed(lambda w, b: (w, b.astype(int)))),
    ("should be finite", changed(lambda w, b: (w + jnp.nan, b))),
    ("draw them at random", changed(lambda w, b: (0 * w, b))),
    ("draw with `key` and nothing else", with_numpy),
    ("that your function receives", lambda key, sizes: make(jax.random.key(7), sizes)),
    ("not yet scaled", scaled(lambda i, o: 1)),
    ("the scale of the book's program", scaled(lambda i, o: 0.01)),
    ("take its square root", scaled(lambda i, o: 2 / i)),
    ("LeCun's scale", scaled(lambda i, o: i**-0.5)),
    ("LeCun's variance", scaled(lambda i, o: 1 / i)),
    ("Glorot's scale", scaled(lambda i, o: (2 / (i + o)) ** 0.5)),
    ("count the inputs", scaled(lambda i, o: he(o))),
    ("784 inputs", scaled(lambda i, o: he(784))),
    ("upside down", scaled(lambda i, o: (i / 2) ** 0.5)),
    ("instead of multiplying", scaled(lambda i, o: (2 * i) ** 0.5)),
    ("the scale of the first layer", scaled(lambda i, o: he(64 if o > 10 else i))),
    ("cut off at 2", drawn(lambda k, s: jax.random.truncated_normal(k, -2.0, 2.0, s))),
    ("a uniform distribution is narrower", drawn(unit_uniform)),
    ("not normally distributed", drawn(uniform)),
    ("a mean of", drawn(jax.random.uniform)),
    ("are all 100", changed(lambda w, b: (w, b + 100.0))),
    ("are all 0.01", changed(lambda w, b: (w, b + 0.01))),
    ("drown", changed(lambda w, b: (w, b + jnp.arange(1.0 * len(b))))),
    ("a key was used twice", one_key),
    ("a key was used twice", lambda key, sizes: with_biases(key, sizes, renew=False)),
    ("and the biases of layer 0 repeat", lambda key, sizes: with_biases(
        key, sizes, own_bias_key=False
    )),
    ("The biases of layer 0 and the weights of layer 2 repeat", other_layers_key),
    ("A key is used after it was split", used_after_split),
    ("raises TypeError", lambda key, sizes: make(key, sizes + 1)),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_init, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_init, answer, words)
