"""The network: parameters, and a pure function of them."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from jaxtyping import Array, Float, Key

from mnist_code.config import LAYER_SIZES

# One (weights, biases) pair per layer. Weights are [out, in], so a layer is `weights @ x + biases`.
Params = list[tuple[Float[Array, "_out _in"], Float[Array, " _out"]]]

INIT_SCALE = 0.01


def init_network_params(
    key: Key[Array, ""], sizes: Sequence[int] = LAYER_SIZES, scale: float = INIT_SCALE
) -> Params:
    """Draw initial parameters from a normal distribution.

    Args:
        key: a random key, `jax.random.key(seed)`; the same key gives the same parameters.
        sizes: units in each layer, input first.
        scale: standard deviation of weights and biases.

    Returns:
        A list of (weights, biases), one pair per layer, float32 of shapes (out, in) and (out,).

    Example:
        >>> params = init_network_params(jax.random.key(0))
        >>> [(w.shape, b.shape) for w, b in params]
        [((512, 784), (512,)), ((10, 512), (10,))]
        >>> sum(leaf.size for leaf in jax.tree.leaves(params))
        407050
    """

    def init_layer(key, fan_in, fan_out):
        weight_key, bias_key = jax.random.split(key)
        return (
            scale * jax.random.normal(weight_key, (fan_out, fan_in)),
            scale * jax.random.normal(bias_key, (fan_out,)),
        )

    keys = jax.random.split(key, len(sizes) - 1)
    return [
        init_layer(*layer) for layer in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]


def predict(params: Params, image: Float[Array, " pixels"]) -> Float[Array, " classes"]:
    """Apply the network to one image.

    Swish follows every layer but the last.

    Args:
        params: from `init_network_params`, untrained or trained.
        image: one flattened image, float32 from 0 to 1.

    Returns:
        Logits: one unnormalized score per class; the most likely class has the largest.
        `jax.nn.softmax` turns them into probabilities.

    Raises:
        TypeError: the number of pixels is not the number of inputs of the first layer.

    Source:
        Swish: Ramachandran, Zoph and Le, "Searching for activation functions" (2017).

    Example:
        >>> import jax.numpy as jnp
        >>> params = init_network_params(jax.random.key(0))
        >>> predict(params, jnp.zeros(784)).shape
        (10,)
    """
    *hidden, (weights, biases) = params
    x = image
    for w, b in hidden:
        x = jax.nn.swish(w @ x + b)
    return weights @ x + biases


batched_predict = jax.vmap(predict, in_axes=(None, 0))
batched_predict.__doc__ = """Apply the network to a batch of images: `predict`, vmapped.

Args:
    params: as for `predict`.
    images: (batch, 784), float32 from 0 to 1.

Returns:
    Logits, (batch, 10).

Example:
    >>> import jax.numpy as jnp
    >>> params = init_network_params(jax.random.key(0))
    >>> batched_predict(params, jnp.zeros((32, 784))).shape
    (32, 10)
"""


def probabilities(
    params: Params, images: Float[Array, "batch pixels"]
) -> Float[Array, "batch 10"]:
    """The probability the network gives each class: the softmax of the logits. Rows sum to 1.

    Args:
        params: as for `predict`.
        images: float32 from 0 to 1.

    Example:
        >>> import jax.numpy as jnp
        >>> params = [(jnp.zeros((10, 784)), jnp.zeros(10))]  # knows nothing
        >>> probabilities(params, jnp.zeros((1, 784)))[0, 7].item()
        0.10000000149011612
    """
    return jax.nn.softmax(batched_predict(params, images), axis=-1)
