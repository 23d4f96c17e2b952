"""Silence what libraries print on their own."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

# JAX and Matplotlib log these when they're first used: that a GPU isn't being used, that a folder
# is read-only, that fonts are being searched. None of that changes a result, but in a notebook it
# would become part of a cell's output.
_NOTICES = {
    "jax._src.xla_bridge": ["may be present on this machine"],
    "matplotlib": [
        "mkdir -p failed",
        "is not a writable directory",
        "created a temporary cache directory",
    ],
    "matplotlib.font_manager": [
        "is building the font cache",
        "Could not save font_manager cache",
    ],
}


def suppress_notices() -> None:
    """Keep the notices of JAX and Matplotlib about the machine off standard error."""
    for name, phrases in _NOTICES.items():
        logging.getLogger(name).addFilter(_without(phrases))


def _without(phrases: list[str]) -> Callable[[logging.LogRecord], bool]:
    """A filter that drops messages with one of these phrases."""
    return lambda record: not any(phrase in str(record.msg) for phrase in phrases)


@contextlib.contextmanager
def suppress_output(descriptor: int) -> Iterator[None]:
    """Discard everything written to a file descriptor while the block runs.

    Redirecting `sys.stdout` would not be enough: C++ writes to the descriptor itself.

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
    with suppress_output(2):  # even then, it prints messages at start-up
        import tensorflow as tf

        # The accelerator is for JAX. This fails if TensorFlow has already used it.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
        tf.config.list_logical_devices()  # starts the runtime
    return tf
