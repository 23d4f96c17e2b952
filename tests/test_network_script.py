"""Parameters as a script for a page: what is rounded, and what is written."""

from __future__ import annotations

import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import ROOT, parse_script
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnist_code.browser import ALPHABET, LARGEST, quantize, script, to_text

MATRICES = arrays(np.float32, (3, 7), elements=st.floats(-100, 100, width=32))


def decode(text):
    """The integers behind characters, without the module's own arithmetic."""
    zigzag = [0] + [sign * n for n in range(1, 129) for sign in (-1, 1)]
    return [zigzag[ALPHABET.index(character)] for character in text]


@given(MATRICES)
def test_rounding_is_off_by_half_a_step_at_most(weights):
    """A scale shared by rows, a clipped weight, a division by zero."""
    integers, steps = quantize(weights)
    assert integers.dtype == np.int8
    assert np.abs(integers.astype(int)).max() <= LARGEST
    error = np.abs(integers * steps[:, None] - weights)
    assert (error <= 0.5001 * steps[:, None] + 1e-30).all()
    assert (steps > 0).all()


def test_every_integer_has_a_character_of_its_own():
    """Two integers that read back as one; a character that JavaScript would not take."""
    integers = np.arange(-127, 128, dtype=np.int8)
    text = to_text(integers)
    assert decode(text) == integers.tolist()
    assert len(set(ALPHABET)) == 256
    assert not set(ALPHABET) & set('"\\<\u2028\u2029\n\r')


def test_the_script_holds_the_network():
    """A row, a bias, a sample or an input at a wrong place."""
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(4, 6)).astype(np.float32)
    weights[:, [1, 4]] = 0  # left out
    biases = generator.normal(size=4).astype(np.float32)
    images = generator.integers(0, 256, (2, 28, 28, 1)).astype(np.uint8)
    params = [(jnp.asarray(weights), jnp.asarray(biases))]
    text = script(params, images, np.array([3, 8]), {"dataset": "none"})
    network = parse_script(text)
    (layer,) = network["layers"]
    assert layer["inputs"] == [0, 2, 3, 5]
    assert np.array_equal(np.float32(layer["biases"]), biases)
    read = np.zeros((4, 6))
    read[:, layer["inputs"]] = np.array([decode(row) for row in layer["rows"]])
    read *= np.array(layer["steps"])[:, None]
    np.testing.assert_allclose(read, weights, atol=max(layer["steps"]) / 2)
    for sample, image, label in zip(network["samples"], images, (3, 8), strict=True):
        assert sample["label"] == label
        pixels = [ALPHABET.index(character) for character in sample["pixels"]]
        assert pixels == image.ravel().tolist()
    assert network["facts"] == {"dataset": "none"}


@pytest.mark.slow
def test_anyone_can_make_it(tmp_path, lonely):
    """A command that only ran once, on one machine."""
    out = tmp_path / "network.js"
    tool = [sys.executable, ROOT / "tools" / "draw_network.py"]
    options = ["--dataset", "digits", "--epochs", "5", "--out", out]
    environment = {**lonely, "PYTHONPATH": str(ROOT)}
    subprocess.run([*tool, *options], check=True, env=environment, capture_output=True)
    network = parse_script(out.read_text(encoding="utf-8"))
    facts = network["facts"]
    assert facts["dataset"] == "digits"
    assert facts["images"] == 357
    assert 0.8 * 357 < facts["right"] <= 357
    assert abs(facts["right"] - facts["right_in_8_bits"]) <= 2
    assert [len(layer["rows"]) for layer in network["layers"]] == [512, 10]


def test_a_place_that_cannot_be_written_is_refused_before_training(tmp_path, lonely):
    """Half a minute of training, and then nowhere to put the result."""
    tool = [sys.executable, ROOT / "tools" / "draw_network.py"]
    options = ["--dataset", "digits", "--out", tmp_path / "missing" / "network.js"]
    environment = {**lonely, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [*tool, *options], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: Cannot write ")
    assert "Traceback" not in result.stderr
