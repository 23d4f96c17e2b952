"""Parameters in a file: what is saved comes back; anything else is refused by name."""

from __future__ import annotations

import json
import pickle
import struct
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load, save

from mnist_code.errors import FileError, ParametersError
from mnist_code.model import init_network_params
from mnist_code.storage import load_params, save_params


def arrays(sizes=(784, 16, 10), dtype=np.float32):
    """What a file holds, as a dictionary to spoil."""
    found = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        found[f"layer_{layer}.weights"] = np.ones((fan_out, fan_in), dtype)
        found[f"layer_{layer}.biases"] = np.ones(fan_out, dtype)
    return found


@pytest.mark.parametrize("sizes", [(784, 512, 10), (784, 10), (784, 7, 7, 7, 10)])
def test_what_is_saved_comes_back(sizes, tmp_path):
    """Layers in another order, weights transposed, a bit lost."""
    params = init_network_params(jax.random.key(0), sizes)
    save_params(tmp_path / "params", params)
    found = load_params(tmp_path / "params")
    assert isinstance(found, list)
    for (weights, biases), (w, b) in zip(params, found, strict=True):
        np.testing.assert_array_equal(weights, w)
        np.testing.assert_array_equal(biases, b)


def test_eleven_layers_come_back_in_order(tmp_path):
    """Names sorted as text, where layer_10 comes before layer_2."""
    sizes = (784, *range(20, 30), 10)
    leaves = map(jnp.asarray, arrays(sizes).values())
    save_params(tmp_path / "params", list(zip(leaves, leaves, strict=True)))
    assert (
        tuple(len(biases) for _, biases in load_params(tmp_path / "params"))
        == sizes[1:]
    )


def test_another_program_can_read_the_file(tmp_path):
    """Names, shapes or dtypes other than the documented ones."""
    save_params(tmp_path / "params", init_network_params(jax.random.key(0)))
    found = load((tmp_path / "params").read_bytes())
    assert {name: (array.shape, array.dtype.name) for name, array in found.items()} == {
        "layer_0.weights": ((512, 784), "float32"),
        "layer_0.biases": ((512,), "float32"),
        "layer_1.weights": ((10, 512), "float32"),
        "layer_1.biases": ((10,), "float32"),
    }


def without(name):
    return {key: array for key, array in arrays().items() if key != name}


def foreign(dtype, size):
    """A whole safetensors file of a dtype that NumPy lacks."""
    header = {
        "layer_0.weights": {"dtype": dtype, "shape": [10, 784], "data_offsets": [0, 7840 * size]},
        "layer_0.biases": {
            "dtype": dtype, "shape": [10], "data_offsets": [7840 * size, 7850 * size],
        },
    }  # fmt: skip
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(7850 * size)


class Bomb:
    """Unpickled, it raises: the proof that nothing is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was run')",)


GOOD = save(arrays())
BAD = {
    "missing": (None, "no such file"),
    "empty": (b"", "corrupt"),
    "text": (b"not parameters\n", "corrupt"),
    "pickle": (pickle.dumps(Bomb()), "not a safetensors"),
    "truncated": (GOOD[:-1], "corrupt"),
    "half": (GOOD[: len(GOOD) // 2], "corrupt"),
    "header only": (GOOD[:40], "corrupt"),
    "too long": (GOOD + b"\0", "corrupt"),
    "no arrays": (save({}), "nothing"),
    "other names": (save({"w": np.ones((10, 784), np.float32)}), "it holds w"),
    "a layer missing": (save(without("layer_0.biases")), "layers in order"),
    "one name more": (save({**arrays(), "step": np.ones(1, np.float32)}), "step"),
    "wider images": (save(arrays((1024, 16, 10))), r"\(16, 1024\)"),
    "both views, one input": (
        save(arrays(), {"normalization": "both"}), r"\(16, 784\)"
    ),
    "more classes": (save(arrays((784, 16, 26))), "26 outputs"),
    "transposed": (
        save({**arrays(), "layer_1.weights": np.ones((16, 10), np.float32)}), r"\(16, 10\)",
    ),
    "scalars": (save({name: np.array(1, np.float32) for name in arrays((784, 10))}), r"shape \(\)"),
    "float64": (save(arrays(dtype=np.float64)), "float64"),
    "int32": (save(arrays(dtype=np.int32)), "int32"),
    "bfloat16": (foreign("BF16", 2), "dtype"),
    "float8": (foreign("F8_E4M3", 1), "dtype"),
    "NaN": (save({**arrays(), "layer_1.biases": np.full(10, np.nan, np.float32)}), "finite"),
    "infinity": (save({**arrays(), "layer_0.biases": np.full(16, np.inf, np.float32)}), "finite"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "reason"), BAD.values(), ids=BAD.keys())
def test_anything_else_is_refused_by_name(content, reason, tmp_path):
    """A traceback, a network of nonsense, or code that is run while it is read."""
    path = tmp_path / "params.file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(
        ParametersError, match=rf"Cannot use .*params\.file: .*{reason}"
    ):
        load_params(path)


def test_a_folder_is_refused(tmp_path):
    """An IsADirectoryError that escapes."""
    with pytest.raises(ParametersError, match="directory"):
        load_params(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    """A FileNotFoundError that escapes."""
    with pytest.raises(FileError, match="Cannot write"):
        save_params(
            tmp_path / "missing" / "params", init_network_params(jax.random.key(0))
        )
