"""Write a trained network as a script for a web page: 8 bits per weight, one character each.

A page that was opened from the file system may not `fetch`, so the parameters come as text in a
script of their own. Most weights are much smaller than the largest in their row. Small numbers
become characters of one byte and large ones of two, which takes up less space than base64.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32, Int, Int8, UInt8

from mnist_code.model import Params

# 256 characters that need no escape in a string of JavaScript. The first 91 are ASCII: one byte.
ALPHABET = "".join(
    c for c in map(chr, range(0x21, 0x200)) if c.isprintable() and c not in '"\\<'
)[:256]
LARGEST = 127  # of the integers


def quantize(
    weights: Float32[np.ndarray, "out in"],
) -> tuple[Int8[np.ndarray, "out in"], Float32[np.ndarray, " out"]]:
    """Round weights to 8-bit integers, with a step size for each row.

    Args:
        weights: of one layer.

    Returns:
        Integers from -127 to 127, and the step of each row: `integers * steps[:, None]` is at most
        half a step from the weights.

    Source:
        Jacob et al., "Quantization and training of neural networks for efficient
        integer-arithmetic-only inference", 2018, section 2.1; symmetric, and a step for each row.

    Example:
        >>> integers, steps = quantize(np.array([[0.5, -0.25], [0.0, 0.0]], np.float32))
        >>> integers.tolist(), (integers * steps[:, None]).round(2).tolist()
        ([[127, -64], [0, 0]], [[0.5, -0.25], [0.0, 0.0]])
    """
    largest = np.abs(weights).max(axis=1)
    steps = (largest / LARGEST).astype(np.float32)
    steps[steps < np.finfo(np.float32).tiny] = (
        1  # a row of zeros, or of next to nothing
    )
    return np.rint(weights / steps[:, None]).astype(np.int8), steps


def to_text(integers: Int8[np.ndarray, " n"]) -> str:
    """One character per integer: place 0 of the alphabet is 0, then -1, 1, -2, 2, and so on.

    Example:
        >>> to_text(np.array([0, -1, 1, 127], np.int8)) == "!#$" + ALPHABET[254]
        True
    """
    wide = integers.astype(int)
    return _characters(np.where(wide < 0, -2 * wide - 1, 2 * wide))


def script(
    params: Params,
    images: UInt8[np.ndarray, "samples 28 28 1"],
    labels: Int[np.ndarray, " samples"],
    facts: Mapping[str, int | str],
) -> str:
    """A classic script that defines `NETWORK`: what the page `draw` needs to know.

    Inputs whose weights are all zero are left out; `inputs` lists the others.

    Args:
        params: the trained network's parameters.
        images: samples to try, 0 to 255; a pixel is the character at its place in the alphabet.
        labels: theirs, 0 to 9.
        facts: about the network, for the page to show.

    Returns:
        JavaScript, for a file in UTF-8.
    """
    layers = []
    for weights, biases in params:
        integers, steps = quantize(np.asarray(weights))
        used = integers.any(axis=0)
        rows = [to_text(row) for row in integers[:, used]]
        layers.append(
            {
                "inputs": np.flatnonzero(used).tolist(),
                "steps": _shortest(steps),
                "biases": _shortest(np.asarray(biases)),
                "rows": rows,
            }
        )
    samples = [
        {"label": int(label), "pixels": _characters(image.ravel().astype(int))}
        for image, label in zip(images, labels, strict=True)
    ]
    network = {
        "alphabet": ALPHABET,
        "facts": dict(facts),
        "samples": samples,
        "layers": layers,
    }
    text = json.dumps(network, ensure_ascii=False, separators=(",", ":"))
    return f"// Made by `make network`; mnist_code/browser.py says how.\nconst NETWORK = {text};\n"


def _characters(places: Int[np.ndarray, " n"]) -> str:
    return "".join(ALPHABET[place] for place in places)


def _shortest(values: Float32[np.ndarray, " n"]) -> list[float]:
    """The shortest decimals that convert back to the same float32 numbers."""
    return [float(str(value)) for value in values]
