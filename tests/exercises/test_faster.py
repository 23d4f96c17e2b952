"""The check of chapter 12: each typical mistake is told from the others."""

from __future__ import annotations

import itertools

import pytest

from mnist_code.exercises.faster import check_operations


def weights_of(sizes):
    return [a * b for a, b in itertools.pairwise(sizes)]


def right(sizes, images):
    return 2 * images * (2 * sum(weights_of(sizes)) + sum(weights_of(sizes)[1:]))


def product_by_product(sizes, images):
    total = 0.0
    for layer, weights in enumerate(weights_of(sizes)):
        total += 2 * images * weights * (2 if layer == 0 else 3)
    return total


@pytest.mark.parametrize("count", [right, product_by_product])
def test_right_ones_pass(count, capsys):
    check_operations(count)
    assert "nothing wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (lambda sizes, images: None, "return"),
        (lambda sizes, images: 2 * images * sum(weights_of(sizes)), "forward alone"),
        (lambda sizes, images: 4 * images * sum(weights_of(sizes)), "later layers"),
        (lambda sizes, images: 6 * images * sum(weights_of(sizes)), "to the images"),
        (lambda sizes, images: right(sizes, images) / 2, "are two operations"),
        (lambda sizes, images: right(sizes, 1), "one image"),
        (lambda sizes, images: right(sizes, images) + 1, "again"),
    ],
)
def test_mistakes_are_named(count, message):
    with pytest.raises(AssertionError, match=message):
        check_operations(count)
