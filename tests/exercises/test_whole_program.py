"""The check of chapter 1 refuses what readers get wrong, and says what it is."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.whole_program import check_second_choice


def in_place(logits):
    logits[np.arange(len(logits)), logits.argmax(axis=-1)] = -np.inf
    return logits.argmax(axis=-1)


def zeroed(logits):
    """Good enough wherever the second score is positive."""
    best = jax.nn.one_hot(jnp.argmax(logits, axis=-1), 10)
    return jnp.argmax(logits * (1 - best), axis=-1)


WRONG = {
    "returns None": lambda logits: None,
    r"shape \(10,\)": lambda logits: np.argsort(logits, axis=0)[-2],
    "integers": lambda logits: np.sort(logits, axis=-1)[:, -2],
    "first choices": lambda logits: np.argmax(logits, axis=-1),
    r"second \*lowest\*": lambda logits: np.argsort(logits, axis=-1)[:, 1],
    "the second choice is": zeroed,
    "work on a copy": in_place,
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses(message):
    """A check that lets a wrong answer pass, or does not say what is wrong with it."""
    with pytest.raises(AssertionError, match=message):
        check_second_choice(WRONG[message])


def test_passes_other_errors_on():
    """A mistake of the reader's that the check would report as another."""

    def broken(logits):
        raise ValueError("shapes do not match")

    with pytest.raises(ValueError, match="shapes do not match"):
        check_second_choice(broken)


@pytest.mark.parametrize(
    "answer",
    [
        lambda logits: jnp.argsort(logits, axis=-1)[:, -2],
        lambda logits: jax.lax.top_k(logits, 2)[1][:, 1],
        jax.vmap(lambda row: jnp.argmax(row.at[jnp.argmax(row)].set(-jnp.inf))),
    ],
    ids=["sort", "top_k", "vmap"],
)
def test_accepts(answer, capsys):
    """A check that refuses a right answer."""
    check_second_choice(answer)
    assert capsys.readouterr().out.startswith("Right")
