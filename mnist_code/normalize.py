"""Moment normalization: put every digit into standard form, upright, centered, and of one size.

How far to move, shear, and scale an image follows from its moments: the mean position of its ink,
and how its rows and columns vary around it. Nothing here is random or learned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mnist_code.augment import FROM_CENTER, PLACES, warp
from mnist_code.config import NUM_PIXELS, SIDE
from mnist_code.evaluation import CHUNK

HEIGHT = 5.0  # standard deviation of the ink's rows in standard form, pixels
WIDTH = 4.2  # the same for its columns
# Bounds on the scales, in source pixels per pixel of the result, so that a 1 doesn't become a block
LIMITS = 0.4, 1.6
# With normalization "both", the members of a committee alternate between these.
MEMBER_KINDS = "none", "moments"


def normalize(image: Float[Array, "28 28"]) -> Float[Array, "28 28"]:
    """Move, shear, and scale one image until its moments are those of the standard form.

    Args:
        image: float32; black is 0.

    Returns:
        The image, float32, with its ink's center of mass in the middle, rows and columns
        uncorrelated, and standard deviations of `HEIGHT` and `WIDTH`, as far as `LIMITS` allow for
        the scales. The shear has no limit.

    Source:
        Casey, "Moment normalization of handprinted characters" (1970). His images have the same
        standard deviation along both axes; ours are taller than they are wide, as digits are.

    Example:
        >>> corner = jnp.zeros((28, 28)).at[2:12, 3:6].set(1.0)
        >>> middle = normalize(corner)
        >>> [round(float(middle.sum(axis) @ jnp.arange(28.0) / middle.sum()), 1) for axis in (0, 1)]
        [13.5, 13.5]
    """
    ink = image.sum()
    share = image / jnp.where(ink > 0, ink, 1)  # an image without ink stays black
    center = jnp.sum(PLACES * share[None], axis=(1, 2))
    rows, columns = PLACES - center[:, None, None]
    down = jnp.maximum(jnp.sum(rows**2 * share), 0.1)
    slant = jnp.sum(rows * columns * share) / down
    across = jnp.maximum(jnp.sum((columns - slant * rows) ** 2 * share), 0.1)
    height = jnp.clip(jnp.sqrt(down) / HEIGHT, *LIMITS)
    width = jnp.clip(jnp.sqrt(across) / WIDTH, *LIMITS)
    rows = height * FROM_CENTER[0]
    columns = width * FROM_CENTER[1] + slant * rows
    return warp(image, center[:, None, None] + jnp.stack([rows, columns]) - PLACES)


def normalize_batch(images: Float[Array, "n 784"]) -> Float[Array, "n 784"]:
    """Put each image of a batch into standard form: `normalize`, vmapped, for flattened images.

    Args:
        images: float32; black is 0.

    Example:
        >>> normalize_batch(jnp.zeros((32, 784))).shape
        (32, 784)
    """
    pictures = images.reshape(-1, SIDE, SIDE)
    return jax.vmap(normalize)(pictures).reshape(images.shape)


def _both(images: Float[Array, "n 784"]) -> Float[Array, "n 1568"]:
    return jnp.concatenate([VIEWS[kind](images) for kind in MEMBER_KINDS], axis=1)


# What a network sees of a batch of images, by the name of `Config.normalization`
VIEWS: dict[str, Callable[[Float[Array, "n 784"]], Float[Array, "n inputs"]]] = {
    "none": lambda images: images,
    "moments": normalize_batch,
    "both": _both,
}
INPUTS = {"none": NUM_PIXELS, "moments": NUM_PIXELS, "both": 2 * NUM_PIXELS}


def network_inputs(
    images: Float[Array, "n 784"], normalization: str
) -> Float[Array, "n inputs"]:
    """What a network sees of a whole data set: `VIEWS`, in bounded memory.

    Args:
        images: float32 from 0 to 1, any number of them.
        normalization: a name in `VIEWS`.

    Returns:
        float32, with 784 inputs per image, or 1,568 if it is shown both ways.

    Example:
        >>> network_inputs(jnp.zeros((2, 784)), "both").shape
        (2, 1568)
    """
    return images if normalization == "none" else _in_chunks(images, normalization)


@partial(jax.jit, static_argnums=1)
def _in_chunks(images, normalization):
    def view(image):
        return VIEWS[normalization](image[None])[0]

    return jax.lax.map(view, images, batch_size=CHUNK)
