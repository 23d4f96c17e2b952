"""The checks for the exercises of Chapter 11."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.data import as_vectors
from mnist_code.data._digits import embedded_digits
from mnist_code.exercises.feedback import (
    call,
    check_shape,
    checking,
    compare,
    kind,
    numbers,
    unpack,
)


def check_optimizer(my_momentum: Callable[[float, float], Any]) -> None:
    """Check the reader's `my_momentum(learning_rate, momentum)` from Chapter 11.

    It returns two pure functions: `init(params)`, which returns the first state, and
    `update(gradients, state, params=None)`, which returns the updates and the next state.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

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
    with checking("check_optimizer", my_momentum):
        _check_momentum(my_momentum)


# Parameters of one layer, and the gradients of two steps.
PARAMS = [(jnp.array([[1.0, 2.0]]), jnp.array([3.0]))]
FIRST = [(jnp.array([[1.0, 0.5]]), jnp.array([-2.0]))]
SECOND = [(jnp.array([[0.25, 1.0]]), jnp.array([4.0]))]


def _check_momentum(my_momentum: Callable) -> None:
    init, update = _functions(my_momentum, 0.1, 0.9)
    state = call(init, PARAMS, name="init")
    before = _leaves(state)
    updates, state_1 = _step(update, FIRST, state)
    _check_first(updates, state_1)
    pairs = zip(before, _leaves(state), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs), (
        "update changes the state that it received: compute a new one and return that."
    )
    updates, _ = _step(update, SECOND, state_1)
    _check_second(updates)
    again, _ = _step(update, FIRST, state)
    assert np.isclose(_flat(again)[0], -0.1), (
        "The same gradients and state should always give the same updates: "
        "keep nothing outside of the state."
    )
    _check_arguments(my_momentum, state, state_1)

    compiled, _ = call(
        jax.jit(update), SECOND, state_1, PARAMS, name="update", case="under jit"
    )
    assert np.allclose(_flat(compiled), _flat(updates)), (
        "Compiled with jax.jit, update gives other updates: let it depend on its arguments alone."
    )
    other = {"w": jnp.ones(3), "layers": [jnp.ones((2, 2))]}
    state = call(init, other, name="init", case="for parameters in a dictionary")
    _step(update, other, state, other, "for gradients in a dictionary")


def _functions(my_momentum: Callable, rate: float, momentum: float) -> tuple:
    made = call(my_momentum, rate, momentum, name="my_momentum")
    init, update = unpack(made, "init", "update", name="my_momentum")
    for name, function in (("init", init), ("update", update)):
        assert callable(function), (
            f"my_momentum should return two functions, but {name} is {kind(function)}: "
            "return the functions without calling them."
        )
    try:
        signature = inspect.signature(update)
        signature.bind("gradients", "state")
        signature.bind("gradients", "state", "params")
    except TypeError:
        raise AssertionError(
            "update should accept gradients, state and params=None, as Optax's do, "
            f"but its signature is {signature}."
        ) from None
    return init, update


def _step(
    update: Callable, gradients: Any, state: Any, params: Any = PARAMS, case: str = ""
) -> tuple[Any, Any]:
    made = call(update, gradients, state, params, name="update", case=case)
    updates, state = unpack(made, "updates", "state", name="update")
    structures = {jax.tree.structure(updates), jax.tree.structure(params)}
    assert len(structures) == 1, (
        "The updates should be a pytree like the parameters: compute them with jax.tree.map."
    )
    return updates, state


def _check_first(updates: Any, state: Any) -> None:
    found = _flat(updates)
    gradients, params = _flat(FIRST), _flat(PARAMS)
    right = -0.1 * gradients
    mistakes = [
        (gradients, "these may be the gradients or the next state; the updates come first"),
        (-right, "the sign is wrong, since apply_updates adds them"),
        (-gradients, "multiply by the learning rate"),
        (params + right, "return what is to be added to the parameters, not new parameters"),
        (0.1 * right, "the gradient enters the state whole, without the factor (1 - momentum)"),
        (0.9 * right, "`momentum` multiplies the state, not the gradient"),
        (1.9 * right, "this is Nesterov's momentum; the update is -learning_rate times the state"),
        (right - 0.09 * params, "the first state is zeros, not the parameters"),
        (right - 0.09, "the first state is zeros, not ones"),
        (np.zeros(3), "use the next state for the updates, not the one before"),
    ]  # fmt: skip
    otherwise = (
        "the state starts at zero, so the first update is -learning_rate * gradient"
    )
    compare(
        found,
        right,
        mistakes,
        otherwise,
        "With learning rate 0.1, in the first updates",
    )
    assert jax.tree.leaves(state), (
        "The next state is empty, so the second update cannot know the first gradient: "
        "return what init returns, updated."
    )


def _check_second(updates: Any) -> None:
    first, second = _flat(FIRST), _flat(SECOND)
    right = -0.1 * (0.9 * first + second)
    mistakes = [
        (
            -0.1 * second,
            "the first gradient is forgotten, so return the next state, not the old",
        ),
        (-0.1 * (first + second), "multiply the state by `momentum`"),
        (-0.1 * (0.9 * first + 0.1 * second), "the gradient enters the state whole"),
        (-0.1 * (0.9 * (first + second)), "`momentum` multiplies the state only"),
        (0.09 * first - 0.1 * second, "the state has the wrong sign"),
        (
            -0.1 * (-0.09 * first + second),
            "the state is kept without the learning rate, or with it throughout",
        ),
        (
            -0.1 * (0.09 * first + second),
            "the learning rate comes in twice, so keep the state without it",
        ),
    ]
    otherwise = (
        "the next state is momentum * state + gradient, "
        "and the updates are -learning_rate times the next state"
    )
    case = "With learning rate 0.1 and momentum 0.9, in the second updates"
    compare(_flat(updates), right, mistakes, otherwise, case)


def _check_arguments(my_momentum: Callable, state: Any, state_1: Any) -> None:
    faster, _ = _step(_functions(my_momentum, 0.5, 0.9)[1], FIRST, state)
    assert np.allclose(_flat(faster), -0.5 * _flat(FIRST)), (
        "Another learning rate should change the updates: use the argument."
    )
    slower, _ = _step(_functions(my_momentum, 0.1, 0.5)[1], SECOND, state_1)
    right = -0.1 * (0.5 * _flat(FIRST) + _flat(SECOND))
    assert np.allclose(_flat(slower), right), (
        "Another momentum should change the updates: use the argument."
    )


def _leaves(tree: Any) -> list[np.ndarray]:
    return [np.array(leaf) for leaf in jax.tree.leaves(tree)]


def _flat(tree: Any) -> np.ndarray:
    """All numbers of a pytree in a row."""
    return np.concatenate([leaf.ravel() for leaf in _leaves(tree)])


def check_program(my_train: Callable[..., Callable]) -> None:
    """Check the reader's `my_train(images, labels, key)`, the whole program, from Chapter 11.

    It trains on the embedded digits, and returns a function that names the digit of each image.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.
    """
    with checking("check_program", my_train):
        digits = embedded_digits()
        train = (
            jnp.asarray(as_vectors(digits["train_images"])),
            jnp.asarray(digits["train_labels"]),
        )
        images = jnp.asarray(as_vectors(digits["test_images"]))
        labels = digits["test_labels"]
        # Blends of two digits: there, two networks rarely agree on all answers.
        blends = (images + images[::-1]) / 2

        def answers(seed):
            classify = call(my_train, *train, jax.random.key(seed), name="my_train")
            assert callable(classify), (
                "my_train should return a function that names the digit of each image, "
                f"but returns {kind(classify)}."
            )
            return _named(classify, images), _named(classify, blends)

        first = answers(0)
        _check_score(first[0], labels)
        assert _same(first, answers(0)), (
            "Two runs with the same key give different answers: draw every random number from "
            "`key` and nothing else."
        )
        assert not _same(first, answers(1)), (
            "Runs with different keys give exactly the same answers: draw the parameters and the "
            "order of the images from `key`."
        )


def _same(one: tuple, other: tuple) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _named(classify: Callable, images: jax.Array) -> np.ndarray:
    name = "the function that my_train returns"
    named = numbers(
        call(classify, images, name=name, case=f"for {len(images)} images"),
        f"the answer of {name}",
    )
    advice = "it names one digit for each image"
    if named.shape == (len(images), 10):
        advice = "of the ten logits of each image, argmax(axis=-1) names the largest"
    elif named.shape == (10,):
        advice = "argmax should compare the classes, axis=-1, not the images"
    check_shape(named, (len(images),), "the answer for all images", advice)
    assert np.issubdtype(named.dtype, np.integer), (
        f"A digit should be a whole number, not {named.dtype}: argmax returns whole numbers."
    )
    return named


def _check_score(named: np.ndarray, labels: np.ndarray) -> None:
    score = np.mean(named == labels)
    assert len(np.unique(named)) > 1, (
        f"Every image is called a {named[0]}: print the loss, and if it is not finite or does not "
        "fall, try a smaller learning rate."
    )
    inside = named.min() >= 0 and named.max() <= 9
    assert inside, (
        f"An image is called a {named.min() if named.min() < 0 else named.max()}, "
        "which is no digit: take the argmax over the ten classes."
    )
    assert score > 0.3, (
        f"Only {score:.0%} of the new images are right, about as many as by guessing: does the "
        "loop keep the parameters that each update returns, and do shuffled images keep their "
        "labels?"
    )
    assert score > 0.9, (
        f"{score:.0%} of the new images are right, but it should be more than 90%: train for more "
        "epochs, or try another learning rate."
    )
