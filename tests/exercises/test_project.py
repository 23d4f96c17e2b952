"""The checks of chapter 11's exercises: what is wrong is refused, and the message says why."""

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


def zeros(params):
    return jax.tree.map(jnp.zeros_like, params)


def right(learning_rate, momentum):
    def update(gradients, state, params=None):
        state = jax.tree.map(lambda v, g: momentum * v + g, state, gradients)
        return jax.tree.map(lambda v: -learning_rate * v, state), state

    return zeros, update


def optimizer(formula):
    """A momentum whose next state and update for each leaf come from `formula`."""

    def my_momentum(learning_rate, momentum):
        def update(gradients, state, params=None):
            pairs = jax.tree.map(
                lambda v, g: formula(v, g, learning_rate, momentum), state, gradients
            )
            structure = jax.tree.structure(gradients)
            leaves = jax.tree.leaves(pairs)
            return structure.unflatten(leaves[1::2]), structure.unflatten(leaves[::2])

        return zeros, update

    return my_momentum


def with_update(update):
    """A momentum with this update."""
    return lambda learning_rate, momentum: (zeros, update)


def in_place(learning_rate, momentum):
    def init(params):
        return jax.tree.map(np.zeros_like, params)

    def update(gradients, state, params=None):
        for v, g in zip(
            jax.tree.leaves(state), jax.tree.leaves(gradients), strict=True
        ):
            v *= momentum
            v += np.asarray(g)
        return jax.tree.map(lambda v: -learning_rate * v, state), state

    return init, update


def hidden_state(learning_rate, momentum):
    kept = []

    def update(gradients, state, params=None):
        state = kept[-1] if kept else zeros(gradients)
        kept.append(jax.tree.map(lambda v, g: momentum * v + g, state, gradients))
        return jax.tree.map(lambda v: -learning_rate * v, kept[-1]), None

    return zeros, update


WRONG_OPTIMIZERS = [
    (lambda learning_rate, momentum: None, "returns None"),
    (lambda learning_rate, momentum: zeros, "two functions"),
    (lambda learning_rate, momentum: (lambda params: None, None), "two functions"),
    (
        lambda learning_rate, momentum: (lambda params: None, lambda g, s, p=None: (g, s)),
        "init returns None",
    ),
    (with_update(lambda g, s: (g, s)), "three arguments"),
    (with_update(lambda g, s, p=None: None), "returns None"),
    (with_update(lambda g, s, p=None: g), "pair"),
    (with_update(lambda g, s, p=None: (jax.tree.leaves(g), s)), "pytree like"),
    (optimizer(lambda v, g, rate, m: (m * v + g, rate * (m * v + g))), "negative"),
    (optimizer(lambda v, g, rate, m: (m * v + g, -(m * v + g))), "first update"),
    (
        optimizer(lambda v, g, rate, m: (m * v + (1 - m) * g, -rate * (m * v + (1 - m) * g))),
        "enters it whole",
    ),
    (optimizer(lambda v, g, rate, m: (v, -rate * (m * v + g))), "forgotten"),
    (optimizer(lambda v, g, rate, m: (v + g, -rate * (v + g))), "second update"),
    (optimizer(lambda v, g, rate, m: (m * v + g, -0.1 * (m * v + g))), "learning rate"),
    (optimizer(lambda v, g, rate, m: (0.9 * v + g, -rate * (0.9 * v + g))), "momentum"),
    (in_place, "changed the state"),
    (hidden_state, "nothing outside"),
]  # fmt: skip


@pytest.mark.parametrize(("my_momentum", "message"), WRONG_OPTIMIZERS)
def test_a_wrong_optimizer_is_refused_with_a_reason(my_momentum, message):
    """A wrong answer praised, or refused with a riddle."""
    with pytest.raises(AssertionError, match=message):
        check_optimizer(my_momentum)


@pytest.mark.parametrize(
    "my_momentum",
    [
        right,
        # The rate inside the state is as good while it does not change.
        optimizer(lambda v, g, rate, m: (m * v - rate * g, m * v - rate * g)),
        lambda learning_rate, momentum: tuple(optax.sgd(learning_rate, momentum)),
    ],
)
def test_a_right_optimizer_passes(my_momentum, capsys):
    """Right answers refused, Optax's own among them."""
    check_optimizer(my_momentum)
    assert capsys.readouterr().out == "Right: check_optimizer found nothing wrong.\n"


def trainer(epochs=8, rate=0.3, answer=predicted_labels, forgetful=False):
    """A whole program, with what may go wrong in it."""

    def my_train(images, labels, key):
        params = init_network_params(key)
        for epoch in range(epochs):
            new_params, _ = train_epoch(
                jax.tree.map(jnp.copy, params),
                images, labels, jax.random.fold_in(key, epoch), rate, 32,
            )  # fmt: skip
            params = params if forgetful else new_params
        return lambda images: answer(params, images)

    return my_train


def hidden_generator(images, labels, key):
    classify = trainer()(images, labels, key)
    at_random = np.random.default_rng().integers(0, 100, 357) == 0
    return lambda images: (np.asarray(classify(images)) + at_random) % 10


WRONG_PROGRAMS = [
    (lambda images, labels, key: None, "returns None"),
    (lambda images, labels, key: init_network_params(key), "returns a list"),
    (trainer(1, answer=lambda params, images: jnp.zeros((357, 10))), "ten numbers"),
    (trainer(1, answer=lambda params, images: jnp.zeros(10, int)), "shape"),
    (trainer(1, answer=lambda params, images: jnp.zeros(357)), "whole number"),
    (trainer(1, answer=lambda params, images: jnp.zeros(357, int)), "Every image"),
    (trainer(2, rate=1e6), "finite number"),
    (trainer(2, forgetful=True), "last update returned"),
    (trainer(1, rate=0.01), "more than 90%|last update"),
    (hidden_generator, "same key"),
]


@pytest.mark.parametrize(("my_train", "message"), WRONG_PROGRAMS)
def test_a_wrong_program_is_refused_with_a_reason(my_train, message):
    """A wrong answer praised, or refused with a riddle."""
    with pytest.raises(AssertionError, match=message):
        check_program(my_train)


def test_a_right_program_passes(capsys):
    """A right answer refused."""
    check_program(trainer())
    assert capsys.readouterr().out == "Right: check_program found nothing wrong.\n"
