"""The check of chapter 5 refuses what readers get wrong, and says what it is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from mnist_code.exercises import check_softmax


def with_subtracted(pick):
    """A softmax that subtracts something before it takes exponentials."""

    def softmax(logits):
        positive = jnp.exp(logits - pick(logits))
        return positive / positive.sum()

    return softmax


WRONG = {
    "returns None": lambda logits: None,
    "floating-point numbers, and returns 'high'": lambda logits: "high",
    "floating-point numbers, and returns Array": lambda logits: jnp.argmax(logits),
    r"shape \(4,\), and make one of shape \(\)": lambda logits: jax.nn.softmax(
        logits
    ).max(),
    r"shape \(4,\), and make one of shape \(1, 4\)": lambda logits: jax.nn.softmax(
        logits
    )[None],
    "Probabilities are above 0": lambda logits: logits / logits.sum(),
    "yours sum to": jnp.exp,
    "is it exp": lambda logits: 2.0**logits / (2.0**logits).sum(),
    "For large logits": lambda logits: jnp.exp(logits) / jnp.exp(logits).sum(),
    "For very negative logits": lambda logits: (
        jax.nn.softmax(logits)
        if logits.max() > 9
        else jnp.exp(logits) / jnp.exp(logits).sum()
    ),
    "should change nothing": lambda logits: jax.nn.softmax(jnp.clip(logits, -9, 9)),
    "which number do you subtract": with_subtracted(jnp.mean),
    "Ten equal logits": lambda logits: (
        jax.nn.softmax(logits.at[9].set(9.0))
        if logits.size > 9
        else jax.nn.softmax(logits)
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses(message):
    """A check that lets a wrong answer pass, or does not say what is wrong with it."""
    with pytest.raises(AssertionError, match=message):
        check_softmax(WRONG[message])


@pytest.mark.parametrize("right", [jax.nn.softmax, with_subtracted(jnp.max)])
def test_accepts_one_that_subtracts_the_largest(right, capsys):
    """A check that refuses a right answer."""
    check_softmax(right)
    assert capsys.readouterr().out.startswith("Right")
