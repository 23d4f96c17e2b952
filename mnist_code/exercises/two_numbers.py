"""The check for the exercise of Chapter 8."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mnist_code.exercises.feedback import call, checking, kind, numbers

CASES = [
    ("0.5", 31),  # several counts
    ("0.867", 90),  # one
    ("0.863", 90),  # none
    ("0.98123", 10_016),
    ("0.98123", 10_000),
    ("0.50", 30),  # the zero at the end tells how many decimals were printed
    ("1.00", 7),  # everything is right
    ("0.0", 50),  # nothing is right, or almost nothing
    ("0.3", 41),
]


def check_possible_counts(possible_counts: Callable) -> None:
    """Check the reader's `possible_counts(printed, total)` from Chapter 8.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def possible_counts(printed, total):
        ...     decimals = len(printed.partition(".")[2])
        ...     return [k for k in range(total + 1) if f"{k / total:.{decimals}f}" == printed]
        >>> check_possible_counts(possible_counts)
        Right: check_possible_counts found nothing wrong.
    """
    with checking("check_possible_counts", possible_counts):
        for printed, total in CASES:
            _check_case(possible_counts, printed, total)


def _check_case(possible_counts: Callable, printed: str, total: int) -> None:
    case = f'possible_counts("{printed}", {total})'
    result = call(possible_counts, printed, total, case=f'for "{printed}" and {total}')
    if isinstance(result, set | range) or hasattr(result, "__next__"):
        result = call(lambda: list(result), case=f'for "{printed}" and {total}')
    counts = numbers(result, f"what {case} returns")
    assert counts.ndim == 1, (
        f"{case} should return a list of all counts, not {kind(result)}: "
        "there may be several, one or none."
    )
    fractions = counts[counts != np.round(counts)]
    assert not fractions.size, (
        f"{case} should return whole numbers of right answers, but {fractions[0]:g} isn't one: "
        "ask for each count from 0 to the total whether it is printed that way."
    )
    assert len(np.unique(counts)) == len(counts), (
        f"{case} returns a number more than once: {counts[:5].tolist()}."
    )
    decimals = len(printed.partition(".")[2])
    right = {k for k in range(total + 1) if f"{k / total:.{decimals}f}" == printed}
    found = {int(count) for count in counts}
    if found == right:
        return
    whole = {k for k in range(total + 1) if str(round(k / total, decimals)) == printed}
    cut = {k for k in range(total + 1) if _cut(k, total, decimals) == printed}
    if found == right - {total}:
        why = "can all answers be right, too?"
    elif found == right - {0}:
        why = "can no answer be right, too?"
    elif found == cut:
        why = "a printed score is rounded, not cut off."
    elif found == whole:
        why = "compare texts with all their decimals, since round drops a zero at the end."
    elif found == {round(float(printed) * total)}:
        why = "the nearest count need not be printed that way, nor be the only one."
    elif printed.endswith("0") and found > right:
        why = f'"{printed}" has {decimals} decimals, and a zero at the end is one of them.'
    else:
        why = (
            "print each count / total with as many decimals, and keep those that match."
        )
    wrong = min(found ^ right)
    verb = "should not contain" if wrong in found else "leaves out"
    printed_as = (
        f", which is printed as {wrong / total:.{decimals}f}"
        if 0 <= wrong <= total
        else ", which is no count"
    )
    raise AssertionError(f"{case} {verb} {wrong}{printed_as}: {why}")


def _cut(count: int, total: int, decimals: int) -> str:
    """A score whose further decimals are cut off."""
    digits = count * 10**decimals // total
    return f"{digits // 10**decimals}.{digits % 10**decimals:0{decimals}d}"
