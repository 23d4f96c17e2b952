"""What nbval really compares: a stored output that was altered must fail."""

from __future__ import annotations

import copy
import functools
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import nbformat
import pytest
from helpers import CHAPTERS, ROOT
from nbval.plugin import IPyNbFile, get_sanitize_patterns

from mnist_code.book import plots

# Pictures are not compared, and these lines only say that there is an object.
REPRESENTATION = re.compile(r"<Figure [^>]*>|<IPython[^>]*>")
REASONS = {
    "glue": "passes measured numbers to the text; an assertion or an output beside it checks them",
    "figure": "shows a picture, which another machine draws a little differently",
    "data": "names the data set, which may be a different one",
    "measured": "prints measured quantities and nothing else; an assertion checks them",
}


@pytest.fixture(scope="session")
def nbval_cells(request):
    """The cells of a notebook as this very run of pytest hands them to nbval."""

    @functools.cache
    def collect(path):
        file = IPyNbFile.from_parent(request.session, path=path)
        file.setup_sanitize_files()
        return list(file.collect())

    return collect


def texts(outputs):
    """The places of a cell's outputs that hold text: (mapping, key)."""
    for output in outputs:
        if output.output_type == "stream":
            yield output, "text"
        elif output.output_type == "error":
            yield output, "evalue"
        else:
            for key, value in output.data.items():
                if isinstance(value, str) and not key.startswith("image/"):
                    yield output.data, key


def letters(text):
    """The positions of all letters and digits that tell something."""
    hidden = {i for m in REPRESENTATION.finditer(text) for i in range(*m.span())}
    return [
        i for i, c in enumerate(text) if c.isascii() and c.isalnum() and i not in hidden
    ]


def places(item, text):
    """Those positions that no rule hides."""
    hidden = set()
    for pattern in item.parent.sanitize_patterns:
        for match in re.finditer(pattern, text):
            hidden.update(range(*match.span()))
    return [i for i in letters(text) if i not in hidden]


def is_compared(item):
    """Whether nbval runs the cell and compares its output."""
    return item.options["check"] and not item.options["skip"]


def comparable(item, outputs):
    """The text positions of a cell that nbval should compare: (mapping, key, position)."""
    if "nbval-ignore-output" in item.cell.metadata.get("tags", []):
        return []
    return [(m, key, i) for m, key in texts(outputs) for i in places(item, m[key])]


def reason(cell):
    """Why a cell with output is not compared in earnest."""
    if "nbval-ignore-output" in cell.metadata.get("tags", []):
        return "glue"
    if any("image/png" in output.get("data", {}) for output in cell.outputs):
        return "figure"
    if all(output.get("text", "").startswith("Data: ") for output in cell.outputs):
        return "data"
    return "measured"


def another(character):
    """A letter for a letter, a digit for a digit."""
    after = chr(ord(character) + 1)
    return after if after.isalnum() else {"9": "8", "z": "y", "Z": "Y"}[character]


def test_every_rule_is_read():
    """A rule that nbval skips without a word, since it lacks the space after `replace:`."""
    text = (ROOT / "tests" / "sanitize.cfg").read_text(encoding="utf-8")
    rules = get_sanitize_patterns(text)
    assert len(rules) == text.count("\n[") == len(re.findall("^regex:", text, re.M))


def test_most_cells_are_compared_in_earnest(nbval_cells):
    """Rules so broad, or outputs so poor, that a changed result would pass."""
    compared, others, characters, total = 0, [], 0, 0
    for path in CHAPTERS:
        for item in nbval_cells(path):
            if not item.cell.outputs:
                continue
            if found := comparable(item, item.cell.outputs):
                compared += 1
                characters += len(found)
                total += sum(len(letters(m[k])) for m, k in texts(item.cell.outputs))
            else:
                why = REASONS[reason(item.cell)]
                others.append(f"{path.stem}, cell {item.cell.id}: {why}")
    print(f"{compared} cells are compared, {len(others)} are not:", *others, sep="\n")
    print(f"Of their {total:,} letters and digits, {characters:,} are compared.")
    assert compared / (compared + len(others)) >= 0.7, "\n".join(others)
    assert characters / total >= 0.85


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_nbval_sees_every_altered_character(path, nbval_cells, monkeypatch):
    """A cell whose stored text could say anything: each letter and digit is changed in turn.

    nbval's own comparison decides, with the rules, tags and options of this run. A fresh output
    that equals the stored one stands in for running the cell.
    """
    unseen = []
    for item in nbval_cells(path):
        monkeypatch.setattr(item, "format_output_compare", lambda *_: None)
        stored, altered = item.cell.outputs, copy.deepcopy(item.cell.outputs)
        positions = comparable(item, altered)
        assert is_compared(item) or not positions, (
            f"cell {item.cell.id} is not compared"
        )
        assert item.compare_outputs(altered, stored)
        for mapping, key, place in positions:
            text = mapping[key]
            mapping[key] = text[:place] + another(text[place]) + text[place + 1 :]
            if item.compare_outputs(altered, stored):
                unseen.append((item.cell.id, text[:place], mapping[key]))
            mapping[key] = text
    assert unseen == []


FIGURE = repr(plots.new_figure()[0])
CELLS = {
    "prints": "word = 'one'\nprint(word)",
    "prints something else": "print('two')",
    "loses its output": "None",
    "has a value": "[1, 2, len(word)]",
    "has another value": "[1, 2, 4]",
    "fails as it should": "raise KeyError('no such key')",
    "fails differently": "raise KeyError('another key')",
    "fails": "1 / 0",
    "measures": "print('It took 3 s and found 4')",
    "measures, with another count": "print('It took 4 s and found 5')",
    "draws": "from mnist_code.book import plots\nplots.new_figure()[0]",
    "draws nothing": f"type('', (), {{'__repr__': lambda _: '{FIGURE}'}})()",
    "computes": "import jax.numpy as jnp\njnp.arange(len(word)).astype(float).dtype",
    "imports": "import sys\nfrom mnist_code import data",
    "complains": "print('a warning', file=sys.stderr)",
}
PICTURE = {"image/png": "", "text/plain": FIGURE}
OUTPUTS = {
    "prints": "one\n",
    "prints something else": "one\n",
    "loses its output": "one\n",
    "has a value": {"text/plain": "[1, 2, 3]"},
    "has another value": {"text/plain": "[1, 2, 3]"},
    "fails as it should": ("KeyError", "'no such key'"),
    "fails differently": ("KeyError", "'no such key'"),
    "measures": "It took 2 s and found 4\n",
    "measures, with another count": "It took 2 s and found 4\n",
    "draws": PICTURE,
    "draws nothing": PICTURE,
    "computes": {"text/plain": "dtype('float32')"},
}
FAULTS = {
    "prints something else", "loses its output", "has another value", "fails differently",
    "fails", "measures, with another count", "draws nothing", "complains",
}  # fmt: skip


def tiny_notebook():
    """A notebook of all kinds of cells; those of `FAULTS` do not do what is stored."""
    cells = []
    for count, (name, source) in enumerate(CELLS.items(), 1):
        outputs = []
        match OUTPUTS.get(name):
            case str(text):
                outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
            case dict(value):
                outputs = [
                    nbformat.v4.new_output(
                        "execute_result", value, execution_count=count
                    )
                ]
            case (ename, evalue):
                outputs = [
                    nbformat.v4.new_output(
                        "error", ename=ename, evalue=evalue, traceback=[]
                    )
                ]
        cells.append(
            nbformat.v4.new_code_cell(source, execution_count=count, outputs=outputs)
        )
        if name in ("fails as it should", "fails differently"):
            cells[-1].metadata.tags = ["raises-exception"]
    return nbformat.v4.new_notebook(cells=cells)


SHELLS = {
    "plain": {},
    "odd": {
        "MPLBACKEND": "Agg",
        "JAX_ENABLE_X64": "1",
        "HOME": "/dev/null/nowhere",
        "MPLCONFIGDIR": "",
    },
    "GPU": {"JAX_PLATFORMS": ""},  # as if conftest.py did not choose the CPU
    "one at a time": {"PYTEST_ADDOPTS": "-n 0"},
    "shuffled": {"PYTEST_ADDOPTS": "--randomly-seed=3"},
}


# Runs a command where there is an NVIDIA GPU's device file, in a mount namespace of its own.
GPU = """
set -e
dev=$1
shift
mount -t tmpfs none "$dev"
for name in null zero full random urandom; do
    touch "$dev/$name"
    mount --bind "/dev/$name" "$dev/$name"
done
mkdir "$dev/shm"
mount --bind /dev/shm "$dev/shm"
ln -s /proc/self/fd "$dev/fd"
touch "$dev/nvidia0"
mount --rbind "$dev" /dev
exec "$@"
"""


@pytest.fixture(scope="session")
def with_gpu(tmp_path_factory):
    """The beginning of a command that sees a GPU's device file; skipped where it cannot be."""
    devices = str(tmp_path_factory.mktemp("dev"))
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", GPU, "sh", devices]
    warned = "import jax; jax.devices()"
    try:
        result = subprocess.run(
            [*command, sys.executable, "-c", warned],
            capture_output=True,
            text=True,
            env={**os.environ, "JAX_PLATFORMS": ""},
        )
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if "An NVIDIA GPU may be present" not in result.stderr:
        pytest.skip(f"cannot pretend to have a GPU: {result.stderr}")
    return command


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like this one, with a single chapter."""
    (tmp_path / "tests").mkdir()
    for name in ("conftest.py", "pyproject.toml", "tests/sanitize.cfg"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("mnist_code", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "chapters").mkdir()
    nbformat.write(tiny_notebook(), tmp_path / "chapters" / "tiny.ipynb")
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
def test_nbval_runs_and_compares(shell, checkout, request):
    """nbval unplugged, its rules unread, or a reader's shell that changes what cells print."""
    if shell == "shuffled":
        pytest.importorskip("pytest_randomly")
    if shell == "one at a time" and not find_spec("xdist"):
        pytest.skip("needs pytest-xdist")
    environment = {
        **{name: value for name, value in os.environ.items() if "XDIST" not in name},
        "JUPYTER_RUNTIME_DIR": str(checkout / "runtime"),
        "COLUMNS": "200",
        **SHELLS[shell],
    }
    environment.pop("PYTEST_CURRENT_TEST", None)
    command = [sys.executable, "-m", "pytest", "--nbval", "chapters", "-q", "-rA"]
    if shell == "GPU":
        command = [*request.getfixturevalue("with_gpu"), *command]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=checkout,
        capture_output=True,
        text=True,
        env=environment,
    )
    found = {
        state: {
            list(CELLS)[int(number)]
            for number in re.findall(rf"^{state} .*::Cell (\d+)", result.stdout, re.M)
        }
        for state in ("PASSED", "FAILED")
    }
    expected = {"PASSED": CELLS.keys() - FAULTS, "FAILED": FAULTS}
    assert found == expected, result.stdout[-5000:] + result.stderr[-2000:]
