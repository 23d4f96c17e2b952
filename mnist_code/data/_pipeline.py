"""The `tf.data` pipeline that chapter 3 builds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from mnist_code.data._load import data_dir
from mnist_code.data._prepare import import_tfds


def pipeline(
    name: str, split: str, batch_size: int = 32, seed: int | None = None
) -> Iterable[tuple[Float[np.ndarray, "batch 28 28 1"], np.ndarray]]:
    """Batch, scale and prefetch with `tf.data`, and deliver NumPy arrays.

    With a seed, every pass over the result shuffles the examples anew. The last batch is smaller if
    the batch size does not divide the number of examples.

    Args:
        name: what `prepare` returned.
        split: "train", "test", or a part such as "train[:90%]".
        batch_size: examples per batch.
        seed: determines the shuffles; without it, examples come in the data set's own order.

    Returns:
        An iterable of (images, labels): float32 (batch, 28, 28, 1) from 0 to 1; int64 (batch,).

    Example:
        >>> from mnist_code.data import prepare
        >>> name = prepare("digits")
        Data: digits, 1,440 images for training, 357 for testing
        >>> images, labels = next(iter(pipeline(name, "train", batch_size=4)))
        >>> images.shape, labels.shape, float(images.max())
        ((4, 28, 28, 1), (4,), 1.0)
    """
    tfds = import_tfds()
    import tensorflow as tf

    # TensorFlow Datasets itself keeps small data sets in memory after the first pass.
    examples = tfds.load(
        name, split=split, data_dir=data_dir(), download=False, as_supervised=True
    )
    if seed is not None:
        examples = examples.shuffle(len(examples), seed=seed)

    def scale(images, labels):
        return tf.cast(images, tf.float32) / 255, labels

    return tfds.as_numpy(examples.batch(batch_size).map(scale).prefetch(1))
