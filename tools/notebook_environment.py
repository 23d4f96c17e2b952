"""The environment variables that notebooks run with, under pytest and `make notebooks` alike.

A reader's shell may hold settings that change what cells print. Each of these made notebooks fail,
or lose their figures without a word.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def prepare(environment: MutableMapping[str, str]) -> None:
    """Change an environment in place so that notebooks print the same on every machine."""
    # Kernels choose the backend that shows figures, unless this names another one.
    environment.pop("MPLBACKEND", None)
    # Python would skip every assertion.
    environment.pop("PYTHONOPTIMIZE", None)
    # JAX_ENABLE_X64, JAX_DISABLE_JIT, JAX_COMPILATION_CACHE_DIR and their like; XLA_FLAGS may, for
    # example, change the number of devices.
    for name in list(environment):
        if name == "XLA_FLAGS" or (name.startswith("JAX_") and name != "JAX_PLATFORMS"):
            del environment[name]
    # The stored outputs are those of a CPU: accelerators round differently.
    environment.setdefault("JAX_PLATFORMS", "cpu")
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
