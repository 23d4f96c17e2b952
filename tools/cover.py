"""Draw the cover: a digit in pixels, threads to a hidden layer, ten answers of which one lights up.

`python tools/cover.py` writes `_static/cover.svg`, from a digit of those embedded in scikit-learn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_code import data

OUT = Path(__file__).resolve().parent.parent / "_static" / "cover.svg"
WIDTH, HEIGHT = 960, 380
CREAM, COPPER, SLATE = "#f4f1ea", "#f0a065", "#4f7795"
DIGIT = 7
PIXEL, TOP = 12, 22  # of the digit
HIDDEN, OUTPUT = 560, 800  # x of each layer


def cover() -> str:
    """The picture, as SVG."""
    dataset = data.load("digits")
    image = dataset.test_images[np.argmax(dataset.test_labels == DIGIT)][..., 0] / 255
    generator = np.random.default_rng(DIGIT)
    shapes = []

    lit = np.argwhere(image > 0.1)
    units = [(HIDDEN, 20 + i * (HEIGHT - 40) / 15) for i in range(16)]
    outputs = [(OUTPUT, 28 + i * (HEIGHT - 56) / 9) for i in range(10)]
    active = set(generator.choice(16, size=6, replace=False).tolist())
    for i, (x, y) in enumerate(units):
        for row, column in generator.choice(lit, size=5, replace=False):
            start = (40 + (column + 0.5) * PIXEL, TOP + (row + 0.5) * PIXEL)
            shapes.append(thread(start, (x, y), SLATE, 0.55 if i in active else 0.28))
        for j, end in enumerate(outputs):
            if i in active and j == DIGIT:
                shapes.append(thread((x, y), end, COPPER, 0.95))
            elif (i + j) % 3 == 0:
                shapes.append(thread((x, y), end, SLATE, 0.4))
    for row, column in np.argwhere(image >= 0):
        x, y, value = 40 + column * PIXEL, TOP + row * PIXEL, image[row, column]
        color, opacity = (CREAM, value) if value > 0.1 else (SLATE, 0.14)
        shapes.append(
            f'<rect x="{x}" y="{y}" width="10" height="10" rx="1.5" fill="{color}" '
            f'opacity="{opacity:.2f}"/>'
        )
    for i, (x, y) in enumerate(units):
        color = COPPER if i in active else SLATE
        shapes.append(f'<circle cx="{x}" cy="{y:.1f}" r="7" fill="{color}"/>')
    for j, (x, y) in enumerate(outputs):
        answer = j == DIGIT
        color = COPPER if answer else SLATE
        length = 96 if answer else generator.integers(2, 7)
        shapes.append(f'<circle cx="{x}" cy="{y:.1f}" r="9" fill="{color}"/>')
        shapes.append(
            f'<text x="{x + 20}" y="{y + 7:.1f}" fill="{CREAM}" font-size="20" '
            f'font-family="Source Sans 3, system-ui, sans-serif" '
            f'font-weight="{700 if answer else 400}">{j}</text>'
        )
        shapes.append(
            f'<rect x="{x + 42}" y="{y - 6:.1f}" width="{length}" height="12" rx="2" '
            f'fill="{color}"/>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">\n'
        + "\n".join(shapes)
        + "\n</svg>\n"
    )


def thread(start: tuple, end: tuple, color: str, opacity: float) -> str:
    """A curve from one place to another that leaves and arrives level."""
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2
    curve = f"M{x0:.0f} {y0:.0f}C{middle:.0f} {y0:.0f} {middle:.0f} {y1:.0f} {x1:.0f} {y1:.0f}"
    return (
        f'<path d="{curve}" fill="none" stroke="{color}" stroke-width="1.4" '
        f'opacity="{opacity}"/>'
    )


if __name__ == "__main__":
    OUT.write_text(cover(), encoding="utf-8")
