"""Where digits come from: one door, `load`, and the `tf.data` pipeline that chapter 2 builds.

`load` finds digits in this order: MNIST as prepared before; MNIST prepared from the archives in
`MNIST_CODE_ARCHIVES`; MNIST downloaded, if its host answers; the digits embedded in scikit-learn.
"""

from __future__ import annotations

import contextlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int32, UInt8

from mnist_code import digits
from mnist_code.config import DATASETS
from mnist_code.errors import DataError, FileError, SettingError
from mnist_code.files import write_whole
from mnist_code.preparation import (
    EXAMPLES,
    VERSIONS,
    import_tfds,
    prepare_with_tfds,
    prepared_file,
    read_arrays,
)


@dataclass(frozen=True)
class Dataset:
    """Images of digits and their labels, as NumPy arrays.

    Images are uint8, 0 (black) to 255 (white), of shape (n, 28, 28, 1); labels are 0 to 9.
    """

    name: str
    train_images: UInt8[np.ndarray, "train 28 28 1"]
    train_labels: Int32[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test 28 28 1"]
    test_labels: Int32[np.ndarray, " test"]


def data_dir() -> Path:
    """The folder in which TensorFlow Datasets keeps data sets: `TFDS_DATA_DIR`, or its default."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def load(dataset: str | None = None) -> Dataset:
    """Load digits as arrays, and print one line that says which.

    The first time, the arrays are prepared and kept as one file under `data_dir()`; afterwards
    loading takes a fraction of a second and does not import TensorFlow.

    Args:
        dataset: "auto" (MNIST if it can be had, else the embedded digits), "mnist" or "digits";
            without it, the environment variable `MNIST_CODE_DATASET`, or "auto".

    Raises:
        DataError: MNIST was demanded and cannot be had, or an archive is damaged.
        FileError: the folder of the data cannot be written.
        SettingError: `dataset` is none of the three.

    Example:
        >>> dataset = load("digits")
        Data: digits, 1,440 images for training, 357 for testing
        >>> dataset.train_images.shape, dataset.train_images.dtype.name
        ((1440, 28, 28, 1), 'uint8')
    """
    kept, prepared = _kept_file("mnist"), prepared_file("mnist", data_dir())
    name, why = _choose(dataset, lambda: kept.exists() or prepared.exists())
    arrays = _kept_arrays(name)
    print(_line(name, len(arrays["train_labels"]), len(arrays["test_labels"]), why))
    return Dataset(name, **arrays)


def prepare(dataset: str | None = None) -> str:
    """Make sure that `tfds.load(name, data_dir=data_dir())` needs no network, and return the name.

    Takes and raises what `load` does, and prints the same line.

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
    """Choose between MNIST, which may have to be prepared for it, and the embedded digits.

    Returns:
        The name, and a remark where a reader would wonder why it is this one.
    """
    dataset = dataset or os.environ.get("MNIST_CODE_DATASET") or "auto"
    if dataset not in DATASETS:
        raise SettingError(
            f"dataset must be one of {', '.join(DATASETS)}, not {dataset!r}"
        )
    if dataset == "digits":
        return "digits", ""
    if not mnist_is_ready():
        try:
            _prepare("mnist")
        except DataError as error:
            if dataset == "mnist" or _archives():  # asked for: no silent replacement
                raise
            return "digits", f" (embedded: {str(error).split('. ')[0]})"
    return "mnist", ""


def _prepare(name: str) -> None:
    with _only_one_process():
        prepare_with_tfds(name, data_dir(), _archives())


def _kept_arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays from the file that keeps them; made now if it is missing or damaged."""
    path = _kept_file(name)
    if (arrays := _read_npz(path)) is not None:
        return arrays
    with _only_one_process():
        if (arrays := _read_npz(path)) is not None:
            return arrays  # another process has just made it
        if name == "digits":
            arrays = digits.embedded_digits()
        else:
            prepare_with_tfds(name, data_dir(), _archives())
            arrays = read_arrays(name, data_dir())
        for leftover in path.parent.glob("*.part"):  # of a run that was killed
            leftover.unlink()
        with write_whole(path) as file:
            np.savez(file, allow_pickle=False, **arrays)
    return arrays


def _read_npz(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a file that is whole; None, so that it is made anew, if it is not."""
    with contextlib.suppress(
        Exception
    ):  # damage makes zipfile and NumPy raise anything
        with zipfile.ZipFile(path) as file:
            whole = file.testzip() is None  # compares the sum of each array and header
        if whole:
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
    return None


@contextlib.contextmanager
def _only_one_process() -> Iterator[None]:
    """Two processes that prepare at once wait for each other; a lock ends with its holder."""
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
            f"Cannot write to {folder}: {(error.strerror or str(error)).lower()}. "
            "Set TFDS_DATA_DIR to a folder that you can write."
        ) from error
    try:
        yield
    finally:
        lock.release()


def as_vectors(images: UInt8[np.ndarray, "n 28 28 1"]) -> Float[np.ndarray, "n 784"]:
    """Flatten images and scale them: what the network takes.

    Args:
        images: 0 to 255.

    Returns:
        float32, 0 to 1, one row per image.

    Example:
        >>> white = np.full((2, 28, 28, 1), 255, np.uint8)
        >>> as_vectors(white).shape, as_vectors(white).max()
        ((2, 784), np.float32(1.0))
    """
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)


def pipeline(
    name: str, split: str, batch_size: int = 32, seed: int | None = None
) -> Iterable[tuple[Float[np.ndarray, "batch 28 28 1"], np.ndarray]]:
    """The `tf.data` pipeline of chapter 2: shuffle, batch, scale, prefetch, as NumPy.

    Each pass over the result reshuffles. The last batch is ragged where the size does not divide.

    Args:
        name: what `prepare` returned.
        split: "train", "test", or a part such as "train[:90%]".
        batch_size: examples in a batch.
        seed: decides the shuffles; without it, batches come in the data set's own order.

    Returns:
        An iterable of (images, labels): float32 (batch, 28, 28, 1) from 0 to 1; int64 (batch,).

    Example:
        >>> name = prepare("digits")
        Data: digits, 1,440 images for training, 357 for testing
        >>> images, labels = next(iter(pipeline(name, "train", batch_size=4)))
        >>> images.shape, labels.shape, float(images.max())
        ((4, 28, 28, 1), (4,), 1.0)
    """
    tfds = import_tfds()
    import tensorflow as tf

    # TensorFlow Datasets itself keeps small data sets in memory after the first pass.
    examples = tfds.load(
        name, split=split, data_dir=data_dir(), download=False, as_supervised=True
    )
    if seed is not None:
        examples = examples.shuffle(len(examples), seed=seed)

    def scale(images, labels):
        return tf.cast(images, tf.float32) / 255, labels

    return tfds.as_numpy(examples.batch(batch_size).map(scale).prefetch(1))
