"""The settings: defaults of the book, ranges, and their place on the command line."""

from __future__ import annotations

import dataclasses
import math

import pytest

from mnist_code.config import Config


def test_defaults_are_those_of_the_book():
    """A default that drifts from the text."""
    assert dataclasses.asdict(Config()) == {
        "dataset": "auto",
        "epochs": 25,
        "batch_size": 32,
        "learning_rate": 1.0,
        "seed": 0,
        "optimizer": "sgd",
        "schedule": "decay",
        "initialization": "normal",
        "label_smoothing": 0.0,
        "distortion": 0.0,
        "normalization": "none",
        "members": 1,
        "temperature": 0.0,
        "evaluate": "epoch",
        "decay_rate": 0.95,
        "decay_steps": 5,
        "layer_sizes": (784, 512, 10),
    }


def test_it_cannot_be_changed():
    """A setting altered behind the back of who shares it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().epochs = 3


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "dataset": ["", "MNIST", "fashion"],
        "epochs": [0, -1],
        "batch_size": [0, -32],
        "learning_rate": [0.0, -1.0, math.nan, math.inf, -math.inf, 1e39],
        "decay_rate": [0.0, -0.5, math.nan, math.inf],
        "decay_steps": [0.0, -5.0, math.nan],
        "seed": [-1, 2**32],
        "optimizer": ["", "SGD", "lbfgs"],
        "schedule": ["cosine"],
        "initialization": ["zeros"],
        "evaluate": ["never"],
        "label_smoothing": [-0.1, 1.0, math.nan],
        "distortion": [-0.1, 3.0, math.nan, math.inf],
        "normalization": ["", "both"],  # both: only for a committee
        "members": [0, -5],
        "temperature": [-1.0, math.nan, math.inf],
        "layer_sizes": [
            (),
            (784,),
            (784, 0, 10),
            (10, 784),
            (784, 512, 11),
            (3072, 10),
        ],
    }.items(),
)
def test_a_value_out_of_range_is_named(name, values):
    """A setting that is accepted and breaks later, or a message that hides which."""
    for value in values:
        with pytest.raises(ValueError, match=name):
            Config(**{name: value})


@pytest.mark.parametrize(
    "settings",
    [{"seed": 2**32 - 1}, {"epochs": 1, "batch_size": 1}, {"learning_rate": 1e-30},
     {"layer_sizes": (784, 10)}, {"decay_rate": 1.0, "decay_steps": 0.5}],
)  # fmt: skip
def test_the_ends_of_the_ranges_are_inside(settings):
    """A comparison off by one."""
    for name, value in settings.items():
        assert getattr(Config(**settings), name) == value
