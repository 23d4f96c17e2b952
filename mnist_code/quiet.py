"""Silence what C++ libraries print on their own."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def suppress_output(descriptor: int) -> Iterator[None]:
    """Discard everything written to a file descriptor while the block runs.

    Redirecting `sys.stdout` would not do: C++ writes to the descriptor itself.

    Args:
        descriptor: 1 for standard output, 2 for standard error.

    Example:
        >>> with suppress_output(2):
        ...     _ = os.write(2, b"a message that nobody sees")
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(descriptor)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), descriptor)
    try:
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)


def import_tensorflow() -> ModuleType:
    """Import TensorFlow without its messages, and keep it off the accelerator."""
    # Unset, or 1 as JAX sets it: let TensorFlow report only errors.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with suppress_output(2):  # it prints messages at start-up even so
        import tensorflow as tf

        # The accelerator is for JAX. This fails if TensorFlow has already used it.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
        tf.config.list_logical_devices()  # starts the runtime
    return tf
