"""The check for the exercise of Chapter 9."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mnist_code.exercises.feedback import (
    call,
    check_shape,
    checking,
    kind,
    numbers,
    unpack,
)

CASES = [(5, 8), (1, 8), (8, 8), (5, 6), (7, 12), (32, 32)]  # images, size


def check_padded(pad: Callable[..., Any]) -> None:
    """Check the reader's `pad(images, labels, size)` from Chapter 9.

    Raises:
        AssertionError: the answer is wrong; the message says what to look at.

    Example:
        >>> def pad(images, labels, size):
        ...     missing = size - len(labels)
        ...     images = np.pad(images, ((0, missing), (0, 0)))
        ...     return images, np.pad(labels, (0, missing)), np.arange(size) < size - missing
        >>> check_padded(pad)
        Right: check_padded found nothing wrong.
    """
    with checking("check_padded", pad):
        types = {_check_case(pad, count, size) for count, size in CASES}
        assert len(types) == 1, (
            f"The mask is of type {' or '.join(sorted(types))} depending on the batch: "
            "choose one, since a second type makes jit trace again."
        )


def _check_case(pad: Callable[..., Any], count: int, size: int) -> str:
    """Check one batch of `count` images, and return the type of its mask."""
    case = f"for {count} image{'s' * (count > 1)} and size={size}"
    images = np.linspace(0, 1, count * 784, dtype=np.float32).reshape(count, 784)
    images[0] = 0  # black, and labeled 0: a real image all the same
    labels = (np.arange(count) % 10).astype(np.int32)
    given = images.copy(), labels.copy()

    padded = unpack(call(pad, *given, size, case=case), "images", "labels", "mask")
    same = np.array_equal(given[0], images) and np.array_equal(given[1], labels)
    assert same, (
        f"{case.capitalize()}, your function changes the arrays that it received: work on a copy."
    )
    shapes = {"images": (size, 784), "labels": (size,), "mask": (size,)}
    arrays = {}
    for (name, shape), value in zip(shapes.items(), padded, strict=True):
        assert isinstance(value, np.ndarray | jax.Array), (
            f"{case.capitalize()}, the {name} should be an array, not {kind(value)}."
        )
        arrays[name] = numbers(value, f"{case}, the {name}")
        advice = "pad to `size`, whatever it is" if name != "mask" else (
            "it covers the padding, too"
        )  # fmt: skip
        check_shape(arrays[name], shape, f"{case}, the {name}", advice)
    for name, before in (("images", images), ("labels", labels)):
        assert arrays[name].dtype == before.dtype, (
            f"{case.capitalize()}, the {name} should stay {before.dtype}, but become "
            f"{arrays[name].dtype}: pad with the same type, since another makes jit trace again."
        )
    _check_mask(arrays["mask"], count, case)
    real = arrays["mask"].astype(bool)
    for name, before in (("images", images), ("labels", labels)):
        assert np.array_equal(arrays[name][real], before), (
            f"{case.capitalize()}, the {name} that the mask marks should be the original ones "
            "in their order: does the padding come where the mask says?"
        )
    _check_padding(arrays["images"][~real], arrays["labels"][~real], case)
    return str(arrays["mask"].dtype)


def _check_mask(mask: np.ndarray, count: int, case: str) -> None:
    assert np.isin(mask, (0, 1)).all(), (
        f"{case.capitalize()}, the mask should hold only True and False, or 1 and 0, not {mask}."
    )
    marked, missing = int(mask.sum()), len(mask) - count
    if marked == count:
        return
    if marked == len(mask):
        why = "the padding should be False"
    elif marked == 0 and missing == 0:
        why = "there is no padding, and a slice that starts at -0 is the whole array"
    elif marked == missing:
        why = "True should stand for a real image and False for padding"
    elif marked == count - 1:
        why = "a black image or the label 0 can be real, so go by len(labels)"
    else:
        why = "the first len(labels) are real"
    raise AssertionError(
        f"{case.capitalize()}, the mask should mark {count} as real, but marks {marked}: {why}."
    )


def _check_padding(images: np.ndarray, labels: np.ndarray, case: str) -> None:
    assert np.isfinite(images).all(), (
        f"{case.capitalize()}, the padding holds nan or infinity: use zeros, "
        "since 0 times nan is nan and the mask would not keep it out of a sum."
    )
    outside = labels[(labels < -1) | (labels > 9)]
    assert not outside.size, (
        f"{case.capitalize()}, a padded label is {outside[0]}, which is no digit: use 0, "
        "since looking up a class that does not exist can give nan."
    )
