"""Ways to train the same network: settings by name, and an epoch that follows any of them.

The program of Part I is one recipe of many. Here Optax supplies what `training` does by hand.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from mnist_code.augment import SIDE, distort
from mnist_code.config import LAYER_SIZES, Config
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
    ),
    "accurate": Config(
        epochs=100,
        batch_size=128,
        learning_rate=0.5,
        optimizer="nesterov",
        schedule="one-cycle",
        initialization="he",
        smoothing=0.05,
        distortion=1.0,
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
        """The parameters to use: their average, if there is one."""
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
    return [
        (w * (2 / w.shape[1]) ** 0.5, jnp.zeros_like(b))
        for w, b in init_network_params(key, sizes, scale=1.0)
    ]


def start(key: Key[Array, ""], config: Config) -> State:
    """The state before the first epoch.

    Example:
        >>> state = start(jax.random.key(0), Config())
        >>> state.optimizer, state.average
        ((), None)
    """
    if config.initialization == "he":
        params = he_params(key, config.layer_sizes)
    else:
        params = init_network_params(key, config.layer_sizes)
    if config.is_classic:
        return State(params)
    average = jax.tree.map(jnp.copy, params) if config.averaging else None
    return State(params, make_optimizer(config, 1).init(params), average)


def recipe_loss(
    params: Params,
    images: Float[Array, "batch 784"],
    labels: Int[Array, " batch"],
    smoothing: float = 0.0,
    weights: Float[Array, " batch"] | None = None,
) -> Float[Array, ""]:
    """`training.loss`, with Optax, for labels that may be smoothed.

    Args:
        params: of the network.
        images: float32 from 0 to 1.
        labels: 0 to 9.
        smoothing: the part of each target that is spread evenly over the classes.
        weights: of the images, with mean 1; without them, all count alike.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jnp.zeros(10))]  # knows nothing
        >>> round(float(recipe_loss(params, jnp.zeros((4, 784)), jnp.arange(4))), 3)
        2.303
    """
    import optax

    logits = batched_predict(params, images)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
    losses = optax.softmax_cross_entropy(logits, targets)
    return losses.mean() if weights is None else (weights * losses).mean()


def recipe_update(
    state: State,
    images: Float[Array, "batch 784"],
    labels: Int[Array, " batch"],
    key: Key[Array, ""],
    config: Config,
    updates: int,
    weights: Float[Array, " batch"] | None = None,
) -> tuple[State, Float[Array, ""]]:
    """One update as `config` says: distort, differentiate, step, average.

    Args:
        state: what `start` or an earlier update returned.
        images: float32 from 0 to 1.
        labels: 0 to 9.
        key: decides the distortion.
        config: the recipe.
        updates: number of updates in one epoch, for the schedule.
        weights: of the images, as for `recipe_loss`.

    Returns:
        The new state, and the loss (nats) of the old parameters on this batch.
    """
    import optax

    if config.distortion:
        keys = jax.random.split(key, len(images))
        pictures = images.reshape(-1, SIDE, SIDE)
        warped = jax.vmap(distort, (0, 0, None))(keys, pictures, config.distortion)
        images = warped.reshape(images.shape)
    value, gradients = jax.value_and_grad(recipe_loss)(
        state.params, images, labels, config.smoothing, weights
    )
    optimizer = make_optimizer(config, updates)
    steps, optimizer_state = optimizer.update(gradients, state.optimizer, state.params)
    params = optax.apply_updates(state.params, steps)
    average = state.average
    if average is not None:
        average = optax.incremental_update(params, average, 1 - config.averaging)
    return State(params, optimizer_state, average), value


@partial(jax.jit, static_argnames="config", donate_argnames="state")
def recipe_epoch(
    state: State,
    images: Float[Array, "n 784"],
    labels: Int[Array, " n"],
    key: Key[Array, ""],
    config: Config,
) -> tuple[State, Float[Array, ""]]:
    """`training.train_epoch` for any recipe: visit the images once, in one compiled call.

    Args:
        state: given away (donated): use the returned one from then on.
        images: float32 from 0 to 1, `batch_size` of them or more.
        labels: 0 to 9.
        key: decides the order and the distortions.
        config: the recipe; one that differs in any setting is compiled anew.

    Returns:
        The new state, and the mean loss (nats) of the batches as they were met.
    """
    count = len(images) // config.batch_size
    order_key, distort_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(images))
    batches = order[: count * config.batch_size].reshape(count, config.batch_size)

    def step(state, item):
        batch, key = item
        return recipe_update(state, images[batch], labels[batch], key, config, count)

    keys = jax.random.split(distort_key, count)
    state, losses = jax.lax.scan(step, state, (batches, keys))
    return state, jnp.mean(losses)
