"""The book as built: it stands alone, and its parts refer to each other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parent.parent
LOADING = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
}


class Page(HTMLParser):
    """What a page loads, links to, and offers as targets."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.ids, self.images = [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        if address := attributes.get(LOADING.get(tag)):
            self.loads.append(address)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes)


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The book, built afresh with every warning an error."""
    out = tmp_path_factory.mktemp("book")
    jupyter_book = shutil.which("jupyter-book", path=Path(sys.executable).parent)
    command = [
        jupyter_book,
        "build",
        ROOT,
        "--path-output",
        out,
        "-W",
        "-n",
        "--keep-going",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    html = out / "_build" / "html"
    paths = [
        path for path in sorted(html.rglob("*.html")) if "_static" not in path.parts
    ]
    return html, {path: Page(path) for path in paths}


def test_every_chapter_has_a_page(site):
    """A chapter left out of the table of contents."""
    html, pages = site
    for chapter in (ROOT / "chapters").glob("*.ipynb"):
        assert html / "chapters" / f"{chapter.stem}.html" in pages


def test_pages_load_nothing_from_elsewhere(site):
    """A font, script or picture from another host: broken on a train, and it tells on readers."""
    html, pages = site
    for path, page in pages.items():
        for address in page.loads:
            assert not urlsplit(address).netloc, f"{path} loads {address}"
            if not address.startswith("data:"):
                target = path.parent / unquote(urlsplit(address).path)
                assert target.is_file() or target == path.parent, (
                    f"{path} lacks {address}"
                )
    for style in html.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8").replace('"', ""), (
            style
        )


def test_links_lead_somewhere(site):
    """A link to a page or a place on it that is not there."""
    _, pages = site
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            assert target.exists(), f"{path} links to {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, (
                    f"{path} links to {link}"
                )


def test_images_have_alternative_text(site):
    """An image that a screen reader can only call by its file name."""
    _, pages = site
    for path, page in pages.items():
        for image in page.images:
            assert image.get("alt"), f"{path}: {image}"


def test_numbers_in_the_text_were_glued(site):
    """A glue role without its number, which shows as raw text."""
    html, _ = site
    for page in (html / "chapters").glob("*.html"):
        assert "glue:text" not in page.read_text(encoding="utf-8")
