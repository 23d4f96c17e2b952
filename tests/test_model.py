"""The network: against NumPy, one image against many, keys, and shapes."""

from __future__ import annotations

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import numpy_predict
from jaxtyping import TypeCheckError

from mnist_code.model import INIT_SCALE, batched_predict, init_network_params, predict

SIZES = [(784, 10), (784, 512, 10), (784, 64, 32, 10)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("scale", [0.01, 0.3])
def test_logits_are_those_of_numpy(sizes, scale):
    """A transposed weight, a missing bias, another activation, one after the last layer."""
    params = init_network_params(jax.random.key(1), sizes, scale)
    images = jax.random.uniform(jax.random.key(2), (7, 784))
    expected = numpy_predict(params, images)
    np.testing.assert_allclose(
        batched_predict(params, images), expected, rtol=2e-4, atol=1e-5
    )


@pytest.mark.parametrize("count", [1, 2, 32, 33])
def test_a_batch_is_its_images_one_by_one(count):
    """A batch whose images mix."""
    params = init_network_params(jax.random.key(0))
    images = jax.random.uniform(jax.random.key(count), (count, 784))
    stacked = jnp.stack([predict(params, image) for image in images])
    np.testing.assert_allclose(batched_predict(params, images), stacked, atol=1e-6)


def test_there_are_407_050_parameters_in_float32():
    """Another architecture than the book's, or float64 by accident."""
    params = init_network_params(jax.random.key(0))
    assert [(w.shape, b.shape) for w, b in params] == [
        ((512, 784), (512,)),
        ((10, 512), (10,)),
    ]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 407_050
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("scale", [INIT_SCALE, 1.0])
def test_first_parameters_are_normal(scale):
    """A uniform draw, a scale used twice or not on the biases, a mean that is not zero."""
    for leaf in jax.tree.leaves(
        init_network_params(jax.random.key(3), (784, 5000, 10), scale)
    ):
        if leaf.size > 1000:
            normal = np.asarray(leaf).ravel() / scale
            assert abs(normal.mean()) < 5 / np.sqrt(leaf.size)
            assert normal.std() == pytest.approx(1, abs=0.05)
            assert (abs(normal) < 1).mean() == pytest.approx(0.6827, abs=0.04)


def test_no_two_layers_share_their_randomness():
    """One key used twice: equal biases, or weights that begin alike."""
    (w0, b0), (w1, b1) = init_network_params(jax.random.key(0), (784, 784, 784))
    leaves = [w0.ravel()[:784], b0, w1.ravel()[:784], b1]
    for i, one in enumerate(leaves):
        for other in leaves[:i]:
            assert abs(np.corrcoef(one, other)[0, 1]) < 0.2


def test_the_key_decides_the_parameters():
    """A hidden source of randomness, or a key that is ignored."""
    digest = [
        hashlib.sha256(
            b"".join(
                np.asarray(x).tobytes()
                for x in jax.tree.leaves(init_network_params(key))
            )
        ).hexdigest()
        for key in (jax.random.key(0), jax.random.key(0), jax.random.key(1))
    ]
    assert digest[0] == digest[1] != digest[2]


@pytest.mark.parametrize("shape", [(28, 28), (1, 784)])
def test_a_batch_or_a_square_image_is_no_image(shape):
    """Shapes that broadcast silently to a wrong answer."""
    with pytest.raises(TypeCheckError):
        predict(init_network_params(jax.random.key(0)), jnp.zeros(shape))


def test_an_image_of_another_size_is_refused():
    """An image cut or padded to fit."""
    with pytest.raises(TypeError, match="785"):
        predict(init_network_params(jax.random.key(0)), jnp.zeros(785))


def test_integers_are_no_image():
    """Pixels from 0 to 255 that were never scaled."""
    with pytest.raises(TypeCheckError):
        predict(init_network_params(jax.random.key(0)), jnp.zeros(784, jnp.uint8))
