"""The trained network in formats that run without this package, on batches of any size.

Each format holds the same function, from images, float32 (batch, 784) from 0 to 1, to
probabilities, float32 (batch, 10). StableHLO is what JAX itself writes; the others are for
TensorFlow, its servers, and phones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
from jaxtyping import Array, Float

from mnist_code.config import EXPORT_FILES, LAYER_SIZES
from mnist_code.errors import ConfigError, FileError, MissingDependencyError
from mnist_code.files import atomic_folder, atomic_write
from mnist_code.model import Params, probabilities
from mnist_code.normalize import VIEWS
from mnist_code.quiet import import_tensorflow, suppress_output

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")
CALLING_CONVENTION = (
    9  # of SavedModels: TensorFlow before 2.20 refuses JAX's default, 10
)
IMAGES = "batch, " + str(LAYER_SIZES[0])  # a shape whose first dimension is a variable


def export(
    params: Params,
    format: str,
    path: str | os.PathLike[str] | None = None,
    normalization: str = "none",
) -> Path:
    """Write the network in one of the formats in `config.EXPORT_FILES`, completely or not at all.

    Args:
        params: the trained network's parameters.
        format: "savedmodel" produces a folder, which must not exist yet; each of the others
            produces a file.
        path: the file or folder to write; by default, it's named after the format.
        normalization: how images are normalized for this network, a name in `normalize.VIEWS`;
            it becomes part of what's written.

    Returns:
        The path that was written.

    Raises:
        FileError: `path` cannot be written, or the folder exists already.
        MissingDependencyError: TensorFlow is not installed; "stablehlo" does not need it.
        ConfigError: the format is none of them; or it's LiteRT's, and the network needs normalized
            images.

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
    if format not in EXPORT_FILES:
        formats = ", ".join(EXPORT_FILES)
        raise ConfigError(f"format must be one of {formats}, not {format!r}")
    path = Path(EXPORT_FILES[format] if path is None else path)
    if format.startswith("litert") and normalization != "none":
        raise ConfigError(
            f"format must be stablehlo or savedmodel, not {format}: this network was trained with "
            f"--normalization {normalization}, and the export to LiteRT cannot normalize "
            "images. For LiteRT, train with --normalization none"
        )
    if format == "savedmodel":
        with atomic_folder(path) as folder:
            _save_with_tensorflow(params, folder, path, normalization)
    else:
        with atomic_write(path) as file:
            if format == "stablehlo":
                file.write(to_stablehlo(params, normalization))
            else:
                file.write(to_litert(params, eight_bits=format == "litert8"))
    return path


def to_stablehlo(params: Params, normalization: str = "none") -> bytes:
    """The network as serialized StableHLO, for CPUs, GPUs and TPUs; the parameters are inside.

    `jax.export.deserialize` reads it. JAX promises that for six months; for longer, keep the
    parameters. Other tools read the StableHLO itself, `Exported.mlir_module_serialized`.

    Args:
        params: the trained network's parameters.
        normalization: a name in `normalize.VIEWS`; it becomes part of the program.
    """
    shape = jax.export.symbolic_shape(IMAGES)
    view = VIEWS[normalization]
    function = jax.jit(lambda images: probabilities(params, view(images)))
    exported = jax.export.export(function, platforms=PLATFORMS)(
        jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    return bytes(exported.serialize())


def to_litert(params: Params, eight_bits: bool = False) -> bytes:
    """The network as a flatbuffer for LiteRT, formerly TensorFlow Lite.

    Args:
        params: the trained network's parameters.
        eight_bits: store each weight as an integer of 8 bits, a quarter of the size.

    Raises:
        MissingDependencyError: TensorFlow, which does the conversion, is not installed.
    """
    module, tf = _tensorflow_module(params, ("cpu",), _images_first)
    with suppress_output(2):
        function = module.serve.get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
        if eight_bits:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def _images_first(params: Params, images: Float[Array, "batch 784"]) -> Array:
    """`probabilities` with products that LiteRT has an operation for: images times weights.

    Weights times images becomes a general product of matrices, whose weights LiteRT doesn't store
    in 8 bits.
    """
    *hidden, (weights, biases) = params
    for hidden_weights, hidden_biases in hidden:
        images = jax.nn.swish(images @ hidden_weights.T + hidden_biases[None])
    return jax.nn.softmax(images @ weights.T + biases[None])


def _save_with_tensorflow(
    params: Params, folder: Path, path: Path, normalization: str
) -> None:
    """Fill `folder`, which error messages call `path`."""
    view = VIEWS[normalization]
    module, tf = _tensorflow_module(
        params, PLATFORMS, lambda params, images: probabilities(params, view(images))
    )
    version = "jax_export_calling_convention_version"
    default = getattr(jax.config, version)
    jax.config.update(version, CALLING_CONVENTION)  # read while the function is traced
    try:
        with suppress_output(2):
            tf.saved_model.save(
                module, folder, signatures={"serving_default": module.serve}
            )
    except tf.errors.OpError as error:
        why = error.message.split("; ")[-1].lower()
        raise FileError(f"Cannot write {path}: {why}. Free some space.") from error
    finally:
        jax.config.update(version, default)


def _tensorflow_module(
    params: Params,
    platforms: tuple[str, ...],
    function: Callable[..., Array],
) -> tuple[Any, Any]:
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
        function,
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
