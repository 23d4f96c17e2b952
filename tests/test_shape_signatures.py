"""The reference: types as the source writes them, and every function of the package."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from functools import partial
from typing import NamedTuple

import jax
import pytest
from helpers import ROOT
from jaxtyping import Array, Float

from mnist_code.book import shape_signatures as extension

REFERENCE = (ROOT / "appendices" / "reference.md").read_text(encoding="utf-8")
MODULES = re.findall(r"automodule:: mnist_code\.([\w.]+)", REFERENCE)
CONFIGURATION = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}]
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
extensions.append("mnist_code.book.shape_signatures")
autodoc_typehints, default_role, napoleon_use_rtype = "none", "literal", False
"""


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The text of the reference, built with every warning an error, in a process of its own."""
    folder = tmp_path_factory.mktemp("reference")
    blocks = re.findall(r"```\{eval-rst\}\n(.*?)```", REFERENCE, re.S)
    (folder / "conf.py").write_text(CONFIGURATION)
    (folder / "index.rst").write_text("Reference\n=========\n\n" + "\n".join(blocks))
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q"]
    command += ["-b", "text", folder, folder / "out"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return (folder / "out" / "index.txt").read_text(encoding="utf-8")


def plain(image: Float[Array, "n 784"], scale: float = 0.5) -> Float[Array, " n"]:
    """A function with shapes."""
    return scale * image[:, 0]


class Pair(NamedTuple):
    """Fields with comments."""

    count: int  # counted from 0
    image: Float[Array, "n 784"]  # float32; a "quoted" word
    rest: str


@pytest.mark.parametrize(
    "function",
    [plain, jax.jit(plain), partial(jax.jit, static_argnames="scale")(plain)],
    ids=["plain", "jit", "jit with a static argument"],
)
def test_types_are_as_written(function):
    """A type that was evaluated, one between quotes, a compiled function without arguments."""
    assert extension.shape_signature(function) == (
        "(image: Float[Array, 'n 784'], scale: float = 0.5)",
        "Float[Array, ' n']",
    )


def test_named_tuple_has_types_and_comments():
    """A forward reference, or a comment that was not found."""
    assert extension.shape_signature(Pair) == (
        "(count: int, image: Float[Array, 'n 784'], rest: str)",
        None,
    )
    assert extension.field_comments(Pair) == {
        "count": "counted from 0",
        "image": 'float32; a "quoted" word',
    }


def test_settings_have_their_help_text():
    """A field whose description stands in its metadata only."""
    from mnist_code.config import Config

    comments = extension.field_comments(Config)
    assert comments["batch_size"] == "images per update"
    assert comments["decay_rate"] == "factor on the rate"


def test_reference_shows_no_evaluated_type(reference):
    """`jaxlib._jax.Array`, a forward reference, a field described by its number, an address."""
    for wrong in (
        "jaxlib",
        "jaxtyping",
        "ForwardRef",
        "Alias for field",
        "NoneType",
        "0x",
    ):
        assert wrong not in reference
    assert 'images: Float[Array, "batch 784"]' in reference
    assert not re.search(r"(mnist_code\.\w+)\.\1", reference)  # a module named twice


def test_reference_shows_compiled_and_vmapped_functions(reference):
    """A function that Autodoc passes over, or shows without arguments."""
    text = " ".join(reference.split())
    assert (
        'train_epoch(params: Params, images: Float[Array, "n 784"], labels: Int[Array, " n"], '
        'key: Key[Array, ""], learning_rate: Float[Array, ""] | float, batch_size: int) -> '
        'tuple[Params, Float[Array, ""]]'
    ) in text
    assert (
        'predicted_labels(params: Params, images: Float[Array, "n pixels"]) -> Int[Array, " n"]'
        in text
    )
    assert (
        'batched_predict(params: Params, images: Float[Array, "batch 784"], /)' in text
    )


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"exercises"}))
def test_reference_is_complete(reference, module):
    """A public function or class that the page lacks, or shows without a signature."""
    names = getattr(importlib.import_module(f"mnist_code.{module}"), "__all__", None)
    if names is None:
        path = ROOT / "mnist_code" / f"{module.replace('.', '/')}.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        kinds = (ast.FunctionDef, ast.ClassDef)
        names = [node.name for node in tree.body if isinstance(node, kinds)]
    for name in names:
        if not name.startswith("_"):
            bracket = "" if name.endswith("Error") else r"\("
            assert re.search(rf"mnist_code\.{module}\.{name}{bracket}", reference), name


def test_reference_names_every_module():
    """A new module that nobody can look up."""
    unlisted = {
        "__init__", "__main__", "arguments", "browser", "cli", "console", "files",
        "interrupts", "quiet", "recorder",
    }  # fmt: skip
    found = {path.stem for path in (ROOT / "mnist_code").glob("*.py")} - unlisted
    assert found <= set(MODULES)


def test_reference_lists_every_check(reference):
    """An exercise's check that readers cannot look up."""
    from mnist_code import exercises

    for name in exercises.__all__:
        assert f"mnist_code.exercises.{name}(" in reference
