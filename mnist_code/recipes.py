"""Ways to train the same network: settings by name, and an epoch that follows any of them.

The program of Part I is one recipe of many. Here Optax supplies what `training` does by hand.
"""

from __future__ import annotations

import concurrent.futures
import itertools
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from mnist_code.augment import distort_batch
from mnist_code.config import LAYER_SIZES, Config
from mnist_code.evaluation import predicted_labels
from mnist_code.model import Params, batched_predict, init_network_params

RECIPES = {
    "classic": Config(),
    "fast": Config(
        epochs=3,
        batch_size=128,
        learning_rate=0.7,
        optimizer="nesterov",
        schedule="one-cycle",
        initialization="he",
        smoothing=0.05,
        evaluate="end",
    ),
    "accurate": Config(
        epochs=130,
        batch_size=128,
        learning_rate=0.5,
        optimizer="nesterov",
        schedule="one-cycle",
        initialization="he",
        smoothing=0.05,
        distortion=0.5,
        evaluate="end",
    ),
}
MOMENTUM = 0.9
WARM_UP = 0.2  # the part of a one-cycle run in which the rate rises


class State(NamedTuple):
    """All that decides the rest of a run, besides its `Config` and the number of the epoch."""

    params: Params
    optimizer: Any = ()  # the state of Optax's optimizer
    average: Params | None = None  # of the parameters, if the recipe keeps one

    @property
    def best(self) -> Params:
        """The average of the parameters, if there is one, else the parameters."""
        return self.params if self.average is None else self.average


def make_optimizer(config: Config, updates: int):
    """Optax's optimizer with the schedule of `config`.

    Args:
        config: its `optimizer`, `schedule`, `learning_rate` and `epochs` count.
        updates: number of updates in one epoch.

    Returns:
        An `optax.GradientTransformation`.

    Example:
        >>> optimizer = make_optimizer(RECIPES["fast"], updates=468)
        >>> state = optimizer.init(jnp.zeros(3))
    """
    import optax  # here: the classic program does without

    total = config.epochs * updates
    if config.schedule == "one-cycle":
        warm = max(1, round(WARM_UP * total))
        up = optax.linear_schedule(0.0, config.learning_rate, warm)
        down = optax.linear_schedule(config.learning_rate, 0.0, max(1, total - warm))
        rate = optax.join_schedules([up, down], [warm])
    else:
        rate = optax.exponential_decay(
            config.learning_rate, config.decay_steps * updates, config.decay_rate
        )
    if config.optimizer == "adam":
        return optax.adam(rate)
    momentum = MOMENTUM if config.optimizer == "nesterov" else None
    return optax.sgd(rate, momentum, nesterov=momentum is not None)


def he_params(key: Key[Array, ""], sizes=LAYER_SIZES) -> Params:
    """Draw parameters so that swish keeps the size of activations: He initialization.

    Weights have standard deviation sqrt(2 / inputs), biases are zero (He et al., "Delving deep
    into rectifiers", 2015).

    Example:
        >>> (weights, biases), _ = he_params(jax.random.key(0))
        >>> round(float(weights.std() * jnp.sqrt(784 / 2)), 2), float(biases.max())
        (1.0, 0.0)
    """
    # One draw for all: a draw for each layer, in two axes, takes a second longer to compile.
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    ends = list(itertools.accumulate(out * fan_in for out, fan_in in shapes))
    parts = jnp.split(jax.random.normal(key, (ends[-1],)), ends[:-1])
    return [
        ((2 / shape[1]) ** 0.5 * part.reshape(shape), jnp.zeros(shape[0]))
        for part, shape in zip(parts, shapes, strict=True)
    ]


@partial(jax.jit, static_argnames="config")
def _start_recipe(key, config):
    """Compiled: a dozen small operations one by one would take longer to compile than to run."""
    params = (he_params if config.initialization == "he" else init_network_params)(
        key, config.layer_sizes
    )
    average = jax.tree.map(jnp.copy, params) if config.averaging else None
    return State(params, make_optimizer(config, 1).init(params), average)


def start(key: Key[Array, ""], config: Config) -> State:
    """The state before the first epoch.

    Example:
        >>> state = start(jax.random.key(0), Config())
        >>> state.optimizer, state.average
        ((), None)
    """
    if config.is_classic:
        return State(init_network_params(key, config.layer_sizes))
    return _start_recipe(key, config)


def recipe_loss(
    params: Params,
    images: Float[Array, "batch 784"],
    labels: Int[Array, " batch"],
    smoothing: float = 0.0,
) -> Float[Array, ""]:
    """`training.loss`, with Optax, for labels that may be smoothed.

    Args:
        params: of the network.
        images: float32 from 0 to 1.
        labels: 0 to 9.
        smoothing: the part of each target that is spread evenly over the classes.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jnp.zeros(10))]  # knows nothing
        >>> round(float(recipe_loss(params, jnp.zeros((4, 784)), jnp.arange(4))), 3)
        2.303
    """
    import optax

    logits = batched_predict(params, images)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
    return optax.softmax_cross_entropy(logits, targets).mean()


def recipe_update(
    state: State,
    images: Float[Array, "batch 784"],
    labels: Int[Array, " batch"],
    key: Key[Array, ""],
    config: Config,
    updates: int,
) -> tuple[State, Float[Array, ""]]:
    """One update as `config` says: distort, differentiate, step, average.

    Args:
        state: what `start` or an earlier update returned.
        images: float32 from 0 to 1.
        labels: 0 to 9.
        key: decides the distortion.
        config: the recipe.
        updates: number of updates in one epoch, for the schedule.

    Returns:
        The new state, and the loss (nats) of the old parameters on this batch.
    """
    import optax

    if config.distortion:
        images = distort_batch(key, images, config.distortion)
    value, gradients = jax.value_and_grad(recipe_loss)(
        state.params, images, labels, config.smoothing
    )
    optimizer = make_optimizer(config, updates)
    steps, optimizer_state = optimizer.update(gradients, state.optimizer, state.params)
    params = optax.apply_updates(state.params, steps)
    average = state.average
    if average is not None:
        average = optax.incremental_update(params, average, 1 - config.averaging)
    return State(params, optimizer_state, average), value


@partial(jax.jit, static_argnames="config")
def recipe_epoch(
    state: State,
    images: Float[Array, "n 784"],
    labels: Int[Array, " n"],
    key: Key[Array, ""],
    config: Config,
) -> tuple[State, Float[Array, ""]]:
    """`training.train_epoch` for any recipe: visit the images once, in one compiled call.

    Args:
        state: what `start` or an earlier epoch returned.
        images: float32 from 0 to 1, `batch_size` of them or more.
        labels: 0 to 9.
        key: decides the order and the distortions.
        config: the recipe; one that differs in any setting is compiled anew.

    Returns:
        The new state, and the mean loss (nats) of the batches as they were met.
    """
    count = len(images) // config.batch_size
    order_key, distort_key = jax.random.split(key)
    # As good as jax.random.permutation for so few images, and compiled in a third of the time.
    order = jnp.argsort(jax.random.bits(order_key, (len(images),)))
    batches = order[: count * config.batch_size].reshape(count, config.batch_size)

    def step(state, item):
        batch, key = item
        return recipe_update(state, images[batch], labels[batch], key, config, count)

    keys = jax.random.split(distort_key, count)
    state, losses = jax.lax.scan(step, state, (batches, keys))
    return state, jnp.mean(losses)


def compile_ahead(config: Config, train: int, test: int) -> list[Future]:
    """Compile an epoch and the evaluation side by side, in threads, while the data are moved.

    JAX keeps what it compiled, so that the first real call finds it. It saves half a second, which
    a run of a few seconds notices. An error is left for the real call to raise.

    Args:
        config: the recipe.
        train: how many images there are to train with.
        test: how many there are to test with.

    Returns:
        What to wait for before the first real call.

    Example:
        >>> jobs = compile_ahead(RECIPES["fast"], train=1440, test=357)
        >>> done, waiting = concurrent.futures.wait(jobs)
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(partial(start, config=config), key)
    pixels = config.layer_sizes[0]
    images = jax.ShapeDtypeStruct((train, pixels), jnp.float32)
    labels = jax.ShapeDtypeStruct((train,), jnp.int32)
    tests = jax.ShapeDtypeStruct((test, pixels), jnp.float32)

    def compile_one(function, *arguments):
        function.lower(*arguments).compile()

    with_two = concurrent.futures.ThreadPoolExecutor(2)
    jobs = [
        with_two.submit(compile_one, recipe_epoch, state, images, labels, key, config),
        with_two.submit(compile_one, predicted_labels, state.params, tests),
    ]
    with_two.shutdown(wait=False)
    return jobs
