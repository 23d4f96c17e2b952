"""The published figures stand in one module; the one page that prints them agrees with it."""

from __future__ import annotations

import re

from helpers import ROOT

from mnist_code.book import published

PAGE = ROOT / "appendices" / "departures.md"


def row(name):
    """The two numbers of a row of the page's tables."""
    line = re.search(rf"^\| {name}.*?\|(.*)\|$", PAGE.read_text("utf-8"), re.M)
    return [float(number) for number in re.findall(r"\d+\.\d+", line.group(1))]


def test_the_page_of_departures_prints_the_same_figures():
    """A figure corrected in one place and left in the other."""
    assert row("one epoch of training") == list(published.EPOCH_SECONDS.values())
    assert row("one evaluation") == list(published.EVALUATION_SECONDS.values())
    assert row("training loss") == list(published.TRAIN_LOSS.values())
    assert row("test accuracy") == list(published.TEST_ACCURACY.values())


def test_the_published_accuracy_is_a_mean_of_batch_means():
    """A figure mistyped: it must be a whole number of the 313 full batches' images."""
    right = published.TEST_ACCURACY[24] * 313 * 32
    assert abs(right - 9828) < 0.05


def test_the_figures_in_full_agree_with_the_rounded_ones():
    """A digit mistyped in one of the two."""
    for rounded, full, decimals in [
        (published.TRAIN_LOSS, published.PRINTED_LOSS, 3),
        (published.TEST_ACCURACY, published.PRINTED_TEST_ACCURACY, 3),
    ]:
        for epoch, value in rounded.items():
            assert round(full[epoch], decimals) == round(value, decimals)


def test_every_printed_accuracy_is_a_whole_number_of_images():
    """A digit mistyped: 60,000 training images, and 10,016 of the test images' full batches."""
    for figures, total in [
        (published.PRINTED_TRAIN_ACCURACY, 60_000),
        (published.PRINTED_TEST_ACCURACY, 313 * 32),
    ]:
        for value in figures.values():
            assert abs(total * value - round(total * value)) < 0.01
