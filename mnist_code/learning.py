"""Learning: a loss, its gradient, one update, and an epoch of updates as one compiled call."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax.nn import one_hot
from jaxtyping import Array, Float, Int, Key

from mnist_code.config import DECAY_RATE, DECAY_STEPS, INIT_LR, NUM_CLASSES
from mnist_code.model import Params, batched_predict


def loss(
    params: Params, images: Float[Array, "batch 784"], targets: Float[Array, "batch 10"]
) -> Float[Array, ""]:
    """Categorical cross-entropy in nats, averaged over the batch.

    `log_softmax` normalizes each row separately and without overflow (log-sum-exp). A network that
    knows nothing scores ln 10 = 2.303; a perfect one scores 0.

    Args:
        params: the network's parameters.
        images: float32 from 0 to 1.
        targets: one-hot labels.

    Source:
        Bishop, "Pattern Recognition and Machine Learning" (2006), section 4.3.4.

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
    """Take one step of gradient descent: move every parameter against its gradient.

    Args:
        params: the network's parameters.
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

    The last `n % batch_size` images of that order sit this epoch out, so that all batches are equal
    in size. Each epoch draws a new order and leaves out different ones.

    Args:
        params: donated: their memory is reused, so keep only the returned ones.
        images: float32 from 0 to 1, at least `batch_size` of them.
        labels: 0 to 9.
        key: determines the order.
        learning_rate: step size, above 0.
        batch_size: images per update.

    Returns:
        The new parameters, and the mean loss (nats) of the batches, each before its update.
    """
    count = len(images) // batch_size
    order = jax.random.permutation(key, len(images))
    batches = order[: count * batch_size].reshape(count, batch_size)

    def step(params, batch):
        targets = one_hot(labels[batch], NUM_CLASSES)
        return update(params, images[batch], targets, learning_rate)

    params, losses = jax.lax.scan(step, params, batches)
    return params, jnp.mean(losses)
