"""Makes `pytest` and `pytest --nbval chapters/` work as they are typed, from any folder."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "tools"))
from notebook_environment import prepare  # noqa: E402

# Kernels inherit the environment. Unless you choose a data set yourself, the notebooks run on the
# embedded digits: no network, and seconds instead of minutes.
prepare(os.environ)
os.environ.setdefault("MNIST_CODE_DATASET", "digits")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Run two notebooks at a time, which takes half as long; `-n 0` runs one after the other."""
    if getattr(config.option, "numprocesses", 0) is not None:
        return  # somebody said how many, or pytest-xdist is not installed
    chapters = ROOT / "chapters"
    paths = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    inside = all(chapters in (path, *path.parents) for path in paths)
    alone = "PYTEST_XDIST_WORKER" in os.environ or (os.cpu_count() or 1) < 2
    if inside and not alone and any(path.is_dir() for path in paths):
        config.option.numprocesses = 2


def pytest_configure(config):
    """Tell nbval how to compare, and pytest-xdist to keep the cells of a notebook together."""
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")
    config.option.nbval_current_env = True
    # Under `-n 2` alone, pytest-xdist would hand the cells of one notebook to several workers.
    if getattr(config.option, "dist", "no") in ("load", "loadgroup", "worksteal"):
        config.option.dist = "loadfile"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Keep the cells of a notebook in order, and skip what is not installed."""
    wanted = ("ai_edge_litert", "prometheus_client", "starlette", "uvicorn")
    missing = [name for name in wanted if find_spec(name) is None]
    reason = f"needs {', '.join(missing)}: pip install -c constraints.txt -e '.[export,serve]'"
    first: dict[Path, int] = {}
    places = {}
    for number, item in enumerate(items):
        places[item] = (number, 0)
        if isinstance(item, IPyNbCell):
            # Plugins such as pytest-randomly shuffle all items, and cells build on each other.
            places[item] = (first.setdefault(item.path, number), item.cell_num)
            if missing and item.path.name == "15_deployment.ipynb":
                item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(key=places.__getitem__)


@functools.cache
def compiled_once():
    """The settings with which kernels share what they compile, in a folder of this session."""
    folder = tempfile.mkdtemp(prefix="compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Start kernels with a shared cache: chapters compile much that is alike, for most of a minute.

    Nothing else gets it. JAX does not write it atomically, and some tests kill what they start.
    """
    if not isinstance(item, IPyNbCell):
        return (yield)
    os.environ.update(compiled_once())
    try:
        return (yield)
    finally:
        for name in compiled_once():
            del os.environ[name]


def count_figures(outputs):
    """How many of a cell's outputs hold a picture."""
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Count the figures of each cell: nbval does not notice when one is missing."""
    result = yield
    if isinstance(item, IPyNbCell):
        found, stored = map(count_figures, (item.test_outputs, item.cell.outputs))
        if found != stored:
            item.raise_cell_error(f"{found} figures, where {stored} are stored")
    return result
