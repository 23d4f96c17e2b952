"""The book by other builders than the default one: each without a warning, and nothing dead."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from helpers import CHAPTERS, ROOT, title

from conftest import build_book

pytestmark = pytest.mark.slow


@pytest.fixture
def serve():
    """Put a folder on a server, and give its address."""
    servers = []

    def start(folder):
        class Quiet(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        handler = functools.partial(Quiet, directory=str(folder))
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("builder", "draw"), [("dirhtml", "draw/"), ("singlehtml", "index.html")]
)
def test_the_draw_page_answers(builder, draw, tmp_path, serve, visit):
    """Scripts looked for beside the page: a square to draw in, and no answer."""
    build_book(tmp_path, "--builder", builder)
    address = f"{serve(tmp_path / '_build' / builder)}/{draw}"
    seen = visit(address)
    if (
        builder == "singlehtml"
    ):  # the theme asks for an index, and this builder writes none
        missing = [c for c in seen.complaints if "searchindex.js" not in c]
        seen.complaints = [c for c in missing if "404" not in c and "MIME" not in c]
    assert seen.complaints == []
    assert seen.outside(address) == []
    assert seen.page.locator("[data-draw=answer]").inner_text().startswith("A 7, ")


def test_latex_has_every_chapter(tmp_path):
    """A picture that LaTeX cannot read, or a chapter that is not there."""
    build_book(tmp_path, "--builder", "latex")
    written = tmp_path / "_build" / "latex"
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
