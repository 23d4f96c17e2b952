"""Checks for the exercises of chapter 11."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.data import as_vectors
from mnist_code.data._digits import embedded_digits
from mnist_code.exercises.praise import praise


def check_optimizer(my_momentum: Callable[[float, float], Any]) -> None:
    """Check a `my_momentum(learning_rate, momentum)` of the reader's (chapter 11).

    It returns two pure functions: `init(params)`, which makes the state, and
    `update(gradients, state, params=None)`, which returns the updates and the next state.

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def my_momentum(learning_rate, momentum):
        ...     def init(params):
        ...         return jax.tree.map(jnp.zeros_like, params)
        ...     def update(gradients, state, params=None):
        ...         state = jax.tree.map(lambda v, g: momentum * v + g, state, gradients)
        ...         return jax.tree.map(lambda v: -learning_rate * v, state), state
        ...     return init, update
        >>> check_optimizer(my_momentum)
        Right: check_optimizer found nothing wrong.
    """
    pair = my_momentum(0.1, 0.9)
    two_functions = isinstance(pair, tuple) and [*map(callable, pair)] == [True, True]
    assert two_functions, (
        f"It should return two functions, (init, update), and returns {_kind(pair)}."
    )
    init, update = pair
    try:
        inspect.signature(update).bind("gradients", "state", "params")
    except TypeError:
        raise AssertionError(
            "update should take three arguments, as Optax's do: gradients, state, params=None."
        ) from None
    params = [(jnp.array([[1.0, 2.0]]), jnp.array([3.0]))]
    form: Any = jax.tree.structure(params)
    first = [(jnp.array([[1.0, 0.0]]), jnp.array([-2.0]))]
    second = [(jnp.array([[0.0, 1.0]]), jnp.array([4.0]))]

    def one_step(gradients, state):
        made = update(gradients, state, params)
        is_pair = isinstance(made, tuple) and len(made) == 2
        assert is_pair, (
            f"update should return a pair, updates and state, and returns {_kind(made)}."
        )
        updates, state = made
        assert jax.tree.structure(updates) == form, (
            "The updates should be a pytree like the parameters: use `jax.tree.map`."
        )
        return updates, state

    state = init(params)
    assert state is not None, (
        "init returns None: it should return the state of a fresh optimizer."
    )
    before = _leaves(state)
    updates, state_1 = one_step(first, state)
    step = _leaves(updates)[0][0, 0]
    assert step < 0, (
        "A positive gradient should make a negative update: `apply_updates` adds it."
    )
    assert np.isclose(step, -0.1), (
        "With learning rate 0.1, the first update for a gradient of 1 should be -0.1, "
        f"not {step:.3g}: the state starts at zero, and the gradient enters it whole."
    )
    pairs = zip(before, _leaves(state), strict=False)
    assert all(np.array_equal(a, b) for a, b in pairs), (
        "update changed the state that it was given: return a new one."
    )
    updates, _ = one_step(second, state_1)
    weights, biases = _leaves(updates)
    assert not np.isclose(weights[0, 0], 0), (
        "The second update has forgotten the first gradient: is the new state returned?"
    )
    agrees = np.allclose(weights, [[-0.09, -0.1]]) and np.allclose(biases, [-0.22])
    assert agrees, (
        "The second update is wrong: the state becomes momentum * state + gradient, and the "
        f"update is -learning_rate * state. Expected [[-0.09, -0.1]] and [-0.22], "
        f"not {weights.round(4).tolist()} and {biases.round(4).tolist()}."
    )
    again, _ = one_step(first, state)
    assert np.isclose(_leaves(again)[0][0, 0], -0.1), (
        "The same gradients and state should give the same updates: keep nothing outside."
    )
    faster, _ = my_momentum(0.5, 0.9)[1](first, state)
    assert np.isclose(_leaves(faster)[0][0, 0], -0.5), (
        "Another learning rate should change the updates: use the argument."
    )
    slower, _ = my_momentum(0.1, 0.5)[1](second, state_1)
    assert np.allclose(_leaves(slower)[1], [-0.3]), (
        "Another momentum should change the updates: use the argument."
    )
    compiled, _ = jax.jit(update)(second, state_1, params)
    assert np.allclose(_leaves(compiled)[1], biases), (
        "Compiled with `jax.jit`, update gives other updates: it is not pure."
    )
    praise("check_optimizer")


def check_program(my_train: Callable[..., Callable]) -> None:
    """Check a `my_train(images, labels, key)` of the reader's (chapter 11): the whole program.

    It trains on the embedded digits, and returns a function that names the digit of each image.

    Raises:
        AssertionError: it is still wrong; the message says where.
    """
    digits = embedded_digits()
    train = (
        jnp.asarray(as_vectors(digits["train_images"])),
        jnp.asarray(digits["train_labels"]),
    )
    images = jnp.asarray(as_vectors(digits["test_images"]))
    labels = digits["test_labels"]

    def answers():
        classify = my_train(*train, jax.random.key(0))
        assert callable(classify), (
            "my_train should return a function that names the digit of each image, and returns "
            f"{_kind(classify)}."
        )
        named = np.asarray(classify(images))
        assert named.shape != (len(labels), 10), (
            "The function returns ten numbers for each image: `argmax` makes a digit of logits."
        )
        assert named.shape == (len(labels),), (
            f"For {len(labels)} images the function should return shape ({len(labels)},), "
            f"not {named.shape}."
        )
        assert np.issubdtype(named.dtype, np.integer), (
            f"A digit should be a whole number, not {named.dtype}."
        )
        return named

    named = answers()
    score = np.mean(named == labels)
    assert len(np.unique(named)) > 1, (
        f"Every image is taken for a {named[0]}. Is the loss a finite number after training? If "
        "it is not, try a smaller learning rate."
    )
    assert score > 0.3, (
        f"{score:.0%} of the new images are right, about as many as by guessing. Does the loop use "
        "the parameters that the last update returned, and do images keep their labels?"
    )
    assert score > 0.9, (
        f"{score:.0%} of the new images are right; more than 90% are asked for. Train for more "
        "epochs, or with another learning rate."
    )
    assert (answers() == named).all(), (
        "The same key should give the same answers: draw every random number from `key`."
    )
    praise("check_program")


def _leaves(tree: Any) -> list[np.ndarray]:
    return [np.array(leaf) for leaf in jax.tree.leaves(tree)]


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
