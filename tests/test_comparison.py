"""What nbval really compares: a stored output that was altered must fail."""

from __future__ import annotations

import configparser
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
RULES = configparser.RawConfigParser()
RULES.read(ROOT / "tests" / "sanitize.cfg", encoding="utf-8")
HIDDEN = [re.compile(RULES[rule]["regex"]) for rule in RULES.sections()]
# Pictures are not compared, and these lines only say that there is an object.
REPRESENTATION = re.compile(r"<Figure [^>]*>|<IPython[^>]*>")
REASONS = {
    "glue": "gives measured numbers to the text; an assertion or an output beside it checks them",
    "figure": "shows a picture, which another machine draws a little differently",
    "data": "names the data set, which may be another",
    "measured": "prints measured quantities and nothing else; an assertion checks them",
}


def texts(cell):
    """The places of a cell's output that hold text: (mapping, key)."""
    for output in cell.outputs:
        if output.output_type == "stream":
            yield output, "text"
        elif output.output_type == "error":
            yield output, "evalue"
        else:
            for key, value in output.data.items():
                if isinstance(value, str) and not key.startswith("image/"):
                    yield output.data, key


def places(text):
    """The positions of letters and digits that no rule hides."""
    hidden = set()
    for pattern in [*HIDDEN, REPRESENTATION]:
        for match in pattern.finditer(text):
            hidden.update(range(*match.span()))
    return [
        i for i, c in enumerate(text) if c.isascii() and c.isalnum() and i not in hidden
    ]


def comparable(cell):
    """The text positions of a cell that nbval should compare: (mapping, key, position)."""
    if "nbval-ignore-output" in cell.metadata.get("tags", []):
        return []
    return [(m, key, place) for m, key in texts(cell) for place in places(m[key])]


def reason(cell):
    """Why a cell with output is not compared in earnest."""
    if "nbval-ignore-output" in cell.metadata.get("tags", []):
        return "glue"
    if any("image/png" in output.get("data", {}) for output in cell.outputs):
        return "figure"
    if all(output.get("text", "").startswith("Data: ") for output in cell.outputs):
        return "data"
    return "measured"


def cells_with_output(notebook):
    return [cell for cell in notebook.cells if cell.get("outputs")]


def another(character):
    """A letter for a letter, a digit for a digit."""
    after = chr(ord(character) + 1)
    return after if after.isalnum() else {"9": "8", "z": "y", "Z": "Y"}[character]


def test_most_cells_are_compared_in_earnest():
    """Rules so broad, or outputs so poor, that a changed result would pass."""
    compared, others = 0, []
    for path in CHAPTERS:
        for cell in cells_with_output(nbformat.read(path, as_version=4)):
            if comparable(cell):
                compared += 1
            else:
                others.append(f"{path.stem}, cell {cell.id}: {REASONS[reason(cell)]}")
    print(f"{compared} cells are compared, {len(others)} are not:", *others, sep="\n")
    assert compared / (compared + len(others)) >= 0.7, "\n".join(others)


@pytest.mark.slow
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_nbval_sees_every_altered_cell(path, tmp_path):
    """A cell whose stored text could say anything: one letter or digit is changed in each."""
    notebook = nbformat.read(path, as_version=4)
    chance = random.Random(path.stem)
    expected = set()
    for number, cell in enumerate(
        cell for cell in notebook.cells if cell.cell_type == "code"
    ):
        if found := comparable(cell):
            mapping, key, place = chance.choice(found)
            text = mapping[key]
            mapping[key] = text[:place] + another(text[place]) + text[place + 1 :]
            expected.add(number)
    (tmp_path / "chapters").mkdir()
    nbformat.write(notebook, tmp_path / "chapters" / "altered.ipynb")
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "sanitize.cfg", tmp_path / "tests")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("mnist_code", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pytest", "--nbval", "chapters", "-q", "-rf"]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"},
    )
    failed = {
        int(n) for n in re.findall(r"^FAILED .*::Cell (\d+)", result.stdout, re.M)
    }
    assert failed == expected, result.stdout[-5000:]
