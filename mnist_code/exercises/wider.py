"""Checks for the exercises of chapter 14."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_code.exercises.praise import praise

CASES = [(32, 8), (30, 8), (3, 8), (32, 3), (7, 1), (1, 1)]  # images, devices


def check_shares(shares: Callable[..., Any]) -> None:
    """Check a `shares(size, devices)` of the reader's (chapter 14).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def shares(size, devices):
        ...     each = -(-size // devices)
        ...     rows = np.arange(devices * each).reshape(devices, each)
        ...     mask = rows < size
        ...     return rows * mask, mask
        >>> check_shares(shares)
        Right: check_shares found nothing wrong.
    """
    for size, devices in CASES:
        _check_case(shares, size, devices)
    praise("check_shares")


def _check_case(shares: Callable[..., Any], size: int, devices: int) -> None:
    case = f"For {size} images on {devices} devices, "
    found = shares(size, devices)
    assert found is not None, "It returns None: is there a `return`?"
    two = isinstance(found, tuple | list) and len(found) == 2
    assert two, "It should return two things: rows and mask."
    rows, mask = (np.asarray(value) for value in found)
    least = -(-size // devices)
    for name, array in (("rows", rows), ("mask", mask)):
        by_device = array.ndim == 2 and len(array) == devices
        assert by_device, (
            f"{case}the {name} should have one row for each device, shape "
            f"({devices}, {least}), not {array.shape}."
        )
        assert array.shape[1] == least, (
            f"{case}each device should get {least} places, as few as will do, "
            f"not {array.shape[1]}."
        )
    assert mask.dtype == bool, (
        f"{case}the mask should hold True and False, not {mask.dtype}."
    )
    assert mask.sum() == size, (
        f"{case}the mask should mark {size} places as real, and marks {int(mask.sum())}."
    )
    assert rows.dtype.kind in "iu", (
        f"{case}the rows should be whole numbers, not {rows.dtype}."
    )
    real = sorted(rows[mask].tolist())
    assert real == list(range(size)), (
        f"{case}the marked places should hold each image from 0 to {size - 1} once."
    )
    in_range = ((rows >= 0) & (rows < size)).all()
    assert in_range, (
        f"{case}padding, too, must be the number of an image: an index that is out of "
        "range would raise an error, or read another image without a word."
    )
