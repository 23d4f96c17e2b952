"""The check of chapter 1 names the mistakes that learners make, and passes what is right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code.exercises.whole_program import check_second_choice
from tests.helpers import assert_praised, assert_refused


def hidden_by(value):
    """Replace the highest score of each row, and take the highest that is left."""

    def second_choice(logits):
        rows = jnp.arange(len(logits))
        rest = logits.at[rows, jnp.argmax(logits, axis=-1)].set(value)
        return jnp.argmax(rest, axis=-1)

    return second_choice


def with_numpy(logits):
    logits = np.array(logits)
    logits[np.arange(len(logits)), logits.argmax(axis=-1)] = -np.inf
    return logits.argmax(axis=-1)


def with_a_loop(logits):
    choices = []
    for row in logits.tolist():
        choices.append(sorted(range(len(row)), key=row.__getitem__)[-2])  # noqa: PERF401
    return choices


def in_place(logits):
    logits[jnp.arange(len(logits)), jnp.argmax(logits, axis=-1)] = -jnp.inf
    return jnp.argmax(logits, axis=-1)


def removed(logits):
    rows = [np.delete(row, row.argmax()) for row in np.asarray(logits)]
    return np.array([row.argmax() for row in rows])


RIGHT = [
    lambda logits: jnp.argsort(logits, axis=-1)[:, -2],
    lambda logits: jnp.argsort(-logits)[:, 1],
    lambda logits: jax.lax.top_k(logits, 2)[1][:, 1],
    jax.vmap(lambda row: jnp.argmax(row.at[jnp.argmax(row)].set(-jnp.inf))),
    jax.jit(hidden_by(-jnp.inf)),
    with_numpy,
    with_a_loop,
]

WRONG = [
    ("returns None", lambda logits: None),
    ("should accept 1 argument", lambda images, labels: None),
    ("first choices", lambda logits: jnp.argmax(logits, axis=-1)),
    ("last choices", lambda logits: jnp.argmin(logits, axis=-1)),
    ("second lowest", lambda logits: jnp.argsort(logits, axis=-1)[:, 1]),
    ("third choices", lambda logits: jnp.argsort(logits, axis=-1)[:, -3]),
    ("return the digits that have them", lambda logits: jnp.sort(logits)[:, -2]),
    ("not the images", lambda logits: jnp.argsort(logits, axis=0)[-2]),
    ("without the first", lambda logits: jax.lax.top_k(logits, 2)[1]),
    ("from each row", lambda logits: jnp.argsort(logits, axis=-1)),
    ("argsort once", lambda logits: jnp.argsort(jnp.argsort(logits))[:, -2]),
    ("one digit for each", lambda logits: jnp.argsort(logits[0])[-2]),
    ("of its own", lambda logits: jnp.full(len(logits), jnp.argsort(logits[0])[-2])),
    ("count from 0", lambda logits: jnp.argsort(logits)[:, -2] + 1),
    ("may still be the highest", hidden_by(0.0)),
    ("may still be the highest", hidden_by(-1.0)),
    ("moves the later digits", removed),
    ("cannot be changed in place", in_place),
    ("whole number", lambda logits: 1.0 * jnp.argsort(logits)[:, -2]),
    ("raises IndexError", lambda logits: np.argsort(logits)[:, 10]),
]


@pytest.mark.parametrize("answer", RIGHT)
def test_a_right_answer_passes(answer, capsys):
    assert_praised(check_second_choice, answer, capsys)


@pytest.mark.parametrize(("words", "answer"), WRONG)
def test_a_wrong_answer_is_named(words, answer):
    assert_refused(check_second_choice, answer, words)
