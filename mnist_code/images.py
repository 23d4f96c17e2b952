"""Turn any picture of a digit into an image like MNIST's: 28 × 28, white on black, centered.

MNIST's images were made by fitting a digit into a box of 20 × 20 pixels, keeping its proportions,
and placing that box so that the ink's center of mass lies in the middle of 28 × 28 (LeCun, Bottou,
Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998, section III.A).
A network trained on such images reads others poorly.
"""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path

import numpy as np
import scipy  # loads `ndimage` only when it is first used
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps

from mnist_code.config import SIDE
from mnist_code.errors import ImageError, reason

BOX = 20  # pixels along the box that the digit fits into
WORKING_SIDE = 256  # larger pictures are reduced to this before anything is measured
WHITE = 85  # percent of a digit's ink that may be less than white
CROP = "Crop the picture to the digit and some paper around it"
MAX_PIXELS = 100_000_000  # a small file can hold a picture that fills the memory
SURE = 0.8  # the probability below which an answer deserves a second look
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

    row, column = scipy.ndimage.center_of_mass(small)
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


def _check_edges(gray: Float[np.ndarray, "height width"]) -> None:
    """Refuse a picture with a thumb, a bar, or something else that is solid at its edge.

    Lines are thinner, shadows larger or softer.

    Raises:
        ImageError: something solid touches the edge.
    """
    if min(gray.shape) < 64:  # too coarse to tell them apart
        return
    side = max(gray.shape)
    smooth = scipy.ndimage.gaussian_filter(gray, side / 250) + 0.01
    paper = np.median(smooth)
    for relative in (smooth / paper, paper / smooth):  # darker things, lighter things
        thick = np.ones((side // 40, side // 40))
        solid = scipy.ndimage.binary_opening(relative < 0.75, thick)
        regions, count = scipy.ndimage.label(relative < 0.9)
        every = np.arange(1, count + 1)
        core = scipy.ndimage.sum(solid, regions, every)
        area = scipy.ndimage.sum(regions > 0, regions, every)
        at_edge = np.where(solid, regions, 0)  # where a line ends, nothing is solid
        at_edge[1:-1, 1:-1] = 0
        sharp = area < 1.5 * core
        size = (core > 0.01 * gray.size) & (core < 0.2 * gray.size)
        if (sharp & size & np.isin(every, at_edge)).any():
            raise ImageError(f"something solid touches its edge. {CROP}")


def _find_ink(
    gray: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width"]:
    """How much ink each pixel shows: 0 on the paper, whose brightness is estimated locally."""
    side = max(gray.shape)
    # Smooth away noise; this does nothing to a tiny picture.
    gray = scipy.ndimage.gaussian_filter(gray, side / 300)
    # Around any point, most is paper, so the median tells whether ink is darker or lighter. On a
    # scale of ratios, and raised to a power, ink counts more than a shadow.
    step = max(1, side // 40)
    coarse = np.log(gray[::step, ::step] + 0.05)
    difference = coarse - scipy.ndimage.median_filter(coarse, max(3, side // step // 2))
    light = (difference**5).sum() > 0
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    low, paper_like, high = np.percentile(border, [5, 50, 95])
    even = high - low < 0.25  # then the border alone shows what is paper
    if even:
        light = gray.max() - paper_like > paper_like - gray.min()
    # A wide closing removes every dark stroke and keeps the paper, however sharp its shadows are.
    # Padding lets whatever reaches the edge continue beyond it, so it passes for paper, too.
    width = max(3, side // (2 if even else 3))
    padded = np.pad(-gray if light else gray, width, mode="edge")
    paper = scipy.ndimage.grey_closing(padded, size=(width, width))
    paper = paper[width:-width, width:-width]
    ink = gray + paper if light else (paper - gray) / np.maximum(paper, 0.1)
    # At least a fifth of any picture is paper. Where it is noisy, closing overestimates it, so bare
    # paper seems to show a little ink. Subtract that.
    bare, noise = np.percentile(ink, [10, 20])
    ink = np.maximum(ink - bare, 0)
    return np.where(ink > min(12 * (noise - bare), 0.4 * ink.max()), ink, 0.0)


def _remove_lines(
    ink: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width"]:
    """Remove thin lines that run from the left edge to the right one; keep strokes across them."""
    height, width = ink.shape
    if min(height, width) < 64:  # too coarse to tell a line from a stroke
        return ink
    along = scipy.ndimage.uniform_filter1d(ink, width // 6, axis=1, mode="nearest")
    thin = along - scipy.ndimage.grey_opening(along, size=(height // 16, 1))
    thin = scipy.ndimage.maximum_filter1d(thin, 3, axis=0)  # a line may lean a little
    thin = scipy.ndimage.grey_opening(thin, size=(1, width // 5))
    # Where a stroke hides the line
    thin = scipy.ndimage.grey_closing(thin, size=(1, width // 2))
    faint = 0.06 * ink.max()
    regions, count = scipy.ndimage.label(thin > faint, np.ones((3, 3)))
    ends = [
        scipy.ndimage.maximum(part.max(axis=1), regions[:, at], np.arange(1, count + 1))
        for part, at in ((ink[:, :3], 0), (ink[:, -3:], -1))
    ]
    lines = 1 + np.flatnonzero(np.min(ends, axis=0) > faint)
    if lines.size == 0:
        return ink
    mask = np.isin(regions, lines)
    thickness = int(np.ceil(mask.sum() / lines.size / width)) + 1
    # Longer runs are strokes
    across = scipy.ndimage.grey_opening(ink, size=(thickness, 1))
    return np.where(mask, across, ink)


def _choose_digit(
    ink: Float[np.ndarray, "height width"],
) -> tuple[Float[np.ndarray, "height width"], list[str]]:
    """Keep the shape with the most ink and the pieces near it; list reasons to doubt the choice."""
    top = ink.max()
    if top < MIN_CONTRAST:
        raise ImageError(
            "it is almost of one color. Use a pen that stands out from the paper, or more light"
        )
    ink = np.where(ink > 0.15 * top, ink, 0.0)
    regions, count = scipy.ndimage.label(ink > 0, structure=np.ones((3, 3)))
    every = np.arange(1, count + 1)
    mass = scipy.ndimage.sum(ink, regions, every)
    # A shadow is nowhere as dark as strokes are.
    mass[scipy.ndimage.maximum(ink, regions, every) < 0.5 * top] = 0
    heavy = mass > 0.05 * mass.max()
    edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    values = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    at_edge = np.isin(every, edge[values > 0.5 * top])
    if (at_edge & (mass > 0.25 * mass.max())).any():
        raise ImageError(f"something large touches its edge. {CROP}")
    if heavy.sum() > 12:
        raise ImageError(f"it shows {heavy.sum()} shapes. {CROP}")
    heavy &= ~at_edge
    boxes = np.array(
        [
            [(p.start, p.stop) for p in box]
            for box in scipy.ndimage.find_objects(regions)
        ]
    )
    chosen = every == mass.argmax() + 1
    while True:  # add what is close to the shapes chosen so far
        start, stop = boxes[chosen, :, 0].min(axis=0), boxes[chosen, :, 1].max(axis=0)
        gaps = np.maximum(boxes[:, :, 0] - stop, start - boxes[:, :, 1]).max(axis=1)
        more = heavy & (gaps <= 0.2 * (stop - start).max())
        if (more == chosen).all():
            break
        chosen = more
    height, width = stop - start
    inside = ink[start[0] : stop[0], start[1] : stop[1]] > 0
    if width > 2.5 * height or (inside.mean() > 0.9 and width > 0.5 * height > 16):
        raise ImageError(f"it shows a solid bar or area instead of strokes. {CROP}")
    tall = (np.ptp(boxes[heavy, 0], axis=1) > 0.5 * height).sum()
    hints = []
    if tall > 1:
        hints.append(f"the picture shows {tall} shapes of similar size, not one digit")
    if (at_edge & (mass > 0)).any():
        hints.append("something touches the edge of the picture")
    ink = np.where(np.isin(regions, every[chosen]), ink, 0.0)
    # MNIST's strokes are white inside and soft at the edge.
    return np.minimum(ink / np.percentile(ink[ink > 0], WHITE), 1.0), hints


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
    """Read one picture of a digit, and turn it into an image like MNIST's.

    The picture may have any size and any format that Pillow opens (PNG, JPEG, ...). The digit may
    be dark on light or light on dark, in color, on ruled paper, or partly in the shadow.

    Args:
        source: the path of a file, or its content.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        The image, 0 to 255, light on black.

    Raises:
        ImageError: the file is missing, empty or not an image, or it does not show one digit.
    """
    return read_with_hints(source, max_pixels)[0]


def read_with_hints(
    source: str | os.PathLike[str] | bytes, max_pixels: int = MAX_PIXELS
) -> tuple[UInt8[np.ndarray, "28 28 1"], list[str]]:
    """Read a picture like `read_image`, and list what makes any answer about it doubtful.

    Args:
        source: the path of a file, or its content.
        max_pixels: larger pictures are refused before they are decoded.

    Returns:
        The image, 0 to 255, light on black; and for `doubts`, one clause for each sign that
        something may be wrong.

    Raises:
        ImageError: as for `read_image`.
    """
    path = "the image" if isinstance(source, bytes) else os.fspath(source)
    picture = _open(source, path, max_pixels)
    try:
        gray = _trim_frame(np.asarray(picture, np.float64) / 255)
        _check_edges(gray)
        ink = _find_ink(gray)
        ink, hints = _choose_digit(_remove_lines(_remove_lines(ink).T).T)
        return fit_box(ink)[..., None], hints
    except ImageError as error:
        raise ImageError(f"Cannot find a digit in {path}: {error}.") from None


def _open(
    source: str | os.PathLike[str] | bytes, path: str, max_pixels: int
) -> Image.Image:
    """The picture in gray, upright, at most `WORKING_SIDE` pixels wide and high."""
    content = b""
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        if not content:
            raise ImageError(f"{path} is empty. Give a PNG or JPEG of one digit.")
        # Pillow's warnings about odd metadata or a huge picture do not help the reader.
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(content)) as file,
        ):
            if file.width * file.height > max_pixels:
                raise ImageError(
                    f"{path} is too large: {file.width:,} × {file.height:,} pixels. {CROP}."
                )
            picture: Image.Image = ImageOps.exif_transpose(file)
            if picture.mode.startswith(("I", "F")):  # 16-bit or floating-point gray
                values = np.asarray(picture, np.float64)
                values = 255 * values / max(values.max(), 1)
                picture = Image.fromarray(values.astype(np.uint8))
            picture = picture.convert("RGBA")
        picture.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
        return _without_transparency(picture)
    except ImageError:
        raise
    except Exception as error:  # a corrupt file makes Pillow raise nearly anything
        if isinstance(error, OSError) and error.strerror:
            why = reason(error)
        elif content[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1"):
            why = "it is a HEIC picture; convert it, or set your phone to save JPEG"
        elif b"<svg" in content[:1000]:
            why = "it is an SVG drawing; export it as PNG"
        else:
            why = "it is not an image, is corrupt, or is too large"
        raise ImageError(
            f"Cannot read {path}: {why}. Give a PNG or JPEG of one digit."
        ) from None


def as_text(image: UInt8[np.ndarray, "28 28 1"]) -> str:
    r"""What the network sees, as 28 lines of up to 56 characters, denser where it is lighter.

    Example:
        >>> image = np.zeros((28, 28, 1), np.uint8)
        >>> image[0, :3, 0] = 0, 128, 255
        >>> as_text(image).split("\n")[0]
        '  ++@@'
    """
    shades = np.array(list(" .:-=+*#%@"))[np.int32(image[..., 0]) * 10 // 256]
    return "\n".join("".join(row).rstrip() for row in np.repeat(shades, 2, axis=1))


def doubts(hints: list[str], probability: float) -> str:
    """One sentence that says why an answer may be wrong, or nothing if there is no sign of it.

    Args:
        hints: from `read_with_hints`.
        probability: that the network gives to its answer.

    Example:
        >>> doubts([], 0.99)
        ''
        >>> doubts(["something touches the edge of the picture"], 0.5)
        'Not sure: something touches the edge of the picture; the network hesitates.'
    """
    reasons = [*hints, "the network hesitates"] if probability < SURE else hints
    return f"Not sure: {'; '.join(reasons)}." if reasons else ""
