"""The check for the exercise of Chapter 2."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_code.exercises.feedback import (
    call,
    check_shape,
    checking,
    compare,
    kind,
    numbers,
)


def check_accuracy(accuracy: Callable) -> None:
    """Check the reader's `accuracy(predicted, labels)` from Chapter 2.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> check_accuracy(lambda predicted, labels: float((predicted == labels).mean()))
        Right: check_accuracy found nothing wrong.
    """
    with checking("check_accuracy", accuracy):
        draw = np.random.default_rng(0)
        labels = draw.integers(0, 10, 107)
        some_right = np.where(np.arange(107) < 61, labels, (labels + 1) % 10)
        few = np.array([3, 1, 4, 1, 5])
        cases = [
            (some_right, labels, "For 107 images, 61 of them right"),
            (few[::-1].copy(), few, f"For predictions {few[::-1]} and labels {few}"),
            (few, few, "For five predictions that are all right"),
            ((few + 1) % 10, few, "For five predictions that are all wrong"),
            (few[:1], few[:1], "For a single prediction that is right"),
        ]
        for predicted, labels, case in cases:
            _check_case(accuracy, predicted, labels, case)


def _check_case(
    accuracy: Callable, predicted: np.ndarray, labels: np.ndarray, case: str
) -> None:
    result = call(
        accuracy, predicted.copy(), labels.copy(), case=f"{case[0].lower()}{case[1:]}"
    )
    found = numbers(result)
    check_shape(found, (), "the accuracy", "it is one number for all images together")
    is_right = predicted == labels
    right, count = is_right.mean(), is_right.sum()
    by_class = np.mean(
        [is_right[labels == digit].mean() for digit in np.unique(labels)]
    )
    mistakes = [
        (100 * right, "a fraction lies between 0 and 1, so leave out the percentage"),
        (count, "divide the count by the number of labels"),
        (1 - right, "this is the fraction that is wrong"),
        *_batch_mistakes(is_right),
        (by_class, "this averages over the classes, so count all images instead"),
        (float(is_right.all()), "this asks whether every prediction is right"),
        (float(is_right.any()), "this asks whether any prediction is right"),
        (
            np.mean(np.sort(predicted) == np.sort(labels)),
            "compare each prediction with the label in the same place",
        ),
        *[
            (round(right, digits), "return the fraction without rounding it")
            for digits in range(4)
        ],
    ]
    otherwise = "count the predictions that equal their labels, and divide once"
    if found > 0 and abs(count / found - round(float(count / found))) < 1e-4:
        divisor = round(float(count / found))
        otherwise = f"this divides by {divisor}, but there are {len(labels)} labels"
    compare(found, right, mistakes, otherwise, case, tolerance=2e-6)
    assert isinstance(result, float), (
        f"The value is right, but it is {kind(result)}: make it a Python float with float(...)."
    )


def _batch_mistakes(is_right: np.ndarray) -> list[tuple[float, str]]:
    """The results of averaging over batches, and of leaving out the last batch."""
    mistakes = []
    for size in (2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100):
        if size < len(is_right):
            batches = np.split(is_right, range(size, len(is_right), size))
            mean = np.mean([batch.mean() for batch in batches])
            mistakes.append(
                (
                    float(mean),
                    "this is a mean of batch accuracies, which counts the images of a "
                    "short last batch too much, so count all that are right and divide once",
                )
            )
            full = len(is_right) // size * size
            mistakes.append(
                (float(is_right[:full].mean()), "this leaves out the short last batch")
            )
    return mistakes
