"""Bring any picture of a digit to the form of MNIST's: 28 × 28, light ink on black, centered.

MNIST's images were made by fitting a digit into a box of 20 × 20 pixels, keeping its proportions,
and placing that box so that the ink's center of mass lies in the middle of 28 × 28 (LeCun, Bottou,
Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, section III.A).
A network trained on such images reads only such images.
"""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from scipy import ndimage

from mnist_code.config import SIDE
from mnist_code.errors import ImageError, reason

BOX = 20  # pixels along the box that the digit fits into
WORKING_SIDE = 256  # larger pictures are reduced to this before anything is measured
MAX_PIXELS = 100_000_000  # a small file can hold a picture that fills the memory
MIN_CONTRAST = 0.1  # of the range from black to white; less than this is paper, not ink


def fit_box(ink: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "28 28"]:
    """Fit the ink into MNIST's box and center it by mass.

    Args:
        ink: 0 where there is none, larger where there is more; any size, any scale.

    Returns:
        The image in MNIST's form, 0 to 255.

    Raises:
        ImageError: there is no ink.

    Example:
        >>> stroke = np.zeros((100, 80))
        >>> stroke[10:90, 30:50] = 1.0
        >>> image = fit_box(stroke)
        >>> image.shape, int(image.max()), int((image.max(axis=1) > 0).sum())
        ((28, 28), 255, 20)
    """
    rows, columns = np.nonzero(ink > 0)
    if rows.size == 0:
        raise ImageError("there is no ink in it")
    ink = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    picture = Image.fromarray((ink / ink.max()).astype(np.float32))
    small = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    small = small.clip(0)
    small = small / small.max()

    row, column = ndimage.center_of_mass(small)
    # The middle of 28 pixels lies between the two central ones, at 13.5.
    top = int(np.clip(round((SIDE - 1) / 2 - row), 0, SIDE - height))
    left = int(np.clip(round((SIDE - 1) / 2 - column), 0, SIDE - width))
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[top : top + height, left : left + width] = np.rint(small * 255)
    return image


def _trim_frame(
    gray: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "less_height less_width"]:
    """Cut away a drawn border or a scanner's dark edge: four edges unlike what is inside."""
    depth = 1 + max(gray.shape) // 20
    inside = gray[depth:-depth, depth:-depth]
    if inside.size == 0:
        return gray

    def edges(part):
        return np.median([part[0], part[-1]], axis=1), np.median(
            part[:, [0, -1]], axis=0
        )

    steps = np.abs(np.concatenate(edges(gray)) - np.concatenate(edges(inside)))
    return inside if steps.min() > 0.3 else gray


def _find_ink(
    gray: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width"]:
    """How far each pixel stands out from the paper, 0 on the paper itself."""
    at_edge = np.median(np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]]))
    if at_edge - gray.min() > gray.max() - at_edge:  # dark ink on light paper
        gray = 1.0 - gray
    # A wide opening removes every stroke and leaves the paper with its shadows.
    width = max(3, max(gray.shape) // 2)
    paper = ndimage.grey_opening(gray, size=(width, width), mode="nearest")
    ink = gray - ndimage.gaussian_filter(np.minimum(paper, gray), 1.0)
    if ink.max() < MIN_CONTRAST:
        raise ImageError("nothing stands out from the paper: it is almost of one color")
    ink = np.where(ink > 0.15 * ink.max(), ink, 0.0)
    # Keep the strokes, soft edges and all: a shadow is nowhere as dark as they are, and a speck of
    # dust, which would widen the box, is tiny beside the largest.
    regions, count = ndimage.label(ink > 0, structure=np.ones((3, 3)))
    every = np.arange(1, count + 1)
    strokes = every[ndimage.maximum(ink, regions, every) > 0.5 * ink.max()]
    mass = ndimage.sum(ink, regions, strokes)
    return np.where(np.isin(regions, strokes[mass > 0.05 * mass.max()]), ink, 0.0)


def _without_transparency(picture: Image.Image) -> Image.Image:
    """Lay a picture on paper: white, or black if it is light ink on nothing."""
    values = np.asarray(picture, np.float64)
    alpha = values[..., 3] / 255
    light = (values[..., :3].mean(axis=-1) * alpha).sum() > 127 * alpha.sum()
    color = "black" if light and alpha.mean() < 0.5 else "white"
    paper = Image.new("RGBA", picture.size, color)
    return Image.alpha_composite(paper, picture).convert("L")


def read_image(
    source: str | os.PathLike[str] | bytes, max_pixels: int = MAX_PIXELS
) -> UInt8[np.ndarray, "28 28 1"]:
    """Read one picture of a digit and bring it to MNIST's form.

    Any size that Pillow opens (PNG, JPEG, ...), dark on light or light on dark, in color, with
    transparency, with a frame, turned as the camera says.

    Args:
        source: the path of a file, or its content.
        max_pixels: larger pictures are refused before they are unpacked.

    Raises:
        ImageError: the file is missing, empty, no image, or shows nothing.
    """
    path = "the image" if isinstance(source, bytes) else os.fspath(source)
    try:
        size = len(source) if isinstance(source, bytes) else os.path.getsize(source)
        if size == 0:
            raise ImageError(f"{path} is empty. Give a PNG or JPEG of one digit.")
        # Pillow's remarks, on odd metadata and on great size, are of no use to who sees the answer.
        opened = io.BytesIO(source) if isinstance(source, bytes) else source
        with warnings.catch_warnings(action="ignore"), Image.open(opened) as file:
            if file.width * file.height > max_pixels:
                raise ImageError(
                    f"{path} is too large: {file.width:,} × {file.height:,} pixels."
                    " Make it smaller, or crop it to the digit."
                )
            picture: Image.Image = ImageOps.exif_transpose(file)
            if picture.mode.startswith(("I", "F")):  # 16-bit or floating-point gray
                values = np.asarray(picture, np.float64)
                picture = Image.fromarray(
                    (255 * values / max(values.max(), 1)).astype(np.uint8)
                )
            picture = picture.convert("RGBA")
            picture.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
            picture = _without_transparency(picture)
    except ImageError:
        raise
    except Exception as error:  # a corrupt file makes Pillow raise nearly anything
        known = isinstance(error, OSError) and error.strerror
        why = (
            reason(error)
            if known
            else "it is not an image, is corrupt, or is too large"
        )
        raise ImageError(
            f"Cannot read {path}: {why}. Give a PNG or JPEG of one digit."
        ) from None
    try:
        gray = _trim_frame(np.asarray(picture, np.float64) / 255)
        return fit_box(_find_ink(gray))[..., None]
    except ImageError as error:
        raise ImageError(f"Cannot find a digit in {path}: {error}.") from None
