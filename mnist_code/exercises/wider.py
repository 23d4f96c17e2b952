"""The check for the exercise of Chapter 14."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_code.exercises.feedback import call, checking, numbers, unpack

CASES = [(32, 8), (30, 8), (3, 8), (32, 3), (7, 1), (1, 1)]  # images, devices


def check_shares(shares: Callable[..., Any]) -> None:
    """Check the reader's `shares(size, devices)`, a batch dealt out to devices, from Chapter 14.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def shares(size, devices):
        ...     each = -(-size // devices)
        ...     rows = np.arange(devices * each).reshape(devices, each)
        ...     mask = rows < size
        ...     return rows * mask, mask
        >>> check_shares(shares)
        Right: check_shares found nothing wrong.
    """
    with checking("check_shares", shares):
        for size, devices in CASES:
            _check_case(shares, size, devices)


def _check_case(shares: Callable[..., Any], size: int, devices: int) -> None:
    case = (
        f"for {size} image{'s' * (size > 1)} on {devices} device{'s' * (devices > 1)}"
    )
    rows, mask = unpack(call(shares, size, devices, case=case), "rows", "mask")
    rows, mask = numbers(rows, f"{case}, the rows"), numbers(mask, f"{case}, the mask")
    case = case.capitalize()
    places = -(-size // devices)
    for name, array in (("rows", rows), ("mask", mask)):
        _check_places(array, devices, places, f"{case}, the {name}")
    assert not (rows.dtype == bool and mask.dtype.kind in "iu"), (
        f"{case}, your function returns the mask first: return the rows and then the mask."
    )
    assert mask.dtype == bool, (
        f"{case}, the mask should hold True and False, not {mask.dtype}: "
        "a comparison makes such an array."
    )
    assert rows.dtype.kind in "iu", (
        f"{case}, the rows should be whole numbers, not {rows.dtype}, since they are indices."
    )
    marked = int(mask.sum())
    if marked != size:
        if marked == mask.size:
            why = "the padding should be False"
        elif marked == mask.size - size:
            why = "True should stand for a real image and False for padding"
        else:
            why = "every image should have one place"
        raise AssertionError(
            f"{case}, the mask should mark {size} of the {mask.size} places as real, "
            f"but marks {marked}: {why}."
        )
    real = np.sort(rows[mask])
    if not np.array_equal(real, np.arange(size)):
        why = (
            "count from 0"
            if np.array_equal(real, np.arange(1, size + 1))
            else "some are missing, or come twice, or the mask marks other places"
        )
        raise AssertionError(
            f"{case}, the places marked as real should hold each image from 0 to {size - 1} "
            f"once: {why}."
        )
    outside = rows[(rows < 0) | (rows >= size)]
    assert not outside.size, (
        f"{case}, a place for padding holds {outside[0]}, which isn't the number of any image: "
        "use 0, for example, since JAX reads another image there without an error."
    )


def _check_places(array: np.ndarray, devices: int, places: int, what: str) -> None:
    if array.shape == (devices, places):
        return
    if array.shape == (places, devices):
        why = "it is transposed, so give each device a row"
    elif array.ndim != 2:
        why = "give each device a row"
    elif len(array) != devices:
        why = "there should be a row for each device"
    elif array.shape[1] < places:
        why = "round the number of places up, so that every image has one"
    else:
        why = "use no more places than necessary"
    raise AssertionError(
        f"{what} should have shape ({devices}, {places}), not {array.shape}: {why}."
    )
