"""What the unit tests share: shapes checked at run time, strict JAX, data sets, the built book."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock
from jaxtyping import install_import_hook

# Every call of the package checks the shapes and dtypes that its types promise. As everywhere in
# Python's typing, an int will do for a float.
install_import_hook(
    "mnist_code", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)

# Read before any test changes the environment.
ARCHIVES = os.environ.get("MNIST_CODE_ARCHIVES")

import jax  # noqa: E402
import matplotlib as mpl  # noqa: E402
import pytest  # noqa: E402
from helpers import build_book, without_proxy  # noqa: E402
from pages import browser, server, visit  # noqa: E402, F401 (fixtures)

mpl.use("agg")  # no window, on any machine
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 8)  # a mesh on any machine


NEEDED = (
    "ai_edge_litert",
    "beartype",
    "hypothesis",
    "playwright",
    "prometheus_client",
    "psutil",
    "starlette",
    "uvicorn",
    "yaml",
)


def pytest_configure():
    """Say in one line what is missing, instead of an error for each module."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise pytest.UsageError(
            f"The unit tests also need {', '.join(missing)}: "
            "pip install -c constraints.txt -e '.[dev,export,serve,bench]'. "
            "The notebooks run without: pytest --nbval chapters/"
        )


@pytest.fixture(scope="session")
def nightly():
    """Whether there is time for tests that repeat something many times: NIGHTLY=1."""
    return os.environ.get("NIGHTLY", "0") not in ("", "0")


@pytest.fixture(scope="session")
def dataset():
    """The embedded digits: they need no network."""
    from mnist_code import data

    return data.load("digits")


@pytest.fixture(scope="session")
def train(dataset):
    """The training images of the digits as vectors, and their labels, on the device."""
    from mnist_code.data import on_device

    return on_device(dataset)[:2]


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
def mnist(archives):
    """MNIST, prepared once; skipped where its archives are not at hand."""
    from mnist_code import data

    return data.load("mnist")


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """The folder of the book's pages, built with every warning an error.

    BUILT_BOOK may name the pages that `make book` has just built from the same files. Otherwise
    they are built here, once for all workers of pytest-xdist.
    """
    if pages := os.environ.get("BUILT_BOOK"):
        assert (Path(pages) / "index.html").is_file(), f"BUILT_BOOK={pages}: no book"
        return Path(pages).resolve()
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    built = shared / "book" / "built"
    with FileLock(shared / "book.lock"):
        if not built.exists():
            build_book(shared / "book")
            built.touch()
    return shared / "book" / "_build" / "html"


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Commands run in a folder of their own, to which their default files go, on the digits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_CODE_DATASET", "digits")


@pytest.fixture
def lonely(tmp_path):
    """An environment with an empty data folder, no archives, and a network that answers nobody."""
    known = without_proxy()
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
