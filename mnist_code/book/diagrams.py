"""The book's diagrams: drawings of boxes, circles and arrows that show ideas instead of data.

Each function takes no data and returns a `Figure` in the style of `mnist_code.book.plots`.
"""

from __future__ import annotations

import itertools
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from mnist_code.book.plots import in_book_style, new_figure

INK = "#333333"
FILL = "#DCEBF5"  # a light blue on which INK is easy to read
YELLOW = "#FBE7B2"  # equally light, for emphasis


def box(
    axes: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    text: str,
    fill: str = FILL,
    **text_options: Any,
) -> None:
    """A rounded box around its text; (x, y) is its middle, in the units of the axes."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle="round,pad=0,rounding_size=0.12", facecolor=fill, edgecolor=INK,
        )
    )  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", color=INK, **text_options)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str = ""
) -> None:
    """An arrow from start to end, with a word above its middle."""
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": INK}
    )
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.08)
    axes.text(*middle, text, ha="center", va="bottom", color=INK, fontsize="small")


@in_book_style
def network() -> Figure:
    """The program's network: 784 pixels, 512 hidden units, 10 logits.

    Example:
        >>> "512 hidden units" in [text.get_text() for text in network().axes[0].texts]
        True
    """
    figure, axes = new_figure(height=4.2)
    axis = axes[0, 0]
    axis.set(xlim=(0, 12), ylim=(0, 7), aspect="equal")
    axis.axis("off")

    # A handwritten 7, as plain as can be.
    axis.add_patch(
        FancyBboxPatch((0.15, 2.85), 1.7, 1.7, boxstyle="square,pad=0", color="black")
    )
    axis.plot(
        [0.6, 1.4, 1.0, 0.85], [4.2, 4.15, 3.6, 3.15], color="white", linewidth=4,
        marker="", solid_capstyle="round", solid_joinstyle="round",
    )  # fmt: skip
    axis.text(1.0, 2.5, "image\n28 × 28", ha="center", va="top", color=INK)

    many = [1.45, 1.95, 2.45, 4.95, 5.45, 5.95]  # the rest hides behind the dots
    ten = [1.45 + 0.5 * digit for digit in range(10)][::-1]
    columns = [
        (3.2, many, "784 pixels"), (6.6, many, "512 hidden units"), (10.2, ten, "10 logits"),
    ]  # fmt: skip
    for (left, starts, _), (right, ends, _) in itertools.pairwise(columns):
        for start, end in itertools.product(starts, ends):
            axis.plot(
                [left, right],
                [start, end],
                color="#999999",
                linewidth=0.4,
                marker="",
                zorder=1,
            )
    for x, heights, name in columns:
        for y in heights:
            axis.add_patch(
                Circle((x, y), 0.19, facecolor=FILL, edgecolor=INK, zorder=2)
            )
        axis.text(x, 6.4, name, ha="center", va="bottom", color=INK)
    for x in (3.2, 6.6):
        for y in (3.35, 3.7, 4.05):
            axis.add_patch(Circle((x, y), 0.05, color=INK, zorder=2))
    for digit, y in enumerate(ten):
        axis.text(10.6, y, str(digit), ha="left", va="center", color=INK)
    arrow(axis, (1.95, 3.7), (2.85, 3.7))
    axis.text(6.6, 1.1, "Swish", ha="center", va="top", color=INK)
    for x, shapes in [
        (4.9, "weights (512, 784)\nbiases (512,)\n401,920 parameters"),
        (8.4, "weights (10, 512)\nbiases (10,)\n5,130 parameters"),
    ]:
        axis.text(x, 0.95, shapes, ha="center", va="top", color=INK, fontsize="small")
    return figure


@in_book_style
def project() -> Figure:
    """The parts of a JAX project, and the chapter that explains each.

    What a library can take over is blue; what JAX itself does is yellow and bold.

    Example:
        >>> {text.get_weight() for text in project().axes[0].texts if text.get_text()[:4] == "grad"}
        {'bold'}
    """
    figure, axes = new_figure(height=7.4)
    axis = axes[0, 0]
    axis.set(xlim=(-0.9, 12.9), ylim=(0, 12.2), aspect="equal")
    axis.axis("off")
    axis.add_patch(
        FancyBboxPatch(
            (-0.8, 2.5), 13.6, 7.0, boxstyle="round,pad=0,rounding_size=0.2",
            facecolor="none", edgecolor=INK, linestyle="--",
        )
    )  # fmt: skip
    left, middle, right = 2.0, 6.0, 10.0
    first, second, third, fourth, last = 11.2, 8.3, 6.0, 3.7, 1.0
    for x, y, text in [
        (left, first, "data\nchapters 2, 3"),
        (middle, first, "loader\nchapter 3"),
        (right, first, "batch\nchapter 3"),
        (left, second, "parameters\nchapter 4"),
        (middle, second, "pure function\nchapters 5, 10"),
        (right, third, "loss\nchapters 7, 8"),
        (left, third, "update\nchapter 7"),
        (left, last, "trained model\nchapter 11"),
        (middle, last, "deployment\nchapter 15"),
    ]:
        box(axis, x, y, 3.0, 1.5, text, fontsize=12.5)
    for x, y, text in [
        (right, second, "vmap\nchapter 6"),
        (middle, third, "grad\nchapter 7"),
        (middle, fourth, "jit\nchapter 9"),
        (right, fourth, "many devices\nchapter 14"),
    ]:
        box(axis, x, y, 3.0, 1.5, text, YELLOW, fontsize=12.5, weight="bold")
    for start, end in [
        ((left + 1.5, first), (middle - 1.5, first)),
        ((middle + 1.5, first), (right - 1.5, first)),
        ((right, first - 0.75), (right, second + 0.75)),
        ((left + 1.5, second), (middle - 1.5, second)),
        ((middle + 1.5, second), (right - 1.5, second)),
        ((right, second - 0.75), (right, third + 0.75)),
        ((right - 1.5, third), (middle + 1.5, third)),
        ((middle - 1.5, third), (left + 1.5, third)),
        ((left, third + 0.75), (left, second - 0.75)),
        ((left + 1.5, last), (middle - 1.5, last)),
    ]:
        arrow(axis, start, end)
    # Two arrows go around a box: labels to the loss, and parameters out of the frame.
    for start, side, end in [
        ((right + 1.5, first), 12.3, (right + 1.5, third)),
        ((left - 1.5, second), -0.3, (left - 1.5, last)),
    ]:
        axis.plot(
            [start[0], side, side, (side + end[0]) / 2],
            [start[1], start[1], end[1], end[1]],
            color=INK, linewidth=1, marker="",
        )  # fmt: skip
        arrow(axis, (side, end[1]), end)
    for x, y, text in [(right - 0.15, 9.85, "images"), (12.15, 9.85, "labels")]:
        axis.text(x, y, text, ha="right", va="center", color=INK, fontsize="small")
    axis.text(
        -0.15, 2.05, "after the last epoch", va="center", color=INK, fontsize="small"
    )
    return figure


@in_book_style
def mesh(devices: int = 8) -> Figure:
    """A mesh of devices: each holds its share of the batch and a copy of all parameters.

    Args:
        devices: how many; must divide 32.

    Example:
        >>> [text.get_text() for text in mesh(2).axes[0].texts].count("device 1")
        1
    """
    figure, axes = new_figure(height=3.6)
    axis = axes[0, 0]
    axis.set(xlim=(0, 16), ylim=(0, 8), aspect="equal")
    axis.axis("off")
    width = 16 / devices
    share = 32 // devices
    box(
        axis,
        8,
        7.3,
        15.4,
        1.0,
        "a batch of 32 images, cut along the axis \u201cbatch\u201d",
    )
    for device in range(devices):
        middle = width * (device + 0.5)
        arrow(axis, (middle, 6.8), (middle, 6.1))
        axis.add_patch(
            FancyBboxPatch(
                (middle - width / 2 + 0.1, 2.0), width - 0.2, 4.1,
                boxstyle="round,pad=0,rounding_size=0.12", facecolor="none", edgecolor=INK,
            )
        )  # fmt: skip
        first = device * share
        rows = f"images\n{first} to {first + share - 1}"
        box(axis, middle, 5.2, width - 0.5, 1.4, rows, fontsize="small")
        box(axis, middle, 3.7, width - 0.5, 1.2, "all\nparameters", YELLOW, fontsize=8)  # fmt: skip
        axis.text(
            middle, 2.45, f"device {device}", ha="center", va="center", color=INK,
            fontsize="small",
        )  # fmt: skip
        arrow(axis, (middle, 2.0), (middle, 1.35))
    box(axis, 8, 0.8, 15.4, 1.0, "the gradients, summed over all devices", YELLOW)
    return figure


@in_book_style
def paths() -> Figure:
    """The ways from trained parameters to the places where they run.

    Example:
        >>> "browser" in [text.get_text() for text in paths().axes[0].texts]
        True
    """
    figure, axes = new_figure(height=4.6)
    axis = axes[0, 0]
    axis.set(xlim=(0, 16), ylim=(0, 10), aspect="equal")
    axis.axis("off")
    box(axis, 2.0, 5.0, 3.2, 2.0, "parameters\nand predict")
    ways = [
        (8.8, "StableHLO", "jax.export", "JAX, without our code"),
        (6.9, "SavedModel", "jax2tf", "TensorFlow, its server"),
        (5.0, "LiteRT", "converter", "phone, small device"),
        (3.1, "script, 8 bits", "quantize", "browser"),
        (1.2, "container", "Dockerfile", "cloud, over HTTP"),
    ]
    for y, form, tool, where in ways:
        axis.annotate(
            "", xy=(6.3, y), xytext=(3.6, 5.0 + (y - 5.0) / 5),
            arrowprops={"arrowstyle": "-|>", "color": INK},
        )  # fmt: skip
        box(axis, 8.0, y, 3.4, 1.5, f"{form}\n({tool})", YELLOW, fontsize=11)
        arrow(axis, (9.7, y), (11.2, y))
        box(axis, 13.5, y, 4.6, 1.3, where, fontsize=12)
    return figure
