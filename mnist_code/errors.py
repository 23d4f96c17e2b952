"""What can go wrong outside the program. Each message says what is wrong and what to do."""

from __future__ import annotations


class MnistCodeError(Exception):
    """The base class of every error below. The command line prints it without a traceback."""


class ConfigError(MnistCodeError, ValueError):
    """A setting is out of range, or options do not fit together."""


class FileError(MnistCodeError):
    """A file or folder cannot be read or written."""


class DataError(MnistCodeError):
    """The requested data set is not available."""


class ImageError(MnistCodeError):
    """A picture contains no digit that can be read."""


class ParametersError(MnistCodeError):
    """A file does not hold the parameters of this network."""


class MissingDependencyError(MnistCodeError):
    """A package that only some commands need is not installed."""


class CheckpointError(MnistCodeError):
    """A run cannot use its checkpoints: none fits, or another run is using them."""


class ProcessError(MnistCodeError):
    """The processes of one run cannot reach each other, or one of them is gone."""


class DeviceError(MnistCodeError):
    """JAX cannot use the kind of device that it was told to use."""


class OutputError(MnistCodeError):
    """Standard output is closed, full or gone."""


class DivergedError(MnistCodeError):
    """Training diverged: the loss or a parameter is no longer a finite number."""


def reason(error: BaseException) -> str:
    r"""The cause of an error as a short clause, to put into a sentence.

    Args:
        error: any exception. The operating system's words are used where there are some.

    Example:
        >>> reason(OSError(28, "No space left on device"))
        'no space left on device'
        >>> reason(RuntimeError("Timed out.\nA long explanation follows"))
        'Timed out'
    """
    if words := getattr(error, "strerror", None):
        return words.lower()
    first_line = str(error).strip().split("\n")[0].rstrip(".")
    return first_line[:200] or type(error).__name__
