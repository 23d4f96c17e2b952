"""Learning: a loss, its gradient, an update; an epoch of them compiled into one call."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot
from jaxtyping import Array, Float, Int, Key

from mnist_code.config import DECAY_RATE, DECAY_STEPS, INIT_LR, LAYER_SIZES, Config
from mnist_code.data import Dataset
from mnist_code.errors import DivergedError, SettingError
from mnist_code.evaluation import accuracy
from mnist_code.model import Params, batched_predict
from mnist_code.recipes import State, compile_ahead, recipe_epoch, start

NUM_CLASSES = LAYER_SIZES[-1]


def loss(
    params: Params, images: Float[Array, "batch 784"], targets: Float[Array, "batch 10"]
) -> Float[Array, ""]:
    """Categorical cross-entropy in nats, the mean over the batch.

    `log_softmax` normalizes each row by itself, stably (log-sum-exp). A network that knows nothing
    scores ln 10 = 2.303; a perfect one 0.

    Args:
        params: of the network.
        images: float32 from 0 to 1.
        targets: one-hot labels.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jnp.zeros(10))]  # knows nothing
        >>> round(float(loss(params, jnp.zeros((4, 784)), one_hot(jnp.arange(4), 10))), 3)
        2.303
    """
    log_probabilities = jax.nn.log_softmax(batched_predict(params, images), axis=-1)
    return -jnp.mean(jnp.sum(targets * log_probabilities, axis=-1))


def learning_rate(
    epoch: int,
    initial: float = INIT_LR,
    decay_rate: float = DECAY_RATE,
    decay_steps: float = DECAY_STEPS,
) -> float:
    """The step size of an epoch: `initial * decay_rate ** (epoch / decay_steps)`.

    Example:
        >>> learning_rate(0), learning_rate(5)
        (1.0, 0.95)
    """
    return initial * decay_rate ** (epoch / decay_steps)


def update(
    params: Params,
    images: Float[Array, "batch 784"],
    targets: Float[Array, "batch 10"],
    learning_rate: Float[Array, ""] | float,
) -> tuple[Params, Float[Array, ""]]:
    """One step of gradient descent: every parameter moves against its gradient.

    Args:
        params: of the network.
        images: float32 from 0 to 1.
        targets: one-hot labels.
        learning_rate: step size, above 0.

    Returns:
        The new parameters, and the loss (nats) of the old ones on this batch.

    Example:
        >>> from mnist_code.model import init_network_params
        >>> params = init_network_params(jax.random.key(0))
        >>> params, before = update(params, jnp.ones((1, 784)), one_hot(jnp.array([3]), 10), 0.1)
        >>> bool(loss(params, jnp.ones((1, 784)), one_hot(jnp.array([3]), 10)) < before)
        True
    """
    value, gradients = jax.value_and_grad(loss)(params, images, targets)
    return jax.tree.map(lambda p, g: p - learning_rate * g, params, gradients), value


@partial(jax.jit, static_argnames="batch_size", donate_argnames="params")
def train_epoch(
    params: Params,
    images: Float[Array, "n 784"],
    labels: Int[Array, " n"],
    key: Key[Array, ""],
    learning_rate: Float[Array, ""] | float,
    batch_size: int,
) -> tuple[Params, Float[Array, ""]]:
    """Visit the images once, in an order drawn from `key`, as one compiled call.

    `n % batch_size` images, others each time, sit the epoch out, so that all batches are equal.

    Args:
        params: given away (donated): use the returned ones from then on.
        images: float32 from 0 to 1, `batch_size` of them or more.
        labels: 0 to 9.
        key: decides the order.
        learning_rate: step size, above 0.
        batch_size: images in one update.

    Returns:
        The new parameters, and the mean loss (nats) of the batches as they were met.
    """
    count = len(images) // batch_size
    order = jax.random.permutation(key, len(images))
    batches = order[: count * batch_size].reshape(count, batch_size)

    def step(params, batch):
        targets = one_hot(labels[batch], NUM_CLASSES)
        return update(params, images[batch], targets, learning_rate)

    params, losses = jax.lax.scan(step, params, batches)
    return params, jnp.mean(losses)


class Epoch(NamedTuple):
    """What one epoch left behind."""

    epoch: int  # counted from 0
    params: Params  # to use
    train_loss: float  # nats, the mean over the epoch's batches
    train_accuracy: float | None  # 0 to 1, after the epoch; None where not counted
    test_accuracy: float | None
    train_seconds: float  # the first epoch's include compilation
    evaluate_seconds: float
    state: State | None = None  # to go on from

    def metrics(self) -> dict[str, float | None]:
        """All numbers, without parameters and state: one line of a metrics file."""
        return {
            name: value
            for name, value in self._asdict().items()
            if name not in ("params", "state")
        }


class OneDevice:
    """Where a run computes: on JAX's first device, which holds all data."""

    def __init__(self, dataset: Dataset, config: Config):
        self.config = config
        sizes = len(dataset.train_labels), len(dataset.test_labels)
        self.compiling = [] if config.is_classic else compile_ahead(config, *sizes)
        self.train, self.test = (
            (_to_vectors(images), jnp.asarray(labels))
            for images, labels in (
                (dataset.train_images, dataset.train_labels),
                (dataset.test_images, dataset.test_labels),
            )
        )

    def place(self, state: State) -> State:
        """Bring a state, such as one that was read from a file, to where it is needed."""
        return jax.tree.map(jnp.asarray, state)

    def rate(self, number: int) -> float:
        """The classic program's learning rate in an epoch, counted from 0."""
        config = self.config
        return learning_rate(
            number, config.learning_rate, config.decay_rate, config.decay_steps
        )

    def epoch(
        self, state: State, key: Key[Array, ""], number: int
    ) -> tuple[State, Float[Array, ""]]:
        """Train for one epoch: by hand if that suffices, else as the recipe says.

        Args:
            state: what `place` or an earlier epoch returned.
            key: decides all that is random.
            number: of the epoch, counted from 0.

        Returns:
            The new state, and the mean loss (nats) of the batches.
        """
        if not self.config.is_classic:
            concurrent.futures.wait(self.compiling)
            return recipe_epoch(state, *self.train, key, self.config)
        # A copy is donated, since the caller may still hold what was yielded.
        params = jax.tree.map(jnp.copy, state.params)
        params, train_loss = train_epoch(
            params, *self.train, key, self.rate(number), self.config.batch_size
        )
        return State(params), train_loss

    def train_accuracy(self, params: Params) -> float:
        """The part of the training images that is classified right."""
        return accuracy(params, *self.train)

    def test_accuracy(self, params: Params) -> float:
        """The part of the test images that is classified right."""
        return accuracy(params, *self.test)


def epochs(
    dataset: Dataset,
    config: Config,
    state: State | None = None,
    first: int = 0,
    on: Callable[[Dataset, Config], OneDevice] = OneDevice,
) -> Iterator[Epoch]:
    """Train, and yield after each epoch; stop iterating to stop training.

    The same configuration gives the same parameters, bit for bit, on the same machine. So does a
    run that goes on from the state of an earlier one: every key is made from the seed and the
    number of the epoch.

    Args:
        dataset: digits to train and to test with.
        config: the recipe.
        state: what epoch `first - 1` of the same configuration yielded; without it, a fresh one.
        first: the epoch to go on with.
        on: where to compute; `parallel.ManyDevices` with a mesh is another place.

    Raises:
        SettingError: the batch is larger than the training set.
        DivergedError: the loss or a parameter is no longer finite. What was yielded last is good.

    Example:
        >>> from mnist_code import data
        >>> digits, config = data.load("digits"), Config(epochs=2)
        Data: digits, 1,440 images for training, 357 for testing
        >>> begun, done = epochs(digits, config)
        >>> (again,) = epochs(digits, config, begun.state, first=1)
        >>> bool((done.params[0][0] == again.params[0][0]).all())
        True
    """
    size = len(dataset.train_labels)
    if config.batch_size > size:
        raise SettingError(
            f"batch_size must be at most the {size:,} training images of {dataset.name}, "
            f"not {config.batch_size:,}"
        )
    # What neither the first state nor an epoch depends on must not make them compile anew.
    seed, config = config.seed, dataclasses.replace(config, seed=0, dataset="auto")
    device = on(dataset, config)
    init_key, shuffle_key = _keys(seed)
    state = device.place(start(init_key, config) if state is None else state)
    for epoch in range(first, config.epochs):
        began = time.perf_counter()
        key = jax.random.fold_in(shuffle_key, epoch)
        new_state, train_loss = device.epoch(state, key, epoch)
        jax.block_until_ready(new_state)
        trained = time.perf_counter()
        if not (_is_finite(new_state) and math.isfinite(train_loss)):
            raise DivergedError(
                f"The loss stopped being a finite number in epoch {epoch}. "
                f"Try a learning rate below {config.learning_rate:g}."
            )
        state = new_state
        each = config.evaluate == "epoch"
        counted = each or epoch == config.epochs - 1
        train_accuracy = device.train_accuracy(state.best) if each else None
        test_accuracy = device.test_accuracy(state.best) if counted else None
        yield Epoch(
            epoch,
            state.best,
            float(train_loss),
            train_accuracy,
            test_accuracy,
            trained - began,
            time.perf_counter() - trained,
            state,
        )


@jax.jit
def _to_vectors(images):
    """`as_vectors` on the device, bit for bit, without a float copy on the way.

    A table, since XLA would multiply by 1 / 255, which rounds otherwise than a division.
    """
    shades = np.arange(256, dtype=np.float32) / 255
    return jnp.asarray(shades)[images.reshape(len(images), -1)]


@jax.jit
def _keys(seed):
    """The key of the first parameters, and that of all shuffles and distortions."""
    return tuple(jax.random.split(jax.random.key(seed)))


def _is_finite(state: State) -> bool:
    """Asked of NumPy, which need not compile the question."""
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state))


def fit(dataset: Dataset, config: Config | None = None) -> tuple[Params, list[Epoch]]:
    """Train for all epochs of `config`.

    Returns:
        The trained parameters, and what each epoch left behind.

    Raises:
        As `epochs`.
    """
    history = list(epochs(dataset, config or Config()))
    return history[-1].params, history
