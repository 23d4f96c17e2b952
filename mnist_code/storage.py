"""Parameters in a file: safetensors, a format that holds arrays and no executable code."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mnist_code.config import LAYER_SIZES
from mnist_code.errors import ParametersError, reason
from mnist_code.files import atomic_write
from mnist_code.model import Params
from mnist_code.normalize import INPUTS

KINDS = ("weights", "biases")


def save_params(
    path: str | os.PathLike[str], params: Params, normalization: str = "none"
) -> None:
    """Write parameters to `path`, completely or not at all.

    The file holds `layer_0.weights` (out, in), `layer_0.biases` (out,), and so on, float32. Its
    metadata names the normalization of the images that the network learned from, if there was one.

    Args:
        path: the file.
        params: the trained network's parameters.
        normalization: `Config.normalization` of the run. With "none", the file has no metadata.

    Raises:
        FileError: the folder is missing or cannot be written, or the disk is full.
    """
    with atomic_write(path) as file:
        file.write(_to_bytes(params, normalization))


def fingerprint(params: Params, normalization: str = "none") -> str:
    """The SHA-256 checksum, in hexadecimal, of the file that `save_params` would write."""
    return hashlib.sha256(_to_bytes(params, normalization)).hexdigest()


def _to_bytes(params: Params, normalization: str) -> bytes:
    arrays = {}
    for layer, (weights, biases) in enumerate(params):
        arrays[f"layer_{layer}.weights"] = np.asarray(weights)
        arrays[f"layer_{layer}.biases"] = np.asarray(biases)
    metadata = None if normalization == "none" else {"normalization": normalization}
    return save(arrays, metadata)


def load_params(path: str | os.PathLike[str]) -> Params:
    """Read what `save_params` wrote, and check that it is a network for these images.

    Hidden layers may have any number and width. The network must take images as they are;
    `load_network` reads those that need normalized ones, too.

    Raises:
        ParametersError: the file is missing, corrupt or in another format (a pickle, say), or it
            holds unexpected names, shapes or dtypes, or a number that is not finite; or its
            network needs normalized images.

    Example:
        >>> import jax, tempfile
        >>> from mnist_code.model import init_network_params
        >>> path = Path(tempfile.mkdtemp(), "params.safetensors")
        >>> save_params(path, init_network_params(jax.random.key(0)))
        >>> [weights.shape for weights, _ in load_params(path)]
        [(512, 784), (10, 512)]
    """
    params, normalization = load_network(path)
    if normalization != "none":
        raise ParametersError(
            f"Cannot use {path} on images as they are: its network learned from images with "
            f"normalization {normalization!r}. Use load_network, which also "
            "returns the normalization."
        )
    return params


def load_network(path: str | os.PathLike[str]) -> tuple[Params, str]:
    """Read parameters like `load_params`, and the normalization of the images they are for.

    Returns:
        The parameters, float32, and a name in `normalize.VIEWS`.

    Raises:
        ParametersError: as for `load_params`; or the normalization is unknown to this version.

    Example:
        >>> import jax, tempfile
        >>> from mnist_code.model import init_network_params
        >>> path = Path(tempfile.mkdtemp(), "params.safetensors")
        >>> save_params(path, init_network_params(jax.random.key(0)), "moments")
        >>> load_network(path)[1]
        'moments'
    """

    def refuse(why: str) -> ParametersError:
        return ParametersError(
            f"Cannot use {path}: {why}. Give a file that `python -m mnist_code train` wrote."
        )

    try:
        content = Path(path).read_bytes()
        arrays = load(content)
    except OSError as error:
        raise refuse(reason(error)) from None
    except (SafetensorError, KeyError):  # KeyError: a dtype that NumPy lacks
        raise refuse(
            "it is not a safetensors file, is corrupt, or has an unknown dtype"
        ) from None
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = header.get("__metadata__") or {}  # null is allowed
    normalization = metadata.get("normalization", "none")
    if normalization not in INPUTS:
        raise ParametersError(
            f"Cannot use {path}: its network needs images normalized by {normalization!r}, which "
            "this version does not know. Install the version that wrote it, or a later one."
        )

    names = [
        f"layer_{layer}.{kind}" for layer in range(len(arrays) // 2) for kind in KINDS
    ]
    if not names or set(names) != set(arrays):
        raise refuse(
            f"it holds {', '.join(sorted(arrays)) or 'nothing'}, not layers in order"
        )
    size_in = INPUTS[normalization]
    for name in names:
        array = arrays[name]
        expected = (
            (*array.shape[:1], size_in) if name.endswith("weights") else (size_in,)
        )
        if array.shape != expected or array.dtype != np.float32:
            raise refuse(
                f"{name} is {array.dtype} of shape {array.shape}, not float32 of shape {expected}"
            )
        if not np.isfinite(array).all():
            raise refuse(f"{name} holds a value that is not a finite number")
        size_in = len(array)
    if size_in != LAYER_SIZES[-1]:
        raise refuse(f"it ends in {size_in} outputs, not {LAYER_SIZES[-1]}")
    leaves = iter(jnp.asarray(arrays[name]) for name in names)
    return list(zip(leaves, leaves, strict=True)), normalization
