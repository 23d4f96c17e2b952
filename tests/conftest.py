"""What the unit tests share: shapes checked at run time, strict JAX, prepared digits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from jaxtyping import install_import_hook

# Every call of the package checks the shapes and dtypes that its types promise. As everywhere in
# Python's typing, an int will do for a float.
install_import_hook(
    "mnist_code", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

# Read before any test changes the environment.
ARCHIVES = os.environ.get("MNIST_CODE_ARCHIVES")

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 8)  # a mesh on any machine


@pytest.fixture(scope="session")
def dataset():
    """The embedded digits: they need no network."""
    from mnist_code import data

    return data.load("digits")


@pytest.fixture(scope="session")
def train(dataset):
    """The training images of the digits as vectors, and their labels, on the device."""
    from mnist_code.data import as_vectors

    return jax.numpy.asarray(as_vectors(dataset.train_images)), jax.numpy.asarray(
        dataset.train_labels
    )


@pytest.fixture(scope="session")
def trained(dataset):
    """The parameters of a network that knows the digits."""
    from mnist_code.config import Config
    from mnist_code.training import fit

    return fit(dataset, Config(epochs=15))[0]


@pytest.fixture(scope="session")
def archives():
    """The folder of MNIST's archives; tests that need the real ones are skipped without it."""
    if not ARCHIVES:
        pytest.skip(
            "set MNIST_CODE_ARCHIVES to a folder with MNIST's four archives to run this"
        )
    return ARCHIVES


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The folder of the book's pages, built afresh with every warning an error."""
    out = tmp_path_factory.mktemp("book")
    jupyter_book = shutil.which("jupyter-book", path=Path(sys.executable).parent)
    root = Path(__file__).parent.parent
    options = ["--path-output", out, "-W", "-n", "--keep-going"]
    command = [jupyter_book, "build", root, *options]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return out / "_build" / "html"


@pytest.fixture
def lonely(tmp_path):
    """An environment with an empty data folder, no archives, and a network that answers nobody."""
    known = {
        name: value for name, value in os.environ.items() if "proxy" not in name.lower()
    }
    known.pop("MNIST_CODE_ARCHIVES", None)
    known.pop("MNIST_CODE_DATASET", None)
    return {
        **known,
        "TFDS_DATA_DIR": str(tmp_path / "data"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }


@pytest.fixture
def python(tmp_path):
    """Run Python as a process of its own: `python("-m", "mnist_code", ..., env=...)`."""

    def run(*arguments, timeout=120, **options):
        options = {"cwd": tmp_path, "capture_output": True, "text": True, **options}
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            timeout=timeout,
            check=False,
            **options,
        )

    return run
