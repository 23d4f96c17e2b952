"""What an import costs: no TensorFlow, little time."""

from __future__ import annotations

import pkgutil
import statistics
import time

import pytest

import mnist_code

LIGHT = sorted(
    {module.name for module in pkgutil.iter_modules(mnist_code.__path__)}
    - {
        "__main__",
        "digits_builder",
    }  # the one runs the program, the other is for TensorFlow
)


def test_no_module_imports_tensorflow(python):
    """A stray import at the top of a module: seconds, and messages on standard error."""
    lines = "".join(f"import mnist_code.{name}\n" for name in LIGHT)
    heavy = "{'tensorflow', 'tensorflow_datasets', 'sklearn'} & set(sys.modules)"
    result = python("-c", f"import sys\n{lines}print({heavy})")
    assert (result.stdout, result.stderr) == ("set()\n", "")
    assert {"data", "training", "cli"} <= set(LIGHT)


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

    modules = ", ".join(
        f"mnist_code.{name}" for name in LIGHT if name not in ("plots", "cli")
    )
    assert seconds(f"import jax, {modules}") - seconds("import jax") < 1
