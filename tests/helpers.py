"""What test modules share: a small network, answers in NumPy, comparisons, a book that is built."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import nbformat
import numpy as np
import pytest

from mnist_code.model import init_network_params

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
SMALL = (784, 16, 10)


def title(chapter):
    """A chapter's heading, from its file, without the marks of code."""
    cells = nbformat.read(chapter, 4).cells
    heading = next(c.source for c in cells if c.source.startswith("# "))
    return heading.splitlines()[0].removeprefix("# ").replace("`", "")


def build_book(out, *more):
    """Build the book into a folder, as `make book` does; `more` are options."""
    jupyter_book = shutil.which("jupyter-book", path=Path(sys.executable).parent)
    options = ["--path-output", out, "-W", "-n", "--keep-going", *more]
    command = [jupyter_book, "build", ROOT, *options]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def free_port():
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def without_proxy():
    """The environment, without what may stand between two processes, or a process and the web."""
    return {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}


def parse_script(text):
    """The object that a page's script defines."""
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def numpy_predict(params, images):
    """Compute the logits in plain NumPy and float64, one image per row."""
    *hidden, last = [
        (np.float64(weights), np.float64(biases)) for weights, biases in params
    ]
    x = np.float64(images)
    for weights, biases in hidden:
        x = x @ weights.T + biases
        x = x / (1 + np.exp(-x))
    weights, biases = last
    return x @ weights.T + biases


def numpy_loss(params, images, targets):
    """Compute the cross-entropy in plain NumPy and float64."""
    logits = numpy_predict(params, images)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return -np.mean(np.log((probabilities * targets).sum(1)))


def numpy_gradients(params, images, targets):
    """Back-propagate through one hidden Swish layer in plain NumPy and float64."""
    ((w0, b0), (w1, b1)) = [
        (np.float64(weights), np.float64(biases)) for weights, biases in params
    ]
    x = np.float64(images)
    before = x @ w0.T + b0
    gate = 1 / (1 + np.exp(-before))
    hidden = before * gate
    logits = hidden @ w1.T + b1
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    d_logits = (probabilities - targets) / len(x)
    d_before = d_logits @ w1 * (gate + before * gate * (1 - gate))
    return [(d_before.T @ x, d_before.sum(0)), (d_logits.T @ hidden, d_logits.sum(0))]


def batch_of(count, scale=0.2, sizes=SMALL):
    """Return random parameters, `count` random images, and one-hot targets."""
    keys = jax.random.split(jax.random.key(count), 3)
    targets = jax.nn.one_hot(jax.random.randint(keys[2], (count,), 0, 10), 10)
    params = init_network_params(keys[0], sizes, scale)
    return params, jax.random.uniform(keys[1], (count, 784)), targets


def copied(tree):
    """Copy every array of a tree, for functions that donate their arguments."""
    return jax.tree.map(jnp.copy, tree)


def assert_close(tree, expected, **tolerance):
    """Compare two trees leaf by leaf with `assert_allclose`."""
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **tolerance), tree, expected
    )


def same_bits(tree, other):
    """Whether two trees hold the same bits, leaf by leaf."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def largest_difference(tree, other):
    """The largest absolute difference between two trees."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True)
    return max(np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in pairs)


def assert_refused(check, answer, words):
    """A check says what is wrong with an answer, in words that include these."""
    with pytest.raises(AssertionError) as caught:
        check(answer)
    assert words in str(caught.value)


def assert_praised(check, answer, capsys):
    """A check finds nothing wrong with an answer, and says so."""
    check(answer)
    assert capsys.readouterr().out == f"Right: {check.__name__} found nothing wrong.\n"
