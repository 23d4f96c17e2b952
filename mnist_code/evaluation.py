"""Counting correct answers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from mnist_code.config import NUM_CLASSES
from mnist_code.model import Params, batched_predict, predict

CHUNK = 1_000  # images at once: enough to keep the cores busy, and little memory


def batch_accuracy(
    params: Params, images: Float[Array, "batch 784"], targets: Float[Array, "batch 10"]
) -> Float[Array, ""]:
    """The share of one batch that is classified correctly, 0 to 1.

    Averaging this over batches of different sizes does not give an accuracy, because the images of
    a small last batch would count for more than the others. For a whole data set use `accuracy`.

    Args:
        params: the network's parameters.
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
def predicted_labels(
    params: Params, images: Float[Array, "n pixels"]
) -> Int[Array, " n"]:
    """The most likely class of each image. Takes any number of images, in bounded memory.

    Args:
        params: the network's parameters.
        images: float32 from 0 to 1.

    Returns:
        int32, 0 to 9.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> predicted_labels(params, jnp.zeros((4, 784))).tolist()
        [3, 3, 3, 3]
    """
    return jax.lax.map(
        lambda image: jnp.argmax(predict(params, image)), images, batch_size=CHUNK
    )


def accuracy(
    params: Params, images: Float[Array, "n pixels"], labels: Int[Array, " n"]
) -> float:
    """The share of all images that are classified correctly: counted, then divided once.

    Args:
        params: the network's parameters.
        images: float32 from 0 to 1.
        labels: 0 to 9.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> accuracy(params, jnp.zeros((4, 784)), jnp.array([3, 1, 4, 3]))
        0.5
    """
    predicted = np.asarray(predicted_labels(params, images))
    # NumPy counts, because it has nothing to compile first.
    return int(np.sum(predicted == np.asarray(labels))) / len(labels)


def confusion_matrix(
    params: Params, images: Float[Array, "n pixels"], labels: Int[Array, " n"]
) -> Int[Array, "10 10"]:
    """Count how often each digit (row) is read as each digit (column).

    Args:
        params: the network's parameters.
        images: float32 from 0 to 1.
        labels: 0 to 9.

    Returns:
        int32; the diagonal holds the correct answers.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> counts = confusion_matrix(params, jnp.zeros((4, 784)), jnp.array([3, 1, 4, 3]))
        >>> int(counts[3, 3]), int(counts[1, 3]), int(counts.sum())
        (2, 1, 4)
    """
    return (
        jnp.zeros((NUM_CLASSES, NUM_CLASSES), int)
        .at[labels, predicted_labels(params, images)]
        .add(1)
    )
