"""Prepare a data set once with TensorFlow Datasets, and read it back as arrays.

TensorFlow takes seconds to import, so it is imported only where something must be prepared.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np

from mnist_code.data._digits import VERSION
from mnist_code.errors import DataError, reason
from mnist_code.quiet import import_tensorflow, suppress_output

VERSIONS = {"mnist": "3.0.1", "digits": VERSION}
EXAMPLES = {"mnist": (60_000, 10_000), "digits": (1_440, 357)}  # training, test
# Copied from TensorFlow Datasets; a test compares the two.
MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
PROBE_SECONDS = 3.0


def import_tfds() -> ModuleType:
    """Import TensorFlow Datasets without messages, and register the embedded digits with it."""
    import_tensorflow()
    with suppress_output(2):
        import tensorflow_datasets as tfds

        import mnist_code.data._digits_builder  # noqa: F401  registers "digits"
    return tfds


def host_reachable() -> bool:
    """Whether the host that TensorFlow Datasets downloads MNIST from answers in time."""
    import requests

    reached = []

    def ask():
        with contextlib.suppress(requests.RequestException):
            requests.head(MNIST_URL, timeout=PROBE_SECONDS)
            reached.append(True)

    # In a thread, because a name lookup without a network can hang far beyond any timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(reached)


def check_archives(folder: Path) -> None:
    """Compare the four archives in `folder` with the checksums that TensorFlow Datasets knows.

    Raises:
        DataError: one is missing, unreadable, or differs by a single bit.
    """
    for url, known in import_tfds().builder_cls("mnist").url_infos.items():
        path = folder / url.rsplit("/", 1)[1]
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DataError(
                f"Cannot read {path}: {reason(error)}. MNIST_CODE_ARCHIVES must name a folder with "
                "MNIST's four original .gz archives; correct it, or unset it."
            ) from None
        if found != known.checksum:
            raise DataError(
                f"{path} is corrupt: it has {path.stat().st_size:,} bytes and the SHA-256 checksum "
                f"{found[:8]}…, not {int(known.size):,} and {known.checksum[:8]}…. Copy it again."
            )


def prepared_file(name: str, data_dir: Path) -> Path:
    """The file that TensorFlow Datasets writes last: if it exists, the data set is complete."""
    return data_dir / name / VERSIONS[name] / "dataset_info.json"


def prepare_with_tfds(name: str, data_dir: Path, archives: Path | None = None) -> None:
    """Let TensorFlow Datasets prepare `name` under `data_dir`, unless it has already done so.

    Call it under a lock: it deletes what an interrupted preparation left behind.

    Args:
        name: "mnist" or "digits".
        data_dir: where TensorFlow Datasets keeps its data sets.
        archives: a folder with MNIST's four archives; without it they are downloaded (11 MB).

    Raises:
        DataError: an archive is corrupt, there is no network, or the folder cannot be written to.
    """
    if prepared_file(name, data_dir).exists():
        return
    if name == "mnist" and archives is not None:
        check_archives(archives)
    elif name == "mnist" and not host_reachable():
        raise DataError(
            "MNIST is not prepared here and its host cannot be reached. Connect to a network, "
            "or put MNIST's four archives into a folder and name it in MNIST_CODE_ARCHIVES, or use "
            "the embedded digits (MNIST_CODE_DATASET=digits)."
        )
    tfds = import_tfds()
    at_terminal = sys.stderr.isatty()
    (tfds.enable_progress_bar if at_terminal else tfds.disable_progress_bar)()
    try:
        for leftover in (data_dir / name).glob("*incomplete*"):
            shutil.rmtree(leftover, ignore_errors=True)
        builder = tfds.builder(f"{name}:{VERSIONS[name]}", data_dir=data_dir)
        with contextlib.redirect_stdout(sys.stderr if at_terminal else io.StringIO()):
            builder.download_and_prepare(
                download_config=tfds.download.DownloadConfig(manual_dir=archives)
            )
    except (
        Exception
    ) as error:  # the network, TensorFlow and the disk each raise their own
        raise DataError(
            f"Cannot prepare {name} in {data_dir}: {reason(error)}. Check the network and the "
            "free space there, or name another folder in TFDS_DATA_DIR."
        ) from error


def read_arrays(name: str, data_dir: Path) -> dict[str, np.ndarray]:
    """Read a whole prepared data set, in the order in which TensorFlow Datasets stores it.

    Returns:
        `train_images`, `test_images` (n, 28, 28, 1), uint8; `train_labels`, `test_labels` (n,),
        int32.

    Raises:
        DataError: the prepared files are corrupt.
    """
    tfds = import_tfds()
    arrays = {}
    try:
        for split, expected in zip(("train", "test"), EXAMPLES[name], strict=True):
            images, labels = tfds.as_numpy(
                tfds.load(
                    name, split=split, data_dir=data_dir, download=False, batch_size=-1,
                    as_supervised=True,
                )
            )  # fmt: skip
            if len(images) != expected:
                raise ValueError(
                    f"{split} contains {len(images):,} images, not {expected:,}"
                )
            arrays[f"{split}_images"] = images
            arrays[f"{split}_labels"] = labels.astype(np.int32)
    except Exception as error:
        raise DataError(
            f"The prepared data in {data_dir / name} are corrupt: {reason(error)}. "
            "Delete that folder and try again."
        ) from error
    return arrays
