"""Counting what is right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from mnist_code.model import Params, batched_predict, predict

CHUNK = 1_000  # images evaluated at once: enough to keep two cores busy, little memory


def batch_accuracy(
    params: Params, images: Float[Array, "batch 784"], targets: Float[Array, "batch 10"]
) -> Float[Array, ""]:
    """The part of one batch that is classified right, 0 to 1.

    A mean of these over batches of different sizes is no accuracy: it weighs the images of a small
    last batch more than the others. For a whole data set use `accuracy`.

    Args:
        params: of the network.
        images: float32 from 0 to 1.
        targets: one-hot labels.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> float(batch_accuracy(params, jnp.zeros((4, 784)), jax.nn.one_hot(jnp.arange(4), 10)))
        0.25
    """
    predicted = jnp.argmax(batched_predict(params, images), axis=-1)
    return jnp.mean(predicted == jnp.argmax(targets, axis=-1))


@jax.jit
def predicted_labels(params: Params, images: Float[Array, "n 784"]) -> Int[Array, " n"]:
    """The likeliest class of each image, int32 (n,); any number of images, in bounded memory.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> predicted_labels(params, jnp.zeros((4, 784))).tolist()
        [3, 3, 3, 3]
    """
    return jax.lax.map(
        lambda image: jnp.argmax(predict(params, image)), images, batch_size=CHUNK
    )


def accuracy(
    params: Params, images: Float[Array, "n 784"], labels: Int[Array, " n"]
) -> float:
    """The part of all images that is classified right: counted, then divided once.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> accuracy(params, jnp.zeros((4, 784)), jnp.array([3, 1, 4, 3]))
        0.5
    """
    return int(jnp.sum(predicted_labels(params, images) == labels)) / len(labels)


def confusion_matrix(
    params: Params, images: Float[Array, "n 784"], labels: Int[Array, " n"]
) -> Int[Array, "10 10"]:
    """Count how often each digit (row) is taken for each digit (column).

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> counts = confusion_matrix(params, jnp.zeros((4, 784)), jnp.array([3, 1, 4, 3]))
        >>> int(counts[3, 3]), int(counts[1, 3]), int(counts.sum())
        (2, 1, 4)
    """
    return jnp.zeros((10, 10), int).at[labels, predicted_labels(params, images)].add(1)
