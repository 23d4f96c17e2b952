"""Prepare a data set once with TensorFlow Datasets, and read it back as arrays.

TensorFlow takes seconds to import, so it is imported only when something has to be prepared.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np

from mnist_code import digits
from mnist_code.errors import DataError

VERSIONS = {"mnist": "3.0.1", "digits": digits.VERSION}
EXAMPLES = {"mnist": (60_000, 10_000), "digits": (1_440, 357)}  # to learn, to test
# As TensorFlow Datasets has it; a test compares them.
MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"
PROBE_SECONDS = 3.0


def import_tensorflow() -> ModuleType:
    """Import TensorFlow quietly, and keep it off the accelerator."""
    # Unset, or 1 as JAX sets it: let TensorFlow report errors alone.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with silent_stderr():  # its start-up is noisy all the same
        import tensorflow as tf

        # JAX alone uses the accelerator. Too late once TensorFlow has used it.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
        tf.config.list_logical_devices()  # starts the runtime
    return tf


def import_tfds() -> ModuleType:
    """Import TensorFlow Datasets and TensorFlow quietly, and make our digits known to them."""
    import_tensorflow()
    with silent_stderr():
        import tensorflow_datasets as tfds

        import mnist_code.digits_builder  # noqa: F401  registers "digits"
    return tfds


@contextlib.contextmanager
def silent(descriptor: int):
    """Send what C++ writes to standard output (1) or error (2) nowhere, for a moment."""
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


def silent_stderr():
    """`silent`, for what TensorFlow says about itself."""
    return silent(2)


def host_answers(seconds: float = PROBE_SECONDS) -> bool:
    """Whether the host that TensorFlow Datasets downloads MNIST from answers in time."""
    import requests

    answers = []

    def ask():
        with contextlib.suppress(requests.RequestException):
            requests.head(MNIST_URL, timeout=seconds)
            answers.append(True)

    # In a thread, since a name look-up without a network can hang far beyond any timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)


def check_archives(folder: Path) -> None:
    """Compare the four archives in `folder` with the sums that TensorFlow Datasets knows.

    Raises:
        DataError: one is missing, cannot be read, or differs by so much as a bit.
    """
    for url, known in import_tfds().builder_cls("mnist").url_infos.items():
        path = folder / url.rsplit("/", 1)[1]
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(
                f"Cannot read {path}: {reason}. MNIST_CODE_ARCHIVES must name a folder with "
                "MNIST's four original .gz archives; correct it, or unset it."
            ) from None
        if found != known.checksum:
            raise DataError(
                f"{path} is damaged: it has {path.stat().st_size:,} bytes and the SHA-256 sum "
                f"{found[:8]}…, not {int(known.size):,} and {known.checksum[:8]}…. Copy it anew."
            )


def prepared_file(name: str, data_dir: Path) -> Path:
    """The file that TensorFlow Datasets writes last: where it stands, the data set is whole."""
    return data_dir / name / VERSIONS[name] / "dataset_info.json"


def prepare_with_tfds(name: str, data_dir: Path, archives: Path | None = None) -> None:
    """Let TensorFlow Datasets prepare `name` under `data_dir`, unless it has already.

    Call it under a lock: it clears away what an interrupted preparation left.

    Args:
        name: "mnist" or "digits".
        data_dir: where TensorFlow Datasets keeps its data sets.
        archives: a folder with MNIST's four archives; without it they are downloaded (11 MB).

    Raises:
        DataError: an archive is damaged, there is no network, or the folder cannot be written.
    """
    if prepared_file(name, data_dir).exists():
        return
    if name == "mnist" and archives is not None:
        check_archives(archives)
    elif name == "mnist" and not host_answers():
        raise DataError(
            "MNIST is not prepared here and its host does not answer. Connect to a network, or put "
            "MNIST's four archives into a folder and name it in MNIST_CODE_ARCHIVES, or use the "
            "embedded digits (MNIST_CODE_DATASET=digits)."
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
    except Exception as error:  # the network, TensorFlow, the disk: each has its own
        raise DataError(
            f"Cannot prepare {name} in {data_dir}: {_first_line(error)}. Check the network and the "
            "free space there, or name another folder in TFDS_DATA_DIR."
        ) from error


def read_arrays(name: str, data_dir: Path) -> dict[str, np.ndarray]:
    """Read a prepared data set whole, in the order in which TensorFlow Datasets keeps it.

    Returns:
        `train_images`, `test_images` (n, 28, 28, 1), uint8; `train_labels`, `test_labels` (n,),
        int32.

    Raises:
        DataError: the prepared files are damaged.
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
                raise ValueError(f"{split} holds {len(images):,}, not {expected:,}")
            arrays[f"{split}_images"] = images
            arrays[f"{split}_labels"] = labels.astype(np.int32)
    except Exception as error:
        raise DataError(
            f"The prepared data in {data_dir / name} are damaged: {_first_line(error)}. "
            "Delete that folder and try again."
        ) from error
    return arrays


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")[:200] or type(error).__name__
