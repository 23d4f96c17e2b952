"""Pictures from outside that are hard to read: each takes ink and a random generator.

Ink is an image of the data set, 28 × 28, light on black; what comes back is a gray picture, 0 to 1.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

WIDTH, HEIGHT = 800, 700
GREEN, RED = 0.25, 0.6  # how light they look in gray


def on_page(image, side=300, corner=None, rng=None, size=(WIDTH, HEIGHT)):
    """The ink of an image on a larger page, 0 to 1, somewhere near the middle."""
    if corner is None:
        corner = ((np.array(size) - side) // 2 + rng.integers(-60, 61, 2)).tolist()
    page = Image.new("L", size, 0)
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    page.paste(large, tuple(corner))
    return np.asarray(page) / 255


def _write(paper, ink, darkness=0.8):
    return paper * (1 - darkness * ink)


def _lines(rng, spacing, thickness, slope=0.0):
    """1 on evenly spaced lines across the page, 0 between them, with soft edges."""
    rows = np.arange(HEIGHT)[:, None] + slope * np.arange(WIDTH)[None]
    distance = np.abs((rows + rng.uniform(0, spacing)) % spacing - spacing / 2)
    return np.clip(thickness / 2 + 0.5 - distance, 0, 1)


def plain(image, rng):
    """Dark ink on white paper."""
    return _write(0.97, on_page(image, rng=rng))


def ruled(image, rng):
    """A notebook's page with gray lines, held nearly straight."""
    lines = _lines(rng, 80, 3, slope=rng.uniform(-0.01, 0.01))
    return _write(0.95 * (1 - 0.35 * lines), on_page(image, rng=rng))


def ruled_darkly(image, rng):
    """Lines as dark as the ink."""
    return _write(0.95, np.maximum(on_page(image, rng=rng), _lines(rng, 100, 4)))


def squared(image, rng):
    """Squared paper, faintly printed."""
    rows = _lines(rng, 50, 2)
    columns = np.resize(_lines(rng, 50, 2)[:, :1].T, (1, WIDTH))
    lines = np.maximum(rows, columns)
    return _write(0.95 * (1 - 0.3 * lines), on_page(image, rng=rng))


def margin(image, rng):
    """A red line from top to bottom, beside the digit or just through its edge."""
    column = np.arange(WIDTH)[None] - rng.integers(130, 260)
    line = np.clip(2.5 - np.abs(column), 0, 1)
    return _write(
        0.95 - (0.95 - RED) * line + np.zeros((HEIGHT, 1)), on_page(image, rng=rng)
    )


def hard_shadow(image, rng):
    """The shadow of a straight edge, across the digit."""
    x, y = np.meshgrid(np.arange(WIDTH) - WIDTH / 2, np.arange(HEIGHT) - HEIGHT / 2)
    angle = rng.uniform(0, 2 * np.pi)
    across = x * np.cos(angle) + y * np.sin(angle) + rng.uniform(-120, 120)
    light = 0.5 + 0.5 / (1 + np.exp(-np.clip(across, -50, 50)))
    return _write(0.95 * light, on_page(image, rng=rng))


def blackboard(image, rng):
    """Chalk: broken strokes on a noisy, unevenly wiped board."""
    small = rng.normal(0, 0.03, (8, 8)).clip(-0.06, 0.06) + GREEN
    board = np.asarray(
        Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    )
    chalk = on_page(image, rng=rng) * (rng.random((HEIGHT, WIDTH)) > 0.25)
    return board + (0.85 - board) * chalk + rng.normal(0, 0.06, board.shape)


def dark_and_noisy(image, rng):
    """A photograph without enough light."""
    values = _write(0.4, on_page(image, rng=rng), 0.6)
    return values + rng.normal(0, 0.05, values.shape)


def hairline(image, rng):
    """A very thin pen: only the ridges of the strokes."""
    ink = on_page(image, rng=rng) > 0.5
    depth = ndimage.distance_transform_edt(ink)
    ridge = ink & (depth > ndimage.maximum_filter(depth, 3) - 0.5)
    return _write(0.97, ndimage.gaussian_filter(ridge.astype(float), 0.7))


def thumb(image, rng):
    """A gray thumb in one corner."""
    mask = Image.new("L", (WIDTH, HEIGHT), 0)
    x, y = rng.choice([0, WIDTH]), rng.choice([0, HEIGHT])
    a, b = rng.integers(110, 190, 2)
    ImageDraw.Draw(mask).ellipse((x - a, y - b, x + a, y + b), fill=255)
    soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(4))) / 255
    page = _write(0.95, on_page(image, rng=rng))
    return page * (1 - soft) + 0.5 * soft


def bar(image, rng):
    """A screenshot: a dark bar on top, with a few light signs in it."""
    page = _write(0.97, on_page(image, rng=rng))
    height = rng.integers(30, 70)
    page[:height] = 0.15
    for left in rng.integers(0, WIDTH - 20, 5):
        page[height // 3 : 2 * height // 3, left : left + 15] = 0.9
    return page


def on_a_table(image, rng):
    """White paper on a dark table."""
    page = np.full((HEIGHT, WIDTH), 0.2)
    top, left = rng.integers(40, 110, 2)
    page[top : HEIGHT - 60, left : WIDTH - 70] = 0.95
    return _write(page, on_page(image, rng=rng))


def cut_off(image, rng):
    """The lower third of the digit lies outside of the picture."""
    page = _write(0.97, on_page(image, rng=rng, corner=(250, 200)))
    rows = np.nonzero(page.min(axis=1) < 0.5)[0]
    return page[: rows.min() + 2 * (np.ptp(rows) + 1) // 3]


READ = [
    plain,
    ruled,
    ruled_darkly,
    squared,
    margin,
    hard_shadow,
    blackboard,
    dark_and_noisy,
    hairline,
]
REFUSE = [thumb, bar, on_a_table, cut_off]
