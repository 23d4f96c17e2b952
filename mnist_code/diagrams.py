"""The book's drawings: diagrams that explain, made of boxes, circles and arrows, not of data.

Each function takes no data and returns a `Figure` in the style of `mnist_code.plots`.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

INK = "#333333"
FILL = "#DCEBF5"  # a light blue on which INK is easy to read


def box(
    axes: Axes,
    x: float,
    y: float,
    width: float,
    height: float,
    text: str,
    fill: str = FILL,
) -> None:
    """A rounded box around its text; (x, y) is its middle, in the units of the axes."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle="round,pad=0,rounding_size=0.12", facecolor=fill, edgecolor=INK,
        )
    )  # fmt: skip
    axes.text(x, y, text, ha="center", va="center", color=INK)


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str = ""
) -> None:
    """An arrow from start to end, with a word above its middle."""
    axes.annotate(
        "", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": INK}
    )
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.08)
    axes.text(*middle, text, ha="center", va="bottom", color=INK, fontsize="small")
