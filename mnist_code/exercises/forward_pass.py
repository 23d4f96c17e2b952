"""Checks for the exercises of chapter 5."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from mnist_code.exercises.praise import praise


def check_softmax(softmax: Callable) -> None:
    """Check a `softmax(logits)` of the reader's, for the logits of one image (chapter 5).

    Raises:
        AssertionError: it is still wrong; the message says where.

    Example:
        >>> import jax
        >>> check_softmax(jax.nn.softmax)
        Right: check_softmax found nothing wrong.
    """

    def probabilities(*logits):
        with np.errstate(all="ignore"):  # a message will say it
            result = softmax(jnp.array(logits, jnp.float32))
        assert result is not None, "It returns None: is there a `return`?"
        array = np.asarray(result)
        assert array.dtype.kind == "f", (
            f"It should return an array of floating-point numbers, and returns {result!r}."
        )
        assert array.shape == (len(logits),), (
            f"{len(logits)} logits should make an array of shape ({len(logits)},), "
            f"and make one of shape {array.shape}."
        )
        return array

    plain = probabilities(2.0, 1.0, -1.0, 0.5)
    assert (plain > 0).all(), (
        f"Probabilities are above 0, and of the logits 2, 1, -1 and 0.5 it makes {plain}."
    )
    assert np.isclose(plain.sum(), 1, atol=1e-5), (
        f"Probabilities should sum to 1, and yours sum to {plain.sum():.4f}."
    )
    expected = np.exp([2.0, 1.0, -1.0, 0.5])
    assert np.allclose(plain, expected / expected.sum(), atol=1e-5), (
        f"Of the logits 2, 1, -1 and 0.5 it should make {expected / expected.sum()}, "
        f"and makes {plain}: is it exp(logit) over the sum of all exp(logit)?"
    )
    for name, shift in (("large", 1000.0), ("very negative", -1000.0)):
        shifted = probabilities(*(shift + logit for logit in (2.0, 1.0, -1.0, 0.5)))
        assert np.isfinite(shifted).all(), (
            f"For {name} logits, around {shift:g}, it makes {shifted}: "
            "subtract something from all logits before you take exponentials."
        )
        assert np.allclose(shifted, plain, atol=1e-4), (
            f"Adding {shift:g} to all logits should change nothing, "
            f"and turns {plain} into {shifted}."
        )
    far = probabilities(1000.0, -1000.0, 0.0)
    assert np.allclose(far, [1, 0, 0]), (
        f"Of the logits 1000, -1000 and 0 it should make 1, 0 and 0, and makes {far}: "
        "which number do you subtract?"
    )
    assert np.allclose(probabilities(*[3.0] * 10), 0.1), (
        "Ten equal logits should make ten times 0.1."
    )
    praise("check_softmax")
