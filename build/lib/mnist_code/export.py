"""The trained network in forms that run without this package, any number of images at a time.

Each form holds the same function: images, float32 (batch, 784) from 0 to 1, to probabilities,
float32 (batch, 10). StableHLO is JAX's own form; the others are TensorFlow's, for servers and for
phones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from mnist_code.config import LAYER_SIZES
from mnist_code.errors import FileError, PackageError
from mnist_code.files import write_whole, write_whole_folder
from mnist_code.model import Params, probabilities
from mnist_code.preparation import import_tensorflow, silent_stderr

FORMATS = {  # and where each goes by default
    "stablehlo": Path("model.stablehlo"),
    "savedmodel": Path("model.savedmodel"),
    "litert": Path("model.tflite"),
}
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
IMAGES = "batch, " + str(LAYER_SIZES[0])  # a shape whose first size is a free variable


def export(
    params: Params, format: str, path: str | os.PathLike[str] | None = None
) -> Path:
    """Write the network in one of the `FORMATS`, whole or not at all.

    Args:
        params: of the trained network.
        format: "stablehlo" and "litert" become one file; "savedmodel" becomes a folder, which
            must not exist yet.
        path: where it goes; without it, a name that tells the format.

    Returns:
        Where it went.

    Raises:
        FileError: `path` cannot be written, or the folder exists already.
        PackageError: TensorFlow is not installed; "stablehlo" does not need it.

    Example:
        >>> import tempfile
        >>> from mnist_code.model import init_network_params
        >>> folder = Path(tempfile.mkdtemp())
        >>> params = init_network_params(jax.random.key(0))
        >>> path = export(params, "stablehlo", folder / "model")
        >>> restored = jax.export.deserialize(path.read_bytes())
        >>> restored.call(jnp.zeros((3, 784))).shape
        (3, 10)
    """
    path = FORMATS[format] if path is None else Path(path)
    if format == "savedmodel":
        with write_whole_folder(path) as folder:
            _save_with_tensorflow(params, folder, path)
    else:
        to_bytes = {"stablehlo": to_stablehlo, "litert": to_litert}[format]
        with write_whole(path) as file:
            file.write(to_bytes(params))
    return path


def to_stablehlo(params: Params) -> bytes:
    """The network as serialized StableHLO, for CPUs, GPUs and TPUs; the parameters are inside.

    `jax.export.deserialize` reads it. JAX promises to read it for half a year at least.
    """
    shape = jax.export.symbolic_shape(IMAGES)
    function = jax.jit(lambda images: probabilities(params, images))
    exported = jax.export.export(function, platforms=PLATFORMS)(
        jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    return bytes(exported.serialize())


def to_litert(params: Params) -> bytes:
    """The network as a flatbuffer for LiteRT, formerly TensorFlow Lite.

    Raises:
        PackageError: TensorFlow, which has the converter, is not installed.
    """
    module, tf = _tensorflow_module(params, platforms=("cpu",))
    with silent_stderr():
        function = module.serve.get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        return converter.convert()


def _save_with_tensorflow(params: Params, folder: Path, path: Path) -> None:
    """Fill `folder`; in messages it is called `path`."""
    module, tf = _tensorflow_module(params, PLATFORMS)
    try:
        with silent_stderr():
            tf.saved_model.save(
                module, folder, signatures={"serving_default": module.serve}
            )
    except tf.errors.OpError as error:
        reason = error.message.split("; ")[-1].lower()
        raise FileError(f"Cannot write {path}: {reason}. Free some space.") from error


def _tensorflow_module(params: Params, platforms: tuple[str, ...]) -> tuple[Any, Any]:
    """The network as a module of TensorFlow's, its parameters as variables; and TensorFlow."""
    try:
        tf = import_tensorflow()
    except ImportError as error:
        raise PackageError(
            "SavedModel and LiteRT are written by TensorFlow, which is not installed. "
            "Install it: pip install -c constraints.txt tensorflow"
        ) from error
    from jax.experimental import jax2tf

    converted = jax2tf.convert(
        probabilities,
        polymorphic_shapes=[None, f"({IMAGES})"],
        with_gradient=False,
        native_serialization_platforms=platforms,
    )
    module = tf.Module()
    module.params = jax.tree.map(tf.Variable, params)
    module.serve = tf.function(
        lambda images: {"probabilities": converted(module.params, images)},
        input_signature=[
            tf.TensorSpec((None, LAYER_SIZES[0]), tf.float32, name="images")
        ],
        autograph=False,
    )
    return module, tf


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
