"""Random distortions of one image, as if the digit had been written again. `vmap` does a batch.

A distortion is a displacement field: it says how far from each pixel, in rows and columns, to look
for the pixel's new value.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float, Key

from mnist_code.config import SIDE

# At strength 1:
ROTATION = 0.2  # largest rotation and largest shear, radians
SCALE = 0.15  # largest relative change of scale, for each axis separately
SHIFT = 1.5  # largest translation, pixels
ELASTICITY = 1.2  # standard deviation of an elastic displacement, pixels
KNOTS = 7  # random numbers along each axis, from which an elastic displacement is built
SMOOTHNESS = 4.5  # standard deviation of the Gaussian around each knot, pixels


def _smoothing() -> Float[np.ndarray, "side knots"]:
    """Gaussian weights around the knots, normalized so that weighted noise keeps variance 1."""
    knots = np.linspace(0, SIDE - 1, KNOTS)
    distance = np.arange(SIDE)[:, None] - knots
    bumps = np.exp(-0.5 * (distance / SMOOTHNESS) ** 2)
    return (bumps / np.linalg.norm(bumps, axis=1, keepdims=True)).astype(np.float32)


_SMOOTHING = _smoothing()
PLACES = np.indices((SIDE, SIDE), np.float32)  # the row and the column of each pixel
FROM_CENTER = PLACES - (SIDE - 1) / 2


def affine_displacement(
    key: Key[Array, ""], strength: float | Float[Array, ""] = 1.0
) -> Float[Array, "2 28 28"]:
    """Rotate, scale, shear and shift about the center, by amounts drawn uniformly.

    Args:
        key: determines the amounts.
        strength: 0 for none, 1 for the ranges given by the constants of this module.

    Returns:
        For each pixel, the distance in rows and columns (pixels) to where its value comes from.

    Example:
        >>> affine_displacement(jax.random.key(0)).shape
        (2, 28, 28)
    """
    amounts = strength * jax.random.uniform(key, (6,), minval=-1.0, maxval=1.0)
    rotation = ROTATION * amounts[0]
    scale = SCALE * amounts[1:3]
    shear = ROTATION * amounts[3]
    matrix = jnp.array([[scale[0], rotation], [shear - rotation, scale[1]]])
    shift = SHIFT * amounts[4:]
    return jnp.tensordot(matrix, FROM_CENTER, 1) + shift[:, None, None]


def elastic_displacement(
    key: Key[Array, ""], strength: float | Float[Array, ""] = 1.0
) -> Float[Array, "2 28 28"]:
    """Displace each pixel at random, but neighbors by similar amounts, like an unsteady hand.

    Random displacements at 7 × 7 knots are blended with Gaussian weights. The paper below blurs
    random displacements of all pixels. The effect is the same, but it takes 16 times as many random
    numbers.

    Source:
        Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied to
        visual document analysis" (2003), section 2.

    Args:
        key: determines the displacements.
        strength: 0 for none; 1 for a standard deviation of `ELASTICITY` pixels.

    Returns:
        As for `affine_displacement`.

    Example:
        >>> elastic_displacement(jax.random.key(0)).shape
        (2, 28, 28)
    """
    # One axis: under vmap, drawing three axes at once takes seconds longer to compile.
    noise = jax.random.uniform(key, (2 * KNOTS**2,), minval=-1.0, maxval=1.0)
    knots = 3**0.5 * noise.reshape(2, KNOTS, KNOTS)  # variance 1
    return strength * ELASTICITY * (_SMOOTHING @ knots @ _SMOOTHING.T)


def warp(
    image: Float[Array, "28 28"], displacement: Float[Array, "2 28 28"]
) -> Float[Array, "28 28"]:
    """Look up each pixel's new value where its displacement points; outside the image, it's black.

    Between pixels, the value is a weighted mean of the four nearest.

    Args:
        image: any float32.
        displacement: for each pixel, distance in rows and columns, pixels.

    Example:
        >>> image = jnp.zeros((28, 28)).at[5, 5].set(1.0)
        >>> displacement = jnp.zeros((2, 28, 28)).at[0].set(2.0)  # from two rows below
        >>> float(warp(image, displacement)[3, 5])
        1.0
    """
    places = PLACES + displacement
    return map_coordinates(image, list(places), order=1, mode="constant")


def distort(
    key: Key[Array, ""],
    image: Float[Array, "28 28"],
    strength: float | Float[Array, ""] = 1.0,
) -> Float[Array, "28 28"]:
    """Distort one image at random in both ways, with a single interpolation.

    Args:
        key: determines the distortion; the same key gives the same picture.
        image: any float32; black is 0.
        strength: 0 returns the image unchanged; the recipe `accurate` uses 0.5.

    Example:
        >>> keys = jax.random.split(jax.random.key(0), 5)
        >>> jax.vmap(distort)(keys, jnp.zeros((5, 28, 28))).shape
        (5, 28, 28)
    """
    affine_key, elastic_key = jax.random.split(key)
    affine = affine_displacement(affine_key, strength)
    return warp(image, affine + elastic_displacement(elastic_key, strength))


def distort_batch(
    key: Key[Array, ""],
    images: Float[Array, "batch 784"],
    strength: float | Float[Array, ""] = 1.0,
) -> Float[Array, "batch 784"]:
    """Distort every image of a batch differently: `distort`, vmapped, for flattened images.

    Args:
        key: determines all distortions.
        images: float32, flattened.
        strength: as for `distort`.

    Example:
        >>> distort_batch(jax.random.key(0), jnp.zeros((32, 784))).shape
        (32, 784)
    """
    keys = jax.random.split(key, len(images))
    pictures = images.reshape(-1, SIDE, SIDE)
    distorted = jax.vmap(distort, in_axes=(0, 0, None))(keys, pictures, strength)
    return distorted.reshape(images.shape)
