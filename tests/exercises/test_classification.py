"""The check of chapter 2 refuses what readers get wrong, and says what it is."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_code.exercises import check_accuracy

WRONG = {
    "returns None": lambda predicted, labels: None,
    "Python float": lambda predicted, labels: np.mean(predicted == labels, dtype="f4"),
    "from 0 to 1": lambda predicted, labels: 100 * float(np.mean(predicted == labels)),
    "every prediction is right": lambda predicted, labels: 0.5,
    "every prediction is wrong": lambda predicted, labels: 1.0,
    "three of five": lambda predicted, labels: float((predicted == labels).all()),
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses(message):
    """A check that lets a wrong answer pass, or does not say what is wrong with it."""
    with pytest.raises(AssertionError, match=message):
        check_accuracy(WRONG[message])


def test_accepts_a_count_divided_once(capsys):
    """A check that refuses a right answer."""
    check_accuracy(
        lambda predicted, labels: int(sum(predicted == labels)) / len(labels)
    )
    assert capsys.readouterr().out.startswith("Right")
