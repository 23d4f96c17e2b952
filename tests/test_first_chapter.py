"""The program of chapter 1: as short as the text says, and complete when typed into a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import nbformat
import pytest
from helpers import ROOT

CHAPTERS = ROOT / "chapters"


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(CHAPTERS / "01_whole_program.ipynb", as_version=4)


@pytest.fixture(scope="module")
def program(notebook):
    """The cells of the program: those that name the chapters that explain them."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return "\n\n\n".join(source for source in cells if "# Chapter" in source) + "\n"


def test_has_fewer_than_forty_lines(program):
    """A program that has outgrown what the chapter and the front page say about it."""
    lines = [line for line in program.splitlines() if line.strip()]
    assert 30 <= len(lines) < 40


def test_takes_nothing_but_the_data_from_the_package(program):
    """A line that hides its work in the package, which the text says none does."""
    assert re.findall(r"^.*mnist_code.*$", program, re.M) == [
        "from mnist_code import data"
    ]
    assert set(re.findall(r"\bdata\.(\w+)", program)) == {"load", "on_device"}


def test_names_chapters_that_are_there(program, notebook):
    """A label that sends the reader to a chapter that does not exist, or to none."""
    labels = re.findall(r"# Chapters? (.*)", program)
    named = {int(number) for label in labels for number in re.findall(r"\d+", label)}
    assert named == set(range(2, 11))
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    rows = re.findall(r"\{doc\}`Chapter (\d+) <((\d+)_\w+)>` \|", text)
    assert [int(number) for number, _, _ in rows] == list(range(2, 12))
    for number, file, prefix in rows:
        assert int(number) == int(prefix)
        assert (CHAPTERS / f"{file}.ipynb").is_file()


def test_runs_from_a_file_and_learns(program, tmp_path):
    """A program that works only beside the other cells of its notebook."""
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MNIST_CODE_DATASET": "digits"},
    )
    assert result.returncode == 0, result.stderr
    right, of = re.search(r"(\d+) of (\d+) right", result.stdout).groups()
    assert int(right) > 0.85 * int(of)
