"""Whole runs: epoch after epoch of training and evaluation, on one device or on many."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from mnist_code.config import Config
from mnist_code.data import Dataset, on_device
from mnist_code.errors import ConfigError, DivergedError
from mnist_code.learning import learning_rate
from mnist_code.model import Params
from mnist_code.normalize import network_inputs
from mnist_code.parallel import accuracy, replicate
from mnist_code.recipes import State, compile_ahead, recipe_epoch, run_keys, start


class EpochResult(NamedTuple):
    """The results of one epoch."""

    epoch: int  # counted from 0
    train_loss: float  # nats, averaged over the epoch's batches
    train_accuracy: float | None  # 0 to 1, after the epoch; None if it was not measured
    test_accuracy: float | None
    train_seconds: float  # the first epoch's may include compilation
    evaluate_seconds: float
    state: State  # where the next epoch starts

    @property
    def params(self) -> Params:
        """The parameters after the epoch; of a committee, those of the network that joins it."""
        return self.state.network

    def metrics(self) -> dict[str, float | None]:
        """Everything but the state: one line of a metrics file."""
        numbers = self._asdict()
        del numbers["state"]
        return numbers


def epochs(
    dataset: Dataset,
    config: Config,
    state: State | None = None,
    start_epoch: int = 0,
    mesh: Mesh | None = None,
    teacher: Params | None = None,
) -> Iterator[EpochResult]:
    """Train, and yield a result after each epoch. Stop iterating to stop training.

    On the same machine, the same configuration always gives the same parameters, down to the last
    bit. That includes runs that are resumed from a saved state, because every random key is derived
    from the seed and the number of the epoch.

    Args:
        dataset: the digits to train on and to test with.
        config: the recipe.
        state: the state to start from, which epoch `start_epoch - 1` of the same configuration
            returned; by default, a new one.
        start_epoch: the first epoch to run.
        mesh: the devices to divide each batch among; by default, the first device does all the
            work.
        teacher: the network to learn from, of any size, if `config` has a temperature. With 1,568
            inputs, it sees each image both ways; otherwise, it sees what the new network sees. Its
            parameters don't tell whether it was trained like that.

    Raises:
        ConfigError: the batch is larger than the training set; or there's a temperature without a
            teacher, or a teacher without a temperature.
        DivergedError: the loss or a parameter is no longer finite. The results so far are good.

    Example:
        >>> from mnist_code import data
        >>> digits, config = data.load("digits"), Config(epochs=2)
        Data: digits, 1,440 images for training, 357 for testing
        >>> first, last = epochs(digits, config)
        >>> (again,) = epochs(digits, config, first.state, start_epoch=1)
        >>> bool((last.params[0][0] == again.params[0][0]).all())
        True
    """
    sizes = len(dataset.train_labels), len(dataset.test_labels)
    if config.batch_size > sizes[0]:
        raise ConfigError(
            f"batch_size must be at most {sizes[0]:,}, the number of training images in "
            f"{dataset.name}, not {config.batch_size:,}"
        )
    if (teacher is not None) != (config.temperature > 0):
        raise ConfigError(
            f"temperature must be {'above 0 with' if teacher else '0 without'} a teacher, "
            f"not {config.temperature:g}"
        )
    # Settings that the compiled epoch does not use must not make JAX compile it again.
    if config.is_classic:
        compiled_for = Config(
            batch_size=config.batch_size, layer_sizes=config.layer_sizes
        )
    else:
        compiled_for = dataclasses.replace(config, seed=0, dataset="auto")
    ahead = mesh is None and not config.is_classic
    compiling = compile_ahead(compiled_for, *sizes, teacher) if ahead else []
    train_images, train_labels, test_images, test_labels = replicate(
        on_device(dataset), mesh
    )
    # Training distorts images before it normalizes them, so it takes them as they are.
    each = config.evaluate == "epoch"
    train_seen = network_inputs(train_images, config.normalization) if each else None
    test_seen = network_inputs(test_images, config.normalization)
    concurrent.futures.wait(compiling)
    # JAX reads a Python integer as int32, which is too small for half of the seeds.
    seed = np.uint32(config.seed)
    init_key, _ = replicate(run_keys(seed, start_epoch), mesh)
    state = replicate(start(init_key, compiled_for) if state is None else state, mesh)
    teacher = replicate(teacher, mesh)
    for epoch in range(start_epoch, config.epochs):
        began = time.perf_counter()
        rate = learning_rate(
            epoch, config.learning_rate, config.decay_rate, config.decay_steps
        )
        _, key = replicate(run_keys(seed, epoch), mesh)
        new_state, train_loss = recipe_epoch(
            state, train_images, train_labels, key, rate,
            config=compiled_for, mesh=mesh, teacher=teacher,
        )  # fmt: skip
        jax.block_until_ready(new_state)
        trained = time.perf_counter()
        if not (_is_finite(new_state) and math.isfinite(train_loss)):
            raise DivergedError(
                f"The loss or a parameter stopped being a finite number in epoch {epoch}. "
                f"Try a learning rate below {config.learning_rate:g}."
            )
        state = new_state
        train_accuracy = test_accuracy = None
        if each or epoch == config.epochs - 1:
            network = state.network
            if train_seen is not None:
                train_accuracy = accuracy(network, train_seen, train_labels, mesh)
            test_accuracy = accuracy(network, test_seen, test_labels, mesh)
        yield EpochResult(
            epoch,
            float(train_loss),
            train_accuracy,
            test_accuracy,
            trained - began,
            time.perf_counter() - trained,
            state,
        )


def _is_finite(state: State) -> bool:
    """Check in NumPy, which, unlike JAX, has nothing to compile first."""
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state))


def fit(
    dataset: Dataset, config: Config | None = None
) -> tuple[Params, list[EpochResult]]:
    """Train for all epochs of `config`.

    Args:
        dataset: the digits to train on and to test with.
        config: the recipe; by default the program of Part I.

    Returns:
        The trained parameters, and the result of each epoch.

    Raises:
        The same errors as `epochs`.
    """
    history = list(epochs(dataset, config or Config()))
    return history[-1].params, history
