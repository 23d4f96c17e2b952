"""The book by other builders than the default one: each without a warning, and nothing dead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import CHAPTERS, ROOT, build_book, title
from pages import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Build the book with a builder, and return its folder; what was read once serves them all."""
    out = tmp_path_factory.mktemp("book")

    def build(builder):
        build_book(out, "--builder", builder)
        return out / "_build" / builder

    return build


@pytest.mark.parametrize(
    ("builder", "draw"), [("dirhtml", "draw/"), ("singlehtml", "index.html")]
)
def test_the_draw_page_answers(builder, draw, build, visit):
    """Scripts looked for beside the page: a square to draw in, and no answer."""
    with serving(build(builder)) as start:
        address = f"{start}/{draw}"
        seen = visit(address)
        complaints = seen.complaints
        if builder == "singlehtml":
            # The theme asks for an index of words, and this builder writes none.
            index = ("searchindex.js", "404", "MIME")
            complaints = [c for c in complaints if not any(word in c for word in index)]
        assert complaints == []
        assert seen.outside(address) == []
        assert seen.page.locator("[data-draw=answer]").inner_text().startswith("A 7, ")


def test_latex_has_every_chapter(build):
    """A picture that LaTeX cannot read, or a chapter that is not there."""
    written = build("latex")
    text = (written / "first-program-in-jax.tex").read_text(encoding="utf-8")
    for chapter in CHAPTERS:
        assert f"chapter{{{title(chapter)}}}" in text
    assert not list(written.glob("*.svg"))


def test_sphinx_builds_what_jupyter_book_configures(tmp_path):
    """Extensions that only Jupyter Book finds."""
    book = tmp_path / "book"
    kept = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT).decode()
    for name in filter(None, kept.split("\0")):
        target = book / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    bin_folder = Path(sys.executable).parent
    steps = [
        [bin_folder / "jupyter-book", "config", "sphinx", "."],
        [bin_folder / "sphinx-build", "-W", "-n", "--keep-going", "-q", ".", "out"],
    ]
    for step in steps:
        done = subprocess.run(
            step,
            cwd=book,
            env={**os.environ, "PYTHONPATH": str(book)},  # as if it were installed
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    page = book / "out" / "chapters" / f"{CHAPTERS[-1].stem}.html"
    assert title(CHAPTERS[-1]) in page.read_text(encoding="utf-8")
