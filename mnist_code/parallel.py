"""Many devices at once: a mesh names them, and each computes its share of every batch.

The program stays the same. A sharding says how an array is divided among the devices, and XLA adds
whatever has to be communicated: here, the sum of the gradients.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from mnist_code import evaluation
from mnist_code.model import Params, batched_predict

AXIS = "batch"  # the only axis of our meshes


def make_mesh(count: int | None = None) -> Mesh:
    """Line up devices along one axis, named "batch".

    Args:
        count: how many of JAX's devices to use; by default all of them, those of other processes
            included.

    Example:
        >>> dict(make_mesh(1).shape)
        {'batch': 1}
    """
    devices = jax.devices()[:count]
    return jax.make_mesh((len(devices),), (AXIS,), (AxisType.Auto,), devices=devices)


def replicate(tree, mesh: Mesh | None):
    """Put a copy of every array on every device of the mesh; without one, on the first device.

    Example:
        >>> replicate(jnp.zeros(3), make_mesh(1)).sharding.is_fully_replicated
        True
    """
    if mesh is None:
        return jax.tree.map(jnp.asarray, tree)
    everywhere = NamedSharding(mesh, P())

    def put(leaf):
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(leaf)))
        # From NumPy, because an array of this process cannot move to devices of another.
        return jax.device_put(np.asarray(leaf), everywhere)

    return jax.tree.map(put, tree)


def divide(tree, mesh: Mesh | None):
    """Inside a compiled function: divide the first axis of every array among the devices.

    The sizes need not be multiples of the number of devices. Without a mesh nothing happens.

    Example:
        >>> divided = jax.jit(partial(divide, mesh=make_mesh(1)))
        >>> divided(jnp.zeros((4, 784))).addressable_shards[0].data.shape
        (4, 784)
    """
    if mesh is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, P(AXIS)))


def accuracy(
    params: Params,
    images: Float[Array, "n pixels"],
    labels: Int[Array, " n"],
    mesh: Mesh | None = None,
) -> float:
    """The share of images classified correctly: `evaluation.accuracy`, on the devices of a mesh.

    Args:
        params: the network's parameters, a copy on every device.
        images: float32 from 0 to 1, a copy on every device.
        labels: 0 to 9, a copy on every device.
        mesh: the devices to divide the images among. Each takes its whole share at once, so hidden
            units need n / devices × units × 4 bytes on each.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
        >>> accuracy(params, jnp.zeros((4, 784)), jnp.array([3, 1, 4, 3]), make_mesh(1))
        0.5
    """
    if mesh is None:
        return evaluation.accuracy(params, images, labels)
    return int(_count_correct(params, images, labels, mesh)) / len(labels)


@partial(jax.jit, static_argnames="mesh")
def _count_correct(params, images, labels, mesh):
    images, labels = divide((images, labels), mesh)
    predicted = jnp.argmax(batched_predict(params, images), axis=-1)
    return jnp.sum(predicted == labels)
