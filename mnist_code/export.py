"""The trained network in formats that run without this package, on batches of any size.

Each format holds the same function, from images, float32 (batch, 784) from 0 to 1, to
probabilities, float32 (batch, 10). StableHLO is JAX's own format; the other two are TensorFlow's,
for servers and for phones.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp

from mnist_code.config import EXPORT_FILES, LAYER_SIZES
from mnist_code.errors import FileError, MissingDependencyError
from mnist_code.files import atomic_folder, atomic_write
from mnist_code.model import Params, probabilities
from mnist_code.quiet import import_tensorflow, suppress_output

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
IMAGES = "batch, " + str(LAYER_SIZES[0])  # a shape whose first dimension is a variable


def export(
    params: Params, format: str, path: str | os.PathLike[str] | None = None
) -> Path:
    """Write the network in one of the formats in `config.EXPORT_FILES`, completely or not at all.

    Args:
        params: of the trained network.
        format: "stablehlo" and "litert" produce one file; "savedmodel" produces a folder, which
            must not exist yet.
        path: the file or folder to write; by default, it's named after the format.

    Returns:
        The path that was written.

    Raises:
        FileError: `path` cannot be written, or the folder exists already.
        MissingDependencyError: TensorFlow is not installed; "stablehlo" does not need it.

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
    path = Path(EXPORT_FILES[format] if path is None else path)
    if format == "savedmodel":
        with atomic_folder(path) as folder:
            _save_with_tensorflow(params, folder, path)
    else:
        to_bytes = {"stablehlo": to_stablehlo, "litert": to_litert}[format]
        with atomic_write(path) as file:
            file.write(to_bytes(params))
    return path


def to_stablehlo(params: Params) -> bytes:
    """The network as serialized StableHLO, for CPUs, GPUs and TPUs; the parameters are inside.

    `jax.export.deserialize` reads it. JAX promises to read such files for at least six months.
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
        MissingDependencyError: TensorFlow, which does the conversion, is not installed.
    """
    module, tf = _tensorflow_module(params, platforms=("cpu",))
    with suppress_output(2):
        function = module.serve.get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        return converter.convert()


def _save_with_tensorflow(params: Params, folder: Path, path: Path) -> None:
    """Fill `folder`, which error messages call `path`."""
    module, tf = _tensorflow_module(params, PLATFORMS)
    try:
        with suppress_output(2):
            tf.saved_model.save(
                module, folder, signatures={"serving_default": module.serve}
            )
    except tf.errors.OpError as error:
        reason = error.message.split("; ")[-1].lower()
        raise FileError(f"Cannot write {path}: {reason}. Free some space.") from error


def _tensorflow_module(params: Params, platforms: tuple[str, ...]) -> tuple[Any, Any]:
    """The network as a TensorFlow module, its parameters as variables; and TensorFlow."""
    try:
        tf = import_tensorflow()
    except ImportError as error:
        raise MissingDependencyError(
            "Exporting to SavedModel or LiteRT needs TensorFlow, which is not installed. "
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
    """The size in bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
