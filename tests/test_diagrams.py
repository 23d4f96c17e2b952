"""Drawings: each is a figure on which every word can be read."""

from __future__ import annotations

import inspect
import itertools

import matplotlib.pyplot as plt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mnist_code.book import diagrams

# Whatever the module defines and says to be a Figure, also what is added later.
DRAWINGS = [
    function
    for _, function in inspect.getmembers(diagrams, inspect.isfunction)
    if function.__module__ == diagrams.__name__
    and function.__annotations__.get("return") in ("Figure", Figure)
]


def test_there_are_drawings():
    """A signature written otherwise would let the tests below pass on nothing."""
    assert "network" in [drawing.__name__ for drawing in DRAWINGS]


@pytest.fixture(params=DRAWINGS, ids=lambda drawing: drawing.__name__)
def figure(request):
    """One drawing after the other; a style or a figure must not stay behind."""
    before = dict(plt.rcParams)
    figure = request.param()
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == []
    return figure


def boxes(figure):
    """Where each word ends up, in pixels, by what it says."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for axes in figure.axes
        for text in axes.texts
        if text.get_text()
    ]


def test_is_a_figure_with_words(figure):
    """A function that draws and forgets to return, or a drawing that names nothing."""
    assert isinstance(figure, Figure)
    assert len(boxes(figure)) >= 3


def test_no_two_words_overlap(figure):
    """A word that another font, or an edit, pushes into its neighbor."""
    for (one, its_box), (other, other_box) in itertools.combinations(boxes(figure), 2):
        assert not its_box.overlaps(other_box), (one, other)


def test_every_word_stays_inside(figure):
    """A word that is cut off at the edge."""
    for word, box in boxes(figure):
        for x, y in box.corners():
            assert figure.bbox.contains(x, y), word
            assert figure.axes[0].bbox.contains(x, y), word


def test_the_network_counts_its_parameters():
    """Shapes or counts in the drawing that are not those of the program."""
    import jax

    from mnist_code.model import init_network_params

    words = "\n".join(text.get_text() for text in diagrams.network().axes[0].texts)
    for weights, biases in init_network_params(jax.random.key(0)):
        assert f"weights {weights.shape}\nbiases {biases.shape}" in words
        assert f"{weights.size + biases.size:,} parameters" in words
