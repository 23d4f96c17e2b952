"""Checks for the exercises of chapter 9."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_code.exercises.praise import praise

SIZE = 8


def check_padded(pad: Callable[..., Any]) -> None:
    """Check a `pad(images, labels, size)` of the reader's (chapter 9).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> def pad(images, labels, size):
        ...     missing = size - len(labels)
        ...     images = np.pad(images, ((0, missing), (0, 0)))
        ...     return images, np.pad(labels, (0, missing)), np.arange(size) < size - missing
        >>> check_padded(pad)
        Right: check_padded found nothing wrong.
    """
    types = {_check_batch(pad, count) for count in (5, 1, SIZE)}
    assert len(types) == 1, (
        f"The mask is of type {' and '.join(sorted(types))}, depending on the batch: "
        "a second type would be a second trace."
    )
    praise("check_padded")


def _check_batch(pad: Callable[..., Any], count: int) -> str:
    """Check one batch of `count` images, and return the type of its mask."""
    case = f"Of {count} images padded to {SIZE}, "
    images = np.linspace(0, 1, count * 784, dtype=np.float32).reshape(count, 784)
    images[0] = 0  # black, and a 0: a real image all the same
    labels = np.arange(count, dtype=np.int32)

    padded = pad(images.copy(), labels.copy(), SIZE)
    assert padded is not None, "It returns None: is there a `return`?"
    three = isinstance(padded, tuple | list) and len(padded) == 3
    assert three, "It should return three things: images, labels and mask."
    shapes = {"images": (SIZE, 784), "labels": (SIZE,), "mask": (SIZE,)}
    arrays = {}
    for (name, shape), value in zip(shapes.items(), padded, strict=True):
        array = arrays[name] = np.asarray(value)
        assert array.shape == shape, (
            f"{case}the {name} should have shape {shape}, not {array.shape}."
        )
        assert array.dtype.kind in "biuf", (
            f"{case}the {name} should be an array of numbers, not of {array.dtype}."
        )
    for name, given in (("images", images), ("labels", labels)):
        assert arrays[name].dtype == given.dtype, (
            f"{case}the {name} should stay {given.dtype}, and are {arrays[name].dtype}: "
            "another type would be another trace."
        )
    mask = arrays["mask"]
    assert np.isin(mask, (0, 1)).all(), (
        f"{case}the mask should hold True and False, or 1 and 0, and holds {mask}."
    )
    assert mask.sum() == count, (
        f"{case}the mask should mark {count} as real, and marks {int(mask.sum())}: "
        "go by how many there were; a black image labeled 0 is real, too."
    )
    real = mask.astype(bool)
    assert np.array_equal(arrays["images"][real], images), (
        f"{case}the marked images should be those given, in their order."
    )
    assert np.array_equal(arrays["labels"][real], labels), (
        f"{case}the marked labels should be those given, in their order."
    )
    return str(mask.dtype)
