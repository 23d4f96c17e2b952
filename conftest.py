"""Makes `pytest` and `pytest --nbval chapters/` work as they are typed, from any folder."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

# Kernels inherit the environment. Without a choice of yours, the notebooks run on the embedded
# digits: no network, and seconds instead of minutes.
os.environ.setdefault("MNIST_CODE_DATASET", "digits")
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)


def pytest_configure(config):
    """Tell nbval where the rules for measured output are, and to use this very Python."""
    config.option.nbval_sanitize_with = str(ROOT / "tests" / "sanitize.cfg")
    config.option.nbval_current_env = True


def pytest_collection_modifyitems(items):
    """Skip the one chapter that needs more than requirements.txt, where that is not installed."""
    wanted = ("ai_edge_litert", "starlette", "uvicorn")
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        reason = f"needs {', '.join(missing)}: pip install -c constraints.txt -e '.[export,serve]'"
        for item in items:
            if item.path.name == "15_deployment.ipynb":
                item.add_marker(pytest.mark.skip(reason=reason))
