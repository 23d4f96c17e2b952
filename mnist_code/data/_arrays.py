"""A data set as arrays, and what the network takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, UInt8


@dataclass(frozen=True)
class Dataset:
    """Images of digits and their labels, as NumPy arrays.

    Images are uint8, 0 (black) to 255 (white), of shape (n, 28, 28, 1); labels are 0 to 9.
    """

    name: str
    train_images: UInt8[np.ndarray, "train 28 28 1"]
    train_labels: Int32[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test 28 28 1"]
    test_labels: Int32[np.ndarray, " test"]


class Arrays(NamedTuple):
    """A data set as the network takes it: images as vectors from 0 to 1, on JAX's device."""

    train_images: Float[Array, "train 784"]
    train_labels: Int32[Array, " train"]
    test_images: Float[Array, "test 784"]
    test_labels: Int32[Array, " test"]


def as_vectors(images: UInt8[np.ndarray, "n 28 28 1"]) -> Float[np.ndarray, "n 784"]:
    """Flatten images into vectors and scale them to the range from 0 to 1.

    Args:
        images: 0 to 255.

    Returns:
        float32, 0 to 1, one row per image.

    Example:
        >>> white = np.full((2, 28, 28, 1), 255, np.uint8)
        >>> as_vectors(white).shape, as_vectors(white).max()
        ((2, 784), np.float32(1.0))
    """
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)


def on_device(dataset: Dataset) -> Arrays:
    """Bring a whole data set to JAX's device, the images as vectors.

    Example:
        >>> from mnist_code import data
        >>> digits = data.load("digits")
        Data: digits, 1,440 images for training, 357 for testing
        >>> train_images, train_labels, test_images, test_labels = data.on_device(digits)
        >>> train_images.shape, test_labels.shape
        ((1440, 784), (357,))
    """
    return Arrays(
        jnp.asarray(as_vectors(dataset.train_images)),
        jnp.asarray(dataset.train_labels),
        jnp.asarray(as_vectors(dataset.test_images)),
        jnp.asarray(dataset.test_labels),
    )
