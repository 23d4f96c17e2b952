"""Checks for the exercises of chapter 2."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_code.exercises.praise import praise


def check_accuracy(accuracy: Callable) -> None:
    """Check an `accuracy(predicted, labels)` of the reader's (chapter 2).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> check_accuracy(lambda predicted, labels: float((predicted == labels).mean()))
        Right: check_accuracy found nothing wrong.
    """
    labels = np.array([3, 1, 4, 1, 5])
    cases = [
        (labels, 1.0, "every prediction is right"),
        ((labels + 1) % 10, 0.0, "every prediction is wrong"),
        (np.array([3, 1, 4, 0, 0]), 0.6, "three of five are right"),
    ]
    for predicted, expected, case in cases:
        result = accuracy(predicted, labels)
        assert result is not None, "It returns None: is there a `return`?"
        assert isinstance(result, float), (
            f"It should return a Python float, and returns {type(result).__name__}: use float(...)."
        )
        assert 0 <= result <= 1, (
            f"It should return a part from 0 to 1, and returns {result}."
        )
        assert abs(result - expected) < 1e-6, (
            f"Where {case}, it should return {expected}, and returns {result}."
        )
    praise("check_accuracy")
