"""Training on many devices, of one machine or of several: the same update, each on its share.

A mesh names the devices; every batch is cut along it, every parameter copied to all of them. XLA
adds what has to be sent: the sum of the gradients.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int, Key, UInt32

from mnist_code.config import Config
from mnist_code.data import Dataset
from mnist_code.evaluation import predicted_labels
from mnist_code.model import Params
from mnist_code.recipes import State, recipe_update, shuffled
from mnist_code.training import NUM_CLASSES, OneDevice, update

AXIS = "batch"  # the only axis of our meshes


def make_mesh(count: int | None = None) -> Mesh:
    """A row of devices, with one axis that is called "batch".

    Args:
        count: how many of JAX's devices; without it, all of them, those of other processes too.

    Example:
        >>> dict(make_mesh(1).shape)
        {'batch': 1}
    """
    devices = jax.devices()[:count]
    return jax.make_mesh((len(devices),), (AXIS,), (AxisType.Auto,), devices=devices)


def padded_batches(
    order: Int[np.ndarray, " n"], batch_size: int, devices: int
) -> tuple[Int[np.ndarray, "batches padded"], Float[np.ndarray, " padded"]]:
    """Cut an order of images into batches that divide among the devices.

    Args:
        order: the images' numbers. The last `n % batch_size` sit this epoch out.
        batch_size: images in one update.
        devices: among which each batch is divided.

    Returns:
        The numbers, each batch padded with zeros, and a weight for each place: 0 for padding, and
        for the others what makes a mean over all places one over the real ones.

    Example:
        >>> rows, weights = padded_batches(np.arange(7), batch_size=3, devices=2)
        >>> rows.tolist()
        [[0, 1, 2, 0], [3, 4, 5, 0]]
        >>> [round(float(weight), 2) for weight in weights]
        [1.33, 1.33, 1.33, 0.0]
    """
    count = len(order) // batch_size
    padding = -batch_size % devices
    padded = batch_size + padding
    rows = order[: count * batch_size].reshape(count, batch_size)
    weights = np.full(batch_size, padded / batch_size, np.float32)
    return np.pad(rows, ((0, 0), (0, padding))), np.pad(weights, (0, padding))


class ManyDevices(OneDevice):
    """Where a run computes: on the devices of a mesh, to be passed to `training.epochs`.

    Each epoch, each process reads only those rows of the images that its own devices compute with.
    """

    def __init__(self, dataset: Dataset, config: Config, mesh: Mesh):
        self.config = config
        self.mesh = mesh
        self.images = dataset.train_images.reshape(-1, 784)
        self.labels = dataset.train_labels
        self.copied = NamedSharding(mesh, P())  # all of it on every device
        self.cut = NamedSharding(mesh, P(AXIS))  # the first axis among the devices
        self.cut_batches = NamedSharding(mesh, P(None, AXIS))  # the second
        self.sizes = len(dataset.train_labels), len(dataset.test_labels)
        self.train = self._cut_once(self.images, self.labels)
        self.test = self._cut_once(
            dataset.test_images.reshape(-1, 784), dataset.test_labels
        )
        self.compiled = jax.jit(
            partial(sharded_epoch, config=config),
            out_shardings=self.copied,
            donate_argnums=0,
        )
        # Here each device is told what to do, and the sum of what they found is asked for by name.
        self.count_right = jax.jit(
            jax.shard_map(
                _count_right, mesh=mesh, in_specs=(P(), P(AXIS), P(AXIS)), out_specs=P()
            )
        )

    def place(self, state: State) -> State:
        """A copy of the state on every device."""
        return jax.device_put(state, self.copied)

    def epoch(
        self, state: State, key: Key[Array, ""], number: int
    ) -> tuple[State, Float[Array, ""]]:
        """Train for one epoch, with the batches that one device would have."""
        if self.config.is_classic:
            order = jax.random.permutation(key, len(self.labels))
            distort_key = key  # of no use
        else:
            order_key, distort_key = jax.random.split(key)
            order = shuffled(order_key, len(self.labels))
        rows, weights = padded_batches(
            np.asarray(order), self.config.batch_size, self.mesh.size
        )
        return self.compiled(
            jax.tree.map(jnp.copy, state),  # given away; the caller may still hold it
            _read(self.cut_batches, (*rows.shape, 784), lambda at: _vectors(self.images[rows[at]])),
            _read(self.cut_batches, rows.shape, lambda at: self.labels[rows[at]]),
            _read(self.cut, weights.shape, lambda at: weights[at]),
            # NumPy arrays are the same in all processes, and go to all devices.
            np.asarray(jax.random.key_data(distort_key)),
            np.asarray(self.rate(number), jnp.result_type(float)),
        )  # fmt: skip

    def train_accuracy(self, params: Params) -> float:
        """Of the training images: each device counts on its own part."""
        return int(self.count_right(params, *self.train)) / self.sizes[0]

    def test_accuracy(self, params: Params) -> float:
        """Of the test images: each device counts on its own part."""
        return int(self.count_right(params, *self.test)) / self.sizes[1]

    def _cut_once(self, images, labels):
        """Images and labels in equal parts; the label -1 of padding is never right."""
        size = len(labels) + -len(labels) % self.mesh.size
        padded = np.pad(np.arange(len(labels)), (0, size - len(labels)))
        real = np.arange(size) < len(labels)
        return (
            _read(self.cut, (size, 784), lambda at: _vectors(images[padded[at]])),
            _read(self.cut, (size,), lambda at: np.where(real[at], labels[padded[at]], -1)),
        )  # fmt: skip


def _vectors(images):
    """As `data.as_vectors`, for images that are flat already."""
    return images.astype(np.float32) / 255


def _read(sharding, shape, read):
    """An array of which each process reads only the parts of its own devices."""

    def part(index):
        return read(index[: len(sharding.spec)])

    return jax.make_array_from_callback(shape, sharding, part)


def sharded_epoch(
    state: State,
    images: Float[Array, "batches batch 784"],
    labels: Int[Array, "batches batch"],
    weights: Float[Array, " batch"],
    key_data: UInt32[Array, " words"],
    learning_rate: Float[Array, ""],
    config: Config,
) -> tuple[State, Float[Array, ""]]:
    """Visit batches one after the other: the function that is compiled for the whole mesh.

    Nothing in it knows of devices. The classic program goes through `training.update`, other
    recipes through `recipes.recipe_update`.

    Args:
        state: what the last epoch left.
        images: float32 from 0 to 1; the axis "batch" is the one that is cut.
        labels: 0 to 9.
        weights: 0 for padding, as `padded_batches` has it.
        key_data: the numbers of a key, for the distortions.
        learning_rate: step size of the classic program.
        config: the recipe.

    Returns:
        The new state, and the mean loss (nats) of the batches as they were met.
    """
    count = len(images)

    def step(state, batch):
        images, labels, key = batch
        if config.is_classic:
            # A target of zeros costs nothing and has no gradient: padding is no lesson.
            targets = one_hot(labels, NUM_CLASSES) * weights[:, None]
            params, loss = update(state.params, images, targets, learning_rate)
            return State(params), loss
        return recipe_update(state, images, labels, key, config, count, weights)

    keys = jax.random.split(jax.random.wrap_key_data(key_data), count)
    state, losses = jax.lax.scan(step, state, (images, labels, keys))
    return state, jnp.mean(losses)


def _count_right(params, images, labels):
    return jax.lax.psum(jnp.sum(predicted_labels(params, images) == labels), AXIS)
