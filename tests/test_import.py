"""What an import costs: no TensorFlow, little time."""

from __future__ import annotations

import importlib.util
import pkgutil
import statistics
import time

import pytest

import mnist_code

# `__main__` runs the program; `_digits_builder` is loaded by TensorFlow Datasets only.
HEAVY = {"mnist_code.__main__", "mnist_code.data._digits_builder"}
LIGHT = sorted(
    module.name
    for module in pkgutil.walk_packages(mnist_code.__path__, "mnist_code.")
    if module.name not in HEAVY
)
# What no chapter waits for: figures, which need Matplotlib, the command, and its web server.
LATER = ("mnist_code.book", "mnist_code.cli", "mnist_code.serve")


def test_no_module_imports_tensorflow(python):
    """A stray import at the top of a module: seconds, and messages on standard error."""
    lines = "".join(f"import {name}\n" for name in LIGHT)
    heavy = "{'tensorflow', 'tensorflow_datasets', 'sklearn', 'scipy.ndimage'} & set(sys.modules)"
    result = python("-c", f"import sys\n{lines}print({heavy})")
    assert (result.stdout, result.stderr) == ("set()\n", "")
    wanted = {"mnist_code.data._load", "mnist_code.training", "mnist_code.book.plots"}
    assert wanted <= set(LIGHT)


def test_the_machine_is_not_mentioned(python, lonely):
    """Notices about fonts, folders and hardware, which a notebook would show in some cell."""
    from mnist_code.quiet import _NOTICES

    lines = "".join(
        f"logging.getLogger({name!r}).warning({phrase!r})\n"
        for name, phrases in _NOTICES.items()
        for phrase in phrases
    )
    kept = "logging.getLogger('matplotlib.font_manager').warning('findfont: none')"
    result = python("-c", f"import logging, mnist_code\n{lines}{kept}", env=lonely)
    assert (result.returncode, result.stderr) == (0, "findfont: none\n")
    # The libraries still say these things: otherwise nothing is suppressed.
    for name, phrases in _NOTICES.items():
        source = importlib.util.find_spec(name).loader.get_source(name)
        for phrase in phrases:
            assert phrase in source


@pytest.mark.serial
@pytest.mark.slow
def test_the_package_costs_less_than_a_second(python):
    """An import that a reader waits for in every chapter."""

    def seconds(statement):
        runs = []
        for _ in range(3):
            start = time.perf_counter()
            assert python("-c", statement).returncode == 0
            runs.append(time.perf_counter() - start)
        return statistics.median(runs)

    modules = ", ".join(name for name in LIGHT if not name.startswith(LATER))
    assert seconds(f"import jax, {modules}") - seconds("import jax") < 1
