"""Find digits, prepare them once, and keep their arrays in one file."""

from __future__ import annotations

import contextlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mnist_code.config import DATASETS
from mnist_code.data._arrays import Dataset
from mnist_code.data._digits import embedded_digits
from mnist_code.data._prepare import (
    EXAMPLES,
    VERSIONS,
    import_tfds,
    prepare_with_tfds,
    prepared_file,
    read_arrays,
)
from mnist_code.errors import ConfigError, DataError, FileError, reason
from mnist_code.files import atomic_write


def data_dir() -> Path:
    """The folder in which TensorFlow Datasets keeps data sets: `TFDS_DATA_DIR`, or its default."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def load(dataset: str | None = None) -> Dataset:
    """Load digits as arrays, and print one line that says which.

    The first time, the arrays are prepared and kept in one file under `data_dir()`. After that,
    loading takes a fraction of a second and does not import TensorFlow.

    Args:
        dataset: "auto" (MNIST if it is available, otherwise the embedded digits), "mnist" or
            "digits"; by default the environment variable `MNIST_CODE_DATASET`, or "auto".

    Raises:
        DataError: MNIST was requested and is not available, or an archive or a prepared file is
            corrupt.
        FileError: MNIST must be prepared and its folder cannot be written to.
        ConfigError: `dataset` is none of the three.

    Example:
        >>> dataset = load("digits")
        Data: digits, 1,440 images for training, 357 for testing
        >>> dataset.train_images.shape, dataset.train_images.dtype.name
        ((1440, 28, 28, 1), 'uint8')
    """
    kept, prepared = _kept_file("mnist"), prepared_file("mnist", data_dir())
    name, why = _choose(
        dataset, lambda: prepared.exists() or _read_npz(kept) is not None
    )
    arrays = _load_arrays(name)
    print(_line(name, len(arrays["train_labels"]), len(arrays["test_labels"]), why))
    return Dataset(name, **arrays)


def prepare(dataset: str | None = None) -> str:
    """Make sure that `tfds.load(name, data_dir=data_dir())` needs no network; return the name.

    Takes the same argument as `load`, prints the same line, and raises the same errors. The digits
    are prepared as well, so FileError is raised for them too, if their folder cannot be written to.

    Example:
        >>> prepare("digits")
        Data: digits, 1,440 images for training, 357 for testing
        'digits'
    """
    name, why = _choose(dataset, prepared_file("mnist", data_dir()).exists)
    _prepare(name)
    import_tfds()  # makes the name "digits" known to it
    print(_line(name, *EXAMPLES[name], why))
    return name


def _line(name: str, train: int, test: int, why: str) -> str:
    return f"Data: {name}, {train:,} images for training, {test:,} for testing{why}"


def _archives() -> Path | None:
    folder = os.environ.get("MNIST_CODE_ARCHIVES")
    return Path(folder).expanduser() if folder else None


def _kept_file(name: str) -> Path:
    return data_dir() / "mnist_code" / f"{name}-{VERSIONS[name]}.npz"


def _choose(dataset: str | None, mnist_is_ready: Callable[[], bool]) -> tuple[str, str]:
    """Choose between MNIST, which may have to be prepared first, and the embedded digits.

    Returns:
        The name, and a remark where a reader would wonder about the choice.
    """
    dataset = dataset or os.environ.get("MNIST_CODE_DATASET") or "auto"
    if dataset not in DATASETS:
        raise ConfigError(
            f"dataset must be one of {', '.join(DATASETS)}, not {dataset!r}"
        )
    if dataset == "digits":
        return "digits", ""
    if not mnist_is_ready():
        try:
            _prepare("mnist")
        except DataError as error:
            if dataset == "mnist" or _archives():  # requested: no silent replacement
                raise
            return "digits", f" (embedded: {str(error).split('. ')[0]})"
    return "mnist", ""


def _prepare(name: str) -> None:
    if not prepared_file(name, data_dir()).exists():
        with data_lock():
            prepare_with_tfds(name, data_dir(), _archives())


def _load_arrays(name: str) -> dict[str, np.ndarray]:
    """Read the arrays from the file that keeps them; make it if it is missing or corrupt."""
    path = _kept_file(name)
    if (arrays := _read_npz(path)) is not None:
        return arrays
    try:
        with data_lock():
            if (arrays := _read_npz(path)) is not None:
                return arrays  # another process has just made it
            arrays = _make_arrays(name)
            for leftover in path.parent.glob("*.part"):  # of a run that was killed
                leftover.unlink()
            with atomic_write(path) as file:
                np.savez(file, allow_pickle=False, **arrays)
    except FileError:
        # A read-only or full disk. The file only saves time, unless MNIST must be prepared.
        if arrays is None:
            if name != "digits" and not prepared_file(name, data_dir()).exists():
                raise
            arrays = _make_arrays(name)
    return arrays


def _make_arrays(name: str) -> dict[str, np.ndarray]:
    if name == "digits":
        return embedded_digits()
    prepare_with_tfds(name, data_dir(), _archives())
    return read_arrays(name, data_dir())


def _read_npz(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of an intact file; None if it is missing or corrupt and must be made again."""
    # A corrupt file makes zipfile and NumPy raise all kinds of errors.
    with contextlib.suppress(Exception):
        with zipfile.ZipFile(path) as file:
            intact = file.testzip() is None  # compares the checksum of each array
        if intact:
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
    return None


@contextlib.contextmanager
def data_lock() -> Iterator[None]:
    """Let one process at a time prepare data. The lock is released even if its holder is killed.

    Raises:
        FileError: the folder of the data cannot be written to.
    """
    from filelock import FileLock, Timeout

    folder = data_dir() / "mnist_code"
    lock = FileLock(folder / "lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=2)
        except Timeout:
            if sys.stderr.isatty():
                print("Waiting for another process to prepare data", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        raise FileError(
            f"Cannot write to {folder}: {reason(error)}. "
            "Set TFDS_DATA_DIR to a folder that you can write to."
        ) from error
    try:
        yield
    finally:
        lock.release()
