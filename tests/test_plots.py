"""Figures: they show the numbers they were given, and leave nothing behind."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from mnist_code.book import plots
from mnist_code.training import Epoch


@pytest.fixture(autouse=True)
def nothing_behind():
    """Figures that pile up in pyplot, or a style that leaks into a reader's own figures."""
    before = dict(plt.rcParams)
    yield
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == before


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
    figure.canvas.draw()


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
        Epoch(i, [], 2.0 / (i + 1), 0.5 + i / 10, 0.4 + i / 10, 1.0, 1.0)
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
    figure.canvas.draw()


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
    figure.canvas.draw()


def test_a_perfect_confusion_can_be_drawn():
    """A color scale from nothing to nothing."""
    plots.confusion(np.eye(10, dtype=int)).canvas.draw()
