"""Checks for the exercises of chapter 8."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_code.exercises.praise import praise

CASES = [
    ("0.867", 90),  # one count
    ("0.863", 90),  # none
    ("0.98123", 10_016),
    ("0.98123", 10_000),
    ("0.5", 30),  # several
    ("0.50", 30),  # the zero at the end tells how many decimals were printed
    ("1.00", 7),  # everything is right
    ("0.0", 50),  # nothing is right, or almost nothing
    ("0.3", 41),
]


def check_possible_counts(possible_counts: Callable) -> None:
    """Check a `possible_counts(printed, total)` of the reader's (chapter 8).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def possible_counts(printed, total):
        ...     decimals = len(printed.partition(".")[2])
        ...     return [k for k in range(total + 1) if f"{k / total:.{decimals}f}" == printed]
        >>> check_possible_counts(possible_counts)
        Right: check_possible_counts found nothing wrong.
    """
    for printed, total in CASES:
        result = possible_counts(printed, total)
        assert result is not None, "It returns None: is there a `return`?"
        try:
            counts = sorted(np.asarray(list(result)).ravel().tolist())
        except TypeError:
            raise AssertionError(
                "It should return a list of whole numbers, "
                f"and returns {type(result).__name__}."
            ) from None
        call = f'possible_counts("{printed}", {total})'
        assert all(float(count).is_integer() for count in counts), (
            f"{call} should return whole numbers of right answers, and returns {counts[:5]}."
        )
        expected = _expected(printed, total)
        missing = sorted(set(expected) - set(counts))
        extra = sorted(set(counts) - set(expected))
        decimals = len(printed.partition(".")[2])
        assert not missing, (
            f"{call} leaves out {missing[0]}: {missing[0]} / {total} is printed as "
            f"{missing[0] / total:.{decimals}f}."
            + (" Can all answers be right?" if missing == [total] else "")
        )
        assert not extra, (
            f"{call} should not contain {extra[0]:g}: {extra[0]:g} / {total} is printed as "
            f"{extra[0] / total:.{decimals}f} with {decimals} decimals."
        )
        assert len(counts) == len(set(counts)), (
            f"{call} contains a number more than once: {counts[:5]}."
        )
    praise("check_possible_counts")


def _expected(printed: str, total: int) -> list[int]:
    decimals = len(printed.partition(".")[2])
    return [k for k in range(total + 1) if f"{k / total:.{decimals}f}" == printed]
