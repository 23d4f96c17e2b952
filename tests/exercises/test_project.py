"""The checks of chapter 11 name the mistakes that learners make, and pass what is right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mnist_code.evaluation import predicted_labels
from mnist_code.exercises import check_optimizer, check_program
from mnist_code.learning import train_epoch
from mnist_code.model import init_network_params
from tests.helpers import assert_praised, assert_refused, copied


def zeros(params):
    return jax.tree.map(jnp.zeros_like, params)


def with_update(update, init=zeros):
    """A momentum with this update."""
    return lambda learning_rate, momentum: (init, update)


def optimizer(formula, init=zeros):
    """A momentum whose next state and update for each leaf come from `formula`."""

    def my_momentum(learning_rate, momentum):
        def update(gradients, state, params=None):
            treedef = jax.tree.structure(gradients)
            leaves = zip(
                jax.tree.leaves(state), jax.tree.leaves(gradients), strict=True
            )
            pairs = [formula(v, g, learning_rate, momentum) for v, g in leaves]
            new, updates = zip(*pairs, strict=True)
            return treedef.unflatten(updates), treedef.unflatten(new)

        return init, update

    return my_momentum


right = optimizer(lambda v, g, rate, m: (m * v + g, -rate * (m * v + g)))


def changed(change):
    """A right optimizer whose pair of updates and next state is changed."""

    def my_momentum(learning_rate, momentum):
        init, update = right(learning_rate, momentum)
        return init, lambda g, s, p=None: change(*update(g, s), g, s, p)

    return my_momentum


def with_count(learning_rate, momentum):
    """A state that is more than the velocity."""
    init, update = right(learning_rate, momentum)

    def counted(gradients, state, params=None):
        updates, velocity = update(gradients, state["velocity"])
        return updates, {"velocity": velocity, "count": state["count"] + 1}

    return lambda params: {"velocity": init(params), "count": 0}, counted


def in_place(learning_rate, momentum):
    def init(params):
        return jax.tree.map(np.zeros_like, params)

    def update(gradients, state, params=None):
        pairs = zip(jax.tree.leaves(state), jax.tree.leaves(gradients), strict=True)
        for v, g in pairs:
            v *= momentum
            v += np.asarray(g)
        return jax.tree.map(lambda v: -learning_rate * v, state), state

    return init, update


def kept_outside(learning_rate, momentum):
    kept = []

    def update(gradients, state, params=None):
        state = kept[-1] if kept else zeros(gradients)
        kept.append(jax.tree.map(lambda v, g: momentum * v + g, state, gradients))
        return jax.tree.map(lambda v: -learning_rate * v, kept[-1]), kept[-1]

    return zeros, update


RIGHT_OPTIMIZERS = [
    right,
    # The rate inside the state is as good while it does not change.
    optimizer(lambda v, g, rate, m: (m * v - rate * g, m * v - rate * g)),
    with_count,
    lambda learning_rate, momentum: list(optax.sgd(learning_rate, momentum)),
    optax.sgd,
]

WRONG_OPTIMIZERS = [
    ("my_momentum returns None", lambda learning_rate, momentum: None),
    ("my_momentum should accept 2 arguments", lambda learning_rate: None),
    ("should return init and update", lambda learning_rate, momentum: zeros),
    ("should return two functions", lambda learning_rate, momentum: (zeros, None)),
    ("init returns None", with_update(lambda g, s, p=None: (g, s), lambda params: None)),
    ("init should accept 1 argument", with_update(lambda g, s, p=None: (g, s), lambda: ())),
    ("should accept gradients, state and params=None", with_update(lambda g, s: (g, s))),
    ("update returns None", with_update(lambda g, s, p=None: None)),
    ("should return updates and state", changed(lambda u, s, *_: u)),
    ("a pytree like the parameters", changed(lambda u, s, *_: (jax.tree.leaves(u), s))),
    ("the updates come first", changed(lambda u, s, *_: (s, u))),
    ("since apply_updates adds them", optimizer(lambda v, g, rate, m: (
        m * v + g, rate * (m * v + g)))),
    ("multiply by the learning rate", optimizer(lambda v, g, rate, m: (m * v + g, -(m * v + g)))),
    ("not new parameters", changed(lambda u, s, g, old, p: (optax.apply_updates(p, u), s))),
    ("without the factor (1 - momentum)", optimizer(lambda v, g, rate, m: (
        m * v + (1 - m) * g, -rate * (m * v + (1 - m) * g)))),
    ("`momentum` multiplies the state, not the gradient", optimizer(lambda v, g, rate, m: (
        v + m * g, -rate * (v + m * g)))),
    ("Nesterov's", optimizer(lambda v, g, rate, m: (
        m * v + g, -rate * (m * (m * v + g) + g)))),
    ("not the parameters", lambda rate, m: (lambda params: params, right(rate, m)[1])),
    ("not ones", lambda rate, m: (
        lambda params: jax.tree.map(jnp.ones_like, params), right(rate, m)[1])),
    ("use the next state", optimizer(lambda v, g, rate, m: (m * v + g, -rate * v))),
    ("is forgotten", changed(lambda u, new, g, old, p: (u, old))),
    ("The next state is empty", changed(lambda u, *_: (u, None))),
    ("multiply the state by `momentum`", optimizer(lambda v, g, rate, m: (
        v + g, -rate * (v + g)))),
    ("the wrong sign", optimizer(lambda v, g, rate, m: (g - m * v, -rate * (g - m * v)))),
    ("comes in twice", optimizer(lambda v, g, rate, m: (
        rate * (m * v + g), -rate * (m * v + g)))),
    ("Another learning rate", optimizer(lambda v, g, rate, m: (
        m * v + g, -0.1 * (m * v + g)))),
    ("Another momentum", optimizer(lambda v, g, rate, m: (
        0.9 * v + g, -rate * (0.9 * v + g)))),
    ("changes the state", in_place),
    ("keep nothing outside", kept_outside),
    ("under jit: `int`, `float`", optimizer(lambda v, g, rate, m: (
        m * v + g, -rate * float(jnp.sum(v)) * 0 - rate * (m * v + g)))),
    ("update raises TypeError", with_update(lambda g, s, p=None: (0.1 * g, s))),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT_OPTIMIZERS)
def test_a_right_optimizer_passes(answer, capsys):
    assert_praised(check_optimizer, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG_OPTIMIZERS)
def test_a_wrong_optimizer_is_named(words, answer):
    assert_refused(check_optimizer, answer, words)


def trainer(epochs=4, rate=0.5, answer=predicted_labels, forgetful=False, seed=None):
    """A whole program, with what may go wrong in it."""

    def my_train(images, labels, key):
        key = key if seed is None else jax.random.key(seed)
        params = init_network_params(key)
        for epoch in range(epochs):
            epoch_key = jax.random.fold_in(key, epoch)
            new, _ = train_epoch(copied(params), images, labels, epoch_key, rate, 32)
            params = params if forgetful else new
        return lambda images: answer(params, images)

    return my_train


def answering(answer):
    """A program that does not learn, and answers this for some images."""
    return lambda images, labels, key: answer


def without_labels(images, labels, key):
    return trainer(1)(images, jax.random.permutation(key, labels), key)


def generator_outside(images, labels, key):
    classify = trainer()(images, labels, key)
    at_random = np.random.default_rng().integers(0, 100, 357) == 0
    return lambda images: (np.asarray(classify(images)) + at_random) % 10


def in_numpy(images, labels, key):
    classify = trainer()(images, labels, key)
    return lambda images: np.asarray(classify(images)).tolist()


RIGHT_PROGRAMS = [trainer(), in_numpy]

WRONG_PROGRAMS = [
    ("my_train returns None", answering(None)),
    ("my_train should accept 3 arguments", lambda images, labels: None),
    ("but returns a list", lambda images, labels, key: [1, 2]),
    ("that my_train returns returns None", answering(lambda images: None)),
    ("of the ten logits", answering(lambda images: jnp.zeros((len(images), 10)))),
    ("should compare the classes", answering(lambda images: jnp.zeros(10, int))),
    ("one digit for each image", answering(lambda images: 3)),
    ("should be a whole number", answering(lambda images: jnp.zeros(len(images)))),
    (
        "Every image is called a 0",
        answering(lambda images: jnp.zeros(len(images), int)),
    ),
    ("Every image is called a", trainer(1, rate=1e6)),
    ("which is no digit", answering(lambda images: 1 + jnp.arange(len(images)) % 10)),
    ("keep the parameters that each update returns", trainer(1, forgetful=True)),
    ("shuffled images keep their labels", without_labels),
    ("train for more epochs", trainer(1, rate=0.05)),
    ("Two runs with the same key", generator_outside),
    ("Runs with different keys", trainer(seed=0)),
    ("my_train raises", lambda images, labels, key: images @ labels),
]


@pytest.mark.parametrize("answer", RIGHT_PROGRAMS)
def test_a_right_program_passes(answer, capsys):
    assert_praised(check_program, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG_PROGRAMS)
def test_a_wrong_program_is_named(words, answer):
    assert_refused(check_program, answer, words)
