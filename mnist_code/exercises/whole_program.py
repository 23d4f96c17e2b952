"""Checks for the exercises of chapter 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_code.exercises.praise import praise


def check_second_choice(second_choice: Callable) -> None:
    """Check a `second_choice(logits)` of the reader's (chapter 1).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> check_second_choice(lambda logits: np.argsort(logits, axis=-1)[:, -2])
        Right: check_second_choice found nothing wrong.
    """
    logits = np.random.default_rng(1).normal(size=(6, 10)).astype(np.float32)
    logits[0] -= 20  # a row without a positive score
    logits.flags.writeable = False
    ranks = np.argsort(logits, axis=-1)
    try:
        result = second_choice(logits)
    except ValueError as error:
        if "read-only" in str(error):
            raise AssertionError(
                "It writes into the logits it was given; work on a copy."
            ) from error
        raise
    assert result is not None, "It returns None: is there a `return`?"
    result = np.asarray(result)
    assert result.shape == (6,), (
        "For 6 rows of logits it should return 6 digits, shape (6,), "
        f"and returns shape {result.shape}."
    )
    assert np.issubdtype(result.dtype, np.integer), (
        "It should return digits, which are integers. These look like scores: "
        f"{result.dtype}."
    )
    assert not np.array_equal(result, ranks[:, -1]), (
        "These are the first choices: the digits with the highest scores."
    )
    assert not np.array_equal(result, ranks[:, 1]), (
        "These have the second *lowest* scores: look at the other end of the order."
    )
    wrong = np.flatnonzero(result != ranks[:, -2])
    assert len(wrong) == 0, (
        f"For the logits {logits[wrong[0]].round(1).tolist()} the second choice is "
        f"{ranks[wrong[0], -2]}, not {result[wrong[0]]}."
    )
    praise("check_second_choice")
