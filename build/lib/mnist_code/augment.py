"""Random distortions of one image: another writing of the same digit. `vmap` makes it a batch.

A distortion is a field: for each pixel, how far away (rows, columns) to fetch its value.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float, Key

SIDE = 28
# At strength 1, the largest ...
ROTATION = 0.2  # ... turn, radians
STRETCH = 0.15  # ... growth or shrinkage, of each axis by itself
SHIFT = 1.5  # ... move, pixels
BEND = 1.2  # and the standard deviation of an elastic move, pixels
KNOTS = 7  # random numbers along each axis, from which an elastic field is made
SMOOTHNESS = 4.5  # pixels over which it forgets its direction


def _smoothing() -> Float[np.ndarray, "side knots"]:
    """Gaussian bumps around the knots; with these weights a sum of noise keeps variance 1."""
    knots = np.linspace(0, SIDE - 1, KNOTS)
    distance = np.arange(SIDE)[:, None] - knots
    bumps = np.exp(-0.5 * (distance / SMOOTHNESS) ** 2)
    return (bumps / np.linalg.norm(bumps, axis=1, keepdims=True)).astype(np.float32)


_SMOOTHING = _smoothing()
_ROWS, _COLUMNS = np.indices((SIDE, SIDE), np.float32)
_FROM_CENTER = np.stack([_ROWS, _COLUMNS]) - (SIDE - 1) / 2


def affine_field(
    key: Key[Array, ""], strength: float | Float[Array, ""] = 1.0
) -> Float[Array, "2 28 28"]:
    """Turn, stretch and shift about the center, by amounts drawn evenly from their ranges.

    Args:
        key: decides the amounts.
        strength: 0 for none, 1 for the ranges that the constants of this module give.

    Returns:
        For each pixel, rows and columns (in pixels) to where its value comes from.

    Example:
        >>> affine_field(jax.random.key(0)).shape
        (2, 28, 28)
    """
    amounts = strength * jax.random.uniform(key, (6,), minval=-1.0, maxval=1.0)
    turn = ROTATION * amounts[0]
    grow = STRETCH * amounts[1:3]
    slant = ROTATION * amounts[3]
    matrix = jnp.array([[grow[0], turn], [slant - turn, grow[1]]])
    shift = SHIFT * amounts[4:]
    return jnp.tensordot(matrix, _FROM_CENTER, 1) + shift[:, None, None]


def elastic_field(
    key: Key[Array, ""], strength: float | Float[Array, ""] = 1.0
) -> Float[Array, "2 28 28"]:
    """Move each pixel its own way, neighbors nearly alike, as a trembling hand does.

    Random moves at 7 × 7 knots, blended by Gaussian weights. Simard, Steinkraus and Platt, "Best
    practices for convolutional neural networks applied to visual document analysis" (2003), blur a
    random move of every pixel, with the same effect for 16 times as many random numbers.

    Args:
        key: decides the moves.
        strength: 0 for none; 1 for a standard deviation of `BEND` pixels.

    Returns:
        As `affine_field`.

    Example:
        >>> elastic_field(jax.random.key(0)).shape
        (2, 28, 28)
    """
    # Drawn in one row: under vmap a draw of three axes takes seconds longer to compile.
    noise = jax.random.uniform(key, (2 * KNOTS**2,), minval=-1.0, maxval=1.0)
    moves = 3**0.5 * noise.reshape(2, KNOTS, KNOTS)  # variance 1
    return strength * BEND * (_SMOOTHING @ moves @ _SMOOTHING.T)


def warp(
    image: Float[Array, "28 28"], field: Float[Array, "2 28 28"]
) -> Float[Array, "28 28"]:
    """Fetch each pixel from where `field` points, between four pixels in proportion; black outside.

    Example:
        >>> image = jnp.zeros((28, 28)).at[5, 5].set(1.0)
        >>> field = jnp.zeros((2, 28, 28)).at[0].set(2.0)  # from two rows below
        >>> float(warp(image, field)[3, 5])
        1.0
    """
    places = _FROM_CENTER + (SIDE - 1) / 2 + field
    return map_coordinates(image, list(places), order=1, mode="constant")


def affine(
    key: Key[Array, ""],
    image: Float[Array, "28 28"],
    strength: float | Float[Array, ""] = 1.0,
) -> Float[Array, "28 28"]:
    """Turn, stretch and shift one image at random."""
    return warp(image, affine_field(key, strength))


def elastic(
    key: Key[Array, ""],
    image: Float[Array, "28 28"],
    strength: float | Float[Array, ""] = 1.0,
) -> Float[Array, "28 28"]:
    """Bend one image at random."""
    return warp(image, elastic_field(key, strength))


def distort(
    key: Key[Array, ""],
    image: Float[Array, "28 28"],
    strength: float | Float[Array, ""] = 1.0,
) -> Float[Array, "28 28"]:
    """Turn, stretch, shift and bend one image at random, fetching each pixel once.

    Args:
        key: decides the distortion; the same key gives the same picture.
        image: any float32; black is 0.
        strength: 0 gives the image back, 1 is what the recipe `accurate` is built around.

    Example:
        >>> keys = jax.random.split(jax.random.key(0), 5)
        >>> jax.vmap(distort)(keys, jnp.zeros((5, 28, 28))).shape
        (5, 28, 28)
    """
    affine_key, elastic_key = jax.random.split(key)
    field = affine_field(affine_key, strength) + elastic_field(elastic_key, strength)
    return warp(image, field)
