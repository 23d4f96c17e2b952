"""Figures: they show the numbers they were given, and leave nothing behind."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mnist_code.book import plots
from mnist_code.training import EpochResult


@pytest.fixture(autouse=True)
def nothing_behind():
    """Figures that pile up in pyplot, or a style that leaks into a reader's own figures."""
    before = dict(plt.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == before


def drawn(figure):
    """Its pixels. The canvas of a figure that pyplot has closed draws nothing."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba()).astype(int)
    assert pixels.std() > 0, "the picture is blank"
    return pixels


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 3), (16, 8)])
def test_a_grid_shows_each_image_under_its_label(dataset, count, columns):
    """Images and labels out of step; a last row that is ragged."""
    images, labels = dataset.test_images[:count], dataset.test_labels[:count]
    figure = plots.sample_grid(images, labels, columns=columns)
    assert isinstance(figure, Figure)
    cells = figure.axes[:count]
    assert [cell.get_title() for cell in cells] == [str(label) for label in labels]
    for cell, image in zip(cells, images, strict=True):
        np.testing.assert_array_equal(cell.images[0].get_array(), image[..., 0])
    drawn(figure)


def test_a_grid_marks_what_is_taken_for_another():
    """Right predictions marked, or wrong ones not."""
    images, labels = np.zeros((2, 28, 28, 1), np.uint8), np.array([4, 7])
    figure = plots.sample_grid(images, labels, predicted=np.array([4, 1]), columns=2)
    right, wrong = (cell.get_title() for cell in figure.axes)
    assert right == "4"
    assert "7" in wrong
    assert "1" in wrong


def test_curves_show_loss_and_accuracies():
    """A curve of other numbers, parts taken for percents, axes without a name."""
    history = [
        EpochResult(i, 2.0 / (i + 1), 0.5 + i / 10, 0.4 + i / 10, 1.0, 1.0, None)
        for i in range(4)
    ]
    figure = plots.curves(history)
    left, right = figure.axes
    np.testing.assert_allclose(
        left.lines[0].get_xydata(), [(i, 2 / (i + 1)) for i in range(4)]
    )
    for line, first, label in zip(
        right.lines, (50, 40), ("training", "test"), strict=True
    ):
        np.testing.assert_allclose(line.get_ydata(), [first + 10 * i for i in range(4)])
        assert line.get_label() == label
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in figure.axes)
    drawn(figure)


def test_confusion_prints_rows_as_digits():
    """Rows and columns exchanged, or a right answer that drowns the errors."""
    counts = np.diag(np.full(10, 990))
    counts[4, 9] = 12
    figure = plots.confusion(counts)
    (axes,) = figure.axes
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[(9, 4)] == "12"
    assert texts[(4, 9)] != "12"
    assert texts[(3, 3)] == "990"
    assert axes.get_ylabel() == "digit"
    shown = axes.images[0].get_array()
    assert shown[4, 9] == shown.max() == 12
    assert not np.diag(shown).any()
    drawn(figure)


def test_a_perfect_confusion_can_be_drawn():
    """A color scale from nothing to nothing, which would shade cells that hold no error."""
    figure = plots.confusion(np.eye(10, dtype=int))
    drawn(figure)
    (image,) = figure.axes[0].images
    assert image.get_clim() == (0, 1)
    assert not image.get_array().any()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert (texts.count("1"), texts.count("·")) == (10, 90)


def test_pixel_values_are_those_of_the_part():
    """Rows and columns exchanged, or numbers in the color of their own pixel."""
    image = np.arange(784).astype(np.uint8).reshape(28, 28, 1)
    (axes,) = plots.pixel_values(image, slice(3, 5), slice(10, 13)).axes
    np.testing.assert_array_equal(axes.images[0].get_array(), image[3:5, 10:13, 0])
    for text in axes.texts:
        column, row = text.get_position()
        value = image[3 + row, 10 + column, 0]
        assert text.get_text() == str(value)
        assert text.get_color() == ("black" if value > 127 else "white")


def test_an_epoch_without_accuracy_leaves_a_gap():
    """An epoch that was not evaluated, drawn as 0 % right."""
    history = [EpochResult(i, 1.0, None, None, 1.0, 1.0, None) for i in range(2)]
    for line in plots.curves(history).axes[1].lines:
        assert np.isnan(line.get_ydata()).all()


def test_what_is_drawn_reaches_the_canvas(dataset):
    """A figure whose axes hold the right numbers and whose picture is blank."""
    images, labels = dataset.test_images[:8], dataset.test_labels[:8]
    blank = plots.sample_grid(np.zeros_like(images), labels)
    figure = plots.sample_grid(images, labels)
    assert (drawn(figure) != drawn(blank)).mean() > 0.02
