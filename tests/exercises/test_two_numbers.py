"""The check of chapter 8 refuses what is wrong and says why."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_code.exercises.two_numbers import check_possible_counts


def right(printed, total):
    decimals = len(printed.partition(".")[2])
    return [k for k in range(total + 1) if f"{k / total:.{decimals}f}" == printed]


def by_distance(printed, total):
    """Half a unit of the last digit to either side; no score of the check is exactly there."""
    half = 0.5 * 10.0 ** -len(printed.partition(".")[2])
    scores = np.arange(total + 1) / total
    return np.flatnonzero(np.abs(scores - float(printed)) <= half - 1e-12)


def nearest_only(printed, total):
    return [round(float(printed) * total)]


def without_the_last(printed, total):
    return [k for k in right(printed, total) if k < total]


def ignores_the_last_zero(printed, total):
    return right(str(float(printed)), total)


@pytest.mark.parametrize("answer", [right, lambda p, t: np.array(right(p, t))])
def test_accepts_what_is_right(answer, capsys):
    check_possible_counts(answer)
    assert "Right: check_possible_counts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda p, t: None, "returns None"),
        (lambda p, t: 78, "a list of whole numbers, and returns int"),
        (lambda p, t: [float(p) * t], "should return whole numbers"),
        (nearest_only, "should not contain 78: 78 / 90 is printed as 0.867"),
        (lambda p, t: [], "leaves out 78"),
        (lambda p, t: right(p, t) * 2, "more than once"),
        (without_the_last, "leaves out 7: .*Can all answers be right"),
        (ignores_the_last_zero, "should not contain 14"),
        (lambda p, t: range(t + 1), "should not contain 0"),
    ],
)
def test_says_what_is_wrong(answer, message):
    with pytest.raises(AssertionError, match=message):
        check_possible_counts(answer)


def test_no_case_is_a_matter_of_rounding():
    """A score halfway between two printed ones, which two right answers would print differently."""
    check_possible_counts(by_distance)
