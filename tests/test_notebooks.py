"""The notebooks as files: stored outputs that nbval compares and any reader may see."""

from __future__ import annotations

import re

import nbformat
import pytest
import yaml
from helpers import CHAPTERS, ROOT

PART_1 = [path for path in CHAPTERS if int(path.stem[:2]) <= 11]
FOLDED = {"hide-cell", "hide-input", "remove-cell", "remove-input"}
MACHINE_PATH = re.compile(  # /opt/ml is where SageMaker's containers find the model
    r"/(?:home|root|Users|tmp|work|usr|opt(?!/ml)|var)/\w|[A-Z]:\\\\|site-packages"
)
# A time, a share with decimals, a ratio of two measurements (not a size such as 28 × 28).
QUANTITY = re.compile(r"\d ?(?:s|ms|µs)\b|\d\.\d+ ?%|\d ?×(?! ?[\d$])")


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def path(request):
    """One chapter after the other."""
    return request.param


@pytest.fixture
def notebook(path):
    """The chapter, read."""
    return nbformat.read(path, as_version=4)


@pytest.fixture
def code(notebook):
    """Its code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(code, kind=None):
    """All outputs of a chapter, or those of one type."""
    return [o for cell in code for o in cell.outputs if kind in (None, o.output_type)]


def files(entries):
    """The files named in a part of the table of contents, at any depth."""
    for entry in entries:
        yield entry["file"]
        yield from files(entry.get("sections", []))


def test_chapters_are_those_of_the_table_of_contents():
    """A chapter that no reader finds; a folder emptied, so that every other test here passes."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [
        file
        for part in toc["parts"]
        for file in files(part["chapters"])
        if file.startswith("chapters/")
    ]
    assert listed == [f"chapters/{path.stem}" for path in CHAPTERS]
    assert PART_1
    assert PART_1 != CHAPTERS


def visible(notebook):
    """The code cells that a page shows unfolded: no plumbing, no solutions."""
    in_solution, cells = False, []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            if "{solution-start}" in cell.source:
                in_solution = True
            if "{solution-end}" in cell.source:
                in_solution = False
        elif (
            cell.cell_type == "code"
            and not in_solution
            and FOLDED.isdisjoint(cell.metadata.get("tags", []))
        ):
            cells.append(cell)
    return cells


@pytest.mark.parametrize("path", PART_1, ids=lambda path: path.stem)
def test_visible_code_can_be_retyped(notebook):
    """A wall of code between one sentence and the next; more code than one sitting can take."""
    lengths = {cell.id: len(cell.source.splitlines()) for cell in visible(notebook)}
    assert {cell: lines for cell, lines in lengths.items() if lines > 15} == {}
    assert sum(lengths.values()) <= 250


@pytest.mark.parametrize("path", PART_1, ids=lambda path: path.stem)
def test_has_figures(code):
    """A chapter without a picture, or one whose pictures were lost when it was run."""
    assert any("image/png" in output.get("data", {}) for output in outputs(code))


def test_is_a_valid_notebook_under_one_megabyte(path, notebook):
    """A file that Jupyter repairs on opening, or one too heavy to read on a code host."""
    nbformat.validate(notebook)
    assert path.stat().st_size < 1_000_000


def test_begins_with_how_to_get_the_package(notebook):
    """A notebook opened in an empty folder, whose first cell fails and nothing says why."""
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert "pip install mnist_code.zip" in first.source
    assert first.metadata.tags == ["remove-cell"]  # a page does not show it
    assert notebook.cells[1].source.startswith("# ")


def test_imports_the_package(code):
    """A chapter that goes its own way."""
    assert any(
        re.search(r"^(from|import) mnist_code", cell.source, re.M) for cell in code
    )


def test_was_executed_from_top_to_bottom(code):
    """A cell run out of order or never: nbval silently skips the latter."""
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))


def test_has_outputs_and_no_standard_error(code):
    """Stripped outputs, which nbval cannot compare; a warning that belongs to one machine."""
    assert outputs(code)
    assert [o.text for o in outputs(code, "stream") if o.name == "stderr"] == []


def test_first_output_names_the_data(code):
    """A reader who cannot tell which data set the numbers are of."""
    assert outputs(code)[0].text.startswith("Data: mnist, ")


def test_kernel_is_the_one_everybody_has(notebook):
    """A kernel of somebody's environment, which others would be asked to install."""
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_holds_no_path_of_a_machine(notebook):
    """A path that betrays a machine, and differs on the next."""
    for cell in notebook.cells:
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            texts += [
                str(v) for k, v in output.get("data", {}).items() if "image/" not in k
            ]
            texts += output.get("traceback", [])
        for text in texts:
            assert not MACHINE_PATH.search(text), text


def test_every_figure_has_its_picture(code):
    """Figures that were run with a backend that shows none."""
    for output in outputs(code):
        data = output.get("data", {})
        if "<Figure " in data.get("text/plain", ""):
            assert "image/png" in data


def test_every_figure_is_described(code):
    """A figure that a blind reader cannot read, or that no text can refer to."""
    for cell in code:
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            described = cell.metadata["mystnb"]
            assert len(described["image"]["alt"]) > 40
            assert described["figure"]["caption"].endswith(".")
            assert described["figure"]["name"].startswith("fig-")


def test_cells_have_ids_of_their_own(notebook):
    """Two cells with one id, which Jupyter renames at random."""
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


def test_glue_stands_in_one_last_hidden_cell(code):
    """A glued number that nbval would compare between data sets, or that a page would show."""
    for cell in code[:-1]:
        assert "glue(" not in cell.source
    if "glue(" in code[-1].source:
        assert set(code[-1].metadata.tags) == {"nbval-ignore-output", "remove-cell"}


def test_every_exercise_has_a_solution(notebook):
    """An exercise that leaves its reader alone."""
    text = "\n".join(cell.source for cell in notebook.cells)
    exercises = re.findall(r"\{exercise-start\}.*\n:label: (\S+)", text)
    solutions = re.findall(r"\{solution-start\} (\S+)", text)
    assert exercises == solutions
    assert 3 <= len(exercises) <= 5
    assert "check_" in text


def test_text_types_no_measured_quantity(notebook):
    """A measured number typed into the text, which the next run makes wrong."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = re.sub(r"`[^`]*`|\$[^$]*\$", "", cell.source)
            assert not QUANTITY.search(text.replace("99.9%", "")), text
