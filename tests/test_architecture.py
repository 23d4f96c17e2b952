"""The package as a house: imports run one way, and Part I stands on its own."""

from __future__ import annotations

import ast

import pytest
from helpers import ROOT

PACKAGE = ROOT / "mnist_code"
# Each imports only from those before it. The README describes them in this order.
ORDER = [
    "errors", "config", "files", "quiet", "console", "interrupts", "images", "data",
    "model", "evaluation", "learning",
    "augment", "normalize", "parallel", "recipes", "processes", "training", "storage", "checkpoint",
    "recorder", "export", "browser", "serve",
    "arguments", "cli", "__main__",
]  # fmt: skip
PART_I = ["model", "evaluation", "learning"]


def sources(module):
    """The files of a module, or of a package."""
    path = PACKAGE / module
    return sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imported(path):
    """The modules of the package that a file imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "mnist_code":
            names |= {alias.name for alias in node.names} - {"__version__"}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [alias.name for alias in node.names if not found]
            names |= {
                name.split(".")[1] for name in found if name.startswith("mnist_code.")
            }
    return names


def test_every_module_has_its_place():
    """A new module that nobody put in order."""
    found = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found | rooms == set(ORDER) | {"book", "exercises"}


@pytest.mark.parametrize("module", ORDER)
def test_imports_run_one_way(module):
    """An import against the order, or of what is there for the book alone."""
    before = {*ORDER[: ORDER.index(module)], *(["data"] if module == "data" else [])}
    for path in sources(module):
        assert imported(path) <= before, path.name


def test_part_one_comes_before_part_two():
    """An order in which the two-layer network could import recipes, meshes or checkpoints."""
    first = ORDER.index("data") + 1
    assert ORDER[first : first + len(PART_I)] == PART_I


def test_part_one_is_short():
    """Part I is what the reader has written by hand in eleven chapters."""
    lines = sum(
        len(path.read_text("utf-8").splitlines()) for m in PART_I for path in sources(m)
    )
    assert lines <= 340
