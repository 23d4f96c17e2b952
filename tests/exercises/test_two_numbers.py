"""The check of chapter 8 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_code.exercises.two_numbers import check_possible_counts
from tests.helpers import assert_praised, assert_refused


def decimals_of(printed):
    return len(printed.partition(".")[2])


def right(printed, total):
    decimals = decimals_of(printed)
    return [k for k in range(total + 1) if f"{k / total:.{decimals}f}" == printed]


def by_distance(printed, total):
    """Half a unit of the last digit to either side; no score of the check is exactly there."""
    half = 0.5 * 10.0 ** -decimals_of(printed)
    scores = np.arange(total + 1) / total
    return np.flatnonzero(np.abs(scores - float(printed)) <= half - 1e-12)


def with_a_loop(printed, total):
    counts = []
    for k in range(total + 1):
        if "{:.{}f}".format(k / total, decimals_of(printed)) == printed:
            counts.append(k)  # noqa: PERF401
    return tuple(reversed(counts))


def generator(printed, total):
    yield from right(printed, total)


def nearest(printed, total):
    return [round(float(printed) * total)]


def nearest_that_fits(printed, total):
    return [k for k in nearest(printed, total) if k in right(printed, total)]


def rounded(printed, total):
    decimals = decimals_of(printed)
    return [k for k in range(total + 1) if round(k / total, decimals) == float(printed)]


def as_text(printed, total):
    decimals = decimals_of(printed)
    return [k for k in range(total + 1) if str(round(k / total, decimals)) == printed]


def cut_off(printed, total):
    by = 10 ** decimals_of(printed)
    return [
        k for k in range(total + 1) if k * by // total == round(float(printed) * by)
    ]


RIGHT = [
    right,
    by_distance,
    with_a_loop,
    generator,
    rounded,
    lambda printed, total: set(right(printed, total)),
    lambda printed, total: np.array(right(printed, total), np.float32),
]

WRONG = [
    ("returns None", lambda printed, total: None),
    ("should accept 2 arguments", lambda score: []),
    ("a list of all counts", lambda printed, total: 78),
    ("should consist of numbers", lambda printed, total: f"{float(printed) * total:.0f}"),
    ("should consist of numbers", lambda printed, total: [str(k) for k in right(printed, total)]),
    ("whole numbers", lambda printed, total: [float(printed) * total]),
    ("more than once", lambda printed, total: right(printed, total) * 2),
    ("the nearest count need not be printed that way", nearest),
    ("nor be the only one", nearest_that_fits),
    ("leaves out 14", lambda printed, total: []),
    ("can all answers be right", lambda p, t: [k for k in right(p, t) if k < t]),
    ("can no answer be right", lambda p, t: [k for k in right(p, t) if k > 0]),
    ("since round drops a zero", as_text),
    ("a zero at the end is one of them", lambda p, t: right(str(float(p)), t)),
    ("a zero at the end is one of them", lambda p, t: right(p.rstrip("0"), t)),
    ("rounded, not cut off", cut_off),
    ("with as many decimals", lambda p, t: [k for k in range(t + 1) if f"{k / t:.3f}" == p]),
    ("with as many decimals", lambda p, t: right(p, t + 1)),
    ("should not contain 0", lambda p, t: range(t + 1)),
    ("which is no count", lambda p, t: [*right(p, t), t + 1]),
    ("which is no count", lambda p, t: [-1]),
    ("raises TypeError", lambda p, t: [k for k in range(t + 1) if abs(k / t - p) < 0.01]),
]  # fmt: skip


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_possible_counts, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_possible_counts, answer, words)
