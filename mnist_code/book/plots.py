"""Figures, all in one style. Each function returns a matplotlib `Figure`.

The style is the file `book.mplstyle` beside this module: `plt.style.use("mnist_code.book.book")`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Int, Real, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH = 7.2  # inches: the width of the book's text column
in_book_style = plt.style.context("mnist_code.book.book")


@in_book_style
def new_figure(
    rows: int = 1, columns: int = 1, height: float = 3.4, **options
) -> tuple[Figure, np.ndarray]:
    """A figure in the book's style, at the width of its text, and its axes as a 2-D array.

    Pyplot forgets the figure, so figures don't pile up, and a notebook shows each of them once.

    Args:
        rows: axes above each other.
        columns: axes side by side.
        height: inches.
        options: passed on to `plt.subplots`.

    Example:
        >>> figure, axes = new_figure(1, 2)
        >>> axes.shape
        (1, 2)
    """
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height), squeeze=False, **options
    )
    plt.close(figure)
    return figure, axes


def show_image(axes: Axes, image: Real[np.ndarray, "28 28 1"], title: str = "") -> None:
    """Draw one image, black to white, without axes."""
    axes.imshow(np.asarray(image)[..., 0], cmap="gray", interpolation="nearest")
    axes.set_title(title)
    axes.axis("off")


@in_book_style
def pixel_values(
    image: UInt8[np.ndarray, "28 28 1"], rows: slice, columns: slice
) -> Figure:
    """Enlarge a part of an image, and write the value of each pixel on it.

    Args:
        image: uint8, 0 to 255.
        rows: which rows to show.
        columns: which columns to show.

    Example:
        >>> image = np.zeros((28, 28, 1), np.uint8)
        >>> len(pixel_values(image, slice(0, 2), slice(0, 3)).axes[0].texts)
        6
    """
    part = image[rows, columns, 0]
    figure, axes = new_figure(height=5.4)
    axis = axes[0, 0]
    axis.imshow(part, vmin=0, vmax=255)
    axis.axis("off")
    for (row, column), value in np.ndenumerate(part):
        color = "black" if value > 127 else "white"
        axis.text(column, row, str(value), ha="center", va="center", color=color)
    return figure


@in_book_style
def sample_grid(
    images: Real[np.ndarray, "n 28 28 1"],
    labels: Int[np.ndarray, " n"],
    predicted: Int[np.ndarray, " n"] | None = None,
    columns: int = 8,
) -> Figure:
    """A grid of images with their labels as titles. Wrong predictions are shown as well.

    Args:
        images: of any range; each is shown from its darkest to its lightest value.
        labels: 0 to 9.
        predicted: what a classifier answered, to show where it is wrong.
        columns: images in a row.

    Example:
        >>> figure = sample_grid(np.zeros((4, 28, 28, 1), np.uint8), np.arange(4), columns=2)
        >>> [axes.get_title() for axes in figure.axes]
        ['0', '1', '2', '3']
    """
    rows = -(-len(labels) // columns)
    figure, axes = new_figure(rows, columns, height=rows * WIDTH / columns * 1.25)
    for cell in axes.flat:
        cell.axis("off")
    for index, (cell, image) in enumerate(zip(axes.flat, images, strict=False)):
        title = str(labels[index])
        if predicted is not None and predicted[index] != labels[index]:
            title = f"{labels[index]} read as {predicted[index]}"
        show_image(cell, image, title)
    return figure


@in_book_style
def curves(history: Sequence[Any]) -> Figure:
    """Loss and accuracy over the epochs of a training run.

    Args:
        history: the results of all epochs, the second value that `mnist_code.training.fit` returns.
    """
    epochs = [result.epoch for result in history]
    figure, axes = new_figure(1, 2)
    left, right = axes[0]
    left.plot(epochs, [result.train_loss for result in history])
    left.set(title="Training loss", xlabel="epoch", ylabel="nats per image")
    left.set_ylim(bottom=0)
    # An epoch that was not counted becomes NaN, a gap in the line.
    accuracies = {
        "training": [result.train_accuracy for result in history],
        "test": [result.test_accuracy for result in history],
    }
    for label, parts in accuracies.items():
        right.plot(epochs, 100 * np.array(parts, float), label=label)
    right.set(title="Accuracy", xlabel="epoch", ylabel="% right")
    right.legend()
    for axis in (left, right):
        axis.xaxis.get_major_locator().set_params(integer=True)
    return figure


@in_book_style
def confusion(counts: Int[np.ndarray, "10 10"]) -> Figure:
    """A confusion matrix: a row for each digit, a column for what it was taken for.

    The right answers on the diagonal are printed but not shaded, so that the errors show.

    Args:
        counts: what `mnist_code.evaluation.confusion_matrix` returned.

    Example:
        >>> figure = confusion(np.eye(10, dtype=int) * 100)
        >>> figure.axes[0].get_xlabel()
        'taken for'
    """
    counts = np.asarray(counts)
    errors = counts * (1 - np.eye(10, dtype=counts.dtype))
    figure, axes = new_figure(height=5.4)
    axis = axes[0, 0]
    axis.grid(False)
    axis.imshow(errors, cmap="Oranges", vmin=0, vmax=max(errors.max(), 1))
    for (row, column), count in np.ndenumerate(counts):
        strong = errors[row, column] > 0.6 * max(errors.max(), 1)
        weight = "bold" if row == column else "normal"
        axis.text(
            column, row, f"{count:,}" if count else "·", ha="center", va="center",
            fontsize=9, fontweight=weight, color="white" if strong else "black",
        )  # fmt: skip
    axis.set(xticks=range(10), yticks=range(10), xlabel="taken for", ylabel="digit")
    return figure
