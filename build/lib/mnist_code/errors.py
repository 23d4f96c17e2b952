"""What can go wrong outside the program, each as one sentence a person can act on."""

from __future__ import annotations

INTERRUPTED = 130  # the exit status that a shell expects after Ctrl-C


class MnistCodeError(Exception):
    """The base of every error below: the command line prints it without a traceback."""


class SettingError(MnistCodeError, ValueError):
    """A setting is outside its range."""


class FileError(MnistCodeError):
    """A file or folder cannot be read or written."""


class DataError(MnistCodeError):
    """The data set asked for cannot be had."""


class ImageError(MnistCodeError):
    """A picture holds no digit that can be read."""


class ParametersError(MnistCodeError):
    """A file does not hold the parameters of this network."""


class PackageError(MnistCodeError):
    """A package that only some commands need is not installed."""


class CheckpointError(MnistCodeError):
    """A run cannot go on from the checkpoints there."""


class ProcessError(MnistCodeError):
    """Another process of the same run is missing."""


class DivergedError(MnistCodeError):
    """Training ran away: the loss or a parameter is no longer a finite number."""
