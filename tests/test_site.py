"""The book as built: it stands alone, and its parts refer to each other."""

from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from helpers import CHAPTERS, ROOT

from mnist_code.book.site_pages import LONGEST, PACKAGE, fold_long_outputs

LOADING = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
}
NEIGHBORS = ("index", "search", "next", "prev")  # a link to a page, which isn't loaded


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
            to_page = tag == "link" and attributes.get("rel") in NEIGHBORS
            (self.links if to_page else self.loads).append(address)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes)


@pytest.fixture(scope="session")
def site(html):
    """The folder of the built book, and its pages, read."""
    paths = [
        path for path in sorted(html.rglob("*.html")) if "_static" not in path.parts
    ]
    return html, {path: Page(path) for path in paths}


def test_every_chapter_has_a_page(site):
    """A chapter left out of the table of contents."""
    html, pages = site
    for chapter in CHAPTERS:
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


def test_pages_are_light(site):
    """A picture or a script so heavy that a reader on a train waits for it."""
    html, pages = site
    users = Counter(
        file for path, page in pages.items() for file in set(loaded(path, page))
    )
    for path, page in pages.items():
        # What several pages load, a browser fetches once.
        files = [path, *(file for file in set(loaded(path, page)) if users[file] == 1)]
        total = sum(file.stat().st_size for file in files)
        assert total <= 500_000, (
            f"{path.relative_to(html)} and its own files: {total:,} B"
        )


def loaded(path, page):
    """What a page names to be loaded from the built book, whether others do as well or not."""
    addresses = [*page.loads, *(image["src"] for image in page.images)]
    return [
        (path.parent / unquote(urlsplit(address).path)).resolve()
        for address in addresses
        if not address.startswith("data:")
    ]


def test_a_chapter_downloads_as_the_notebook_that_the_tests_run(site):
    """A download that is another file than the one `pytest --nbval` runs."""
    html, pages = site
    for chapter in CHAPTERS:
        page = html / "chapters" / f"{chapter.stem}.html"
        link = f"../_sources/chapters/{chapter.name}"
        assert link in pages[page].links
        assert (page.parent / link).read_bytes() == chapter.read_bytes()


def test_the_menu_of_a_chapter_offers_the_package(site, python, tmp_path):
    """A notebook that is downloaded without what it imports; an archive that lacks a file."""
    html, pages = site
    for chapter in CHAPTERS:
        assert (
            f"../{PACKAGE}" in pages[html / "chapters" / f"{chapter.stem}.html"].links
        )
    assert PACKAGE not in pages[html / "index.html"].links
    with zipfile.ZipFile(html / PACKAGE) as archive:
        archive.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    package = ROOT / "mnist_code"
    ours = {
        path.relative_to(package) for path in package.rglob("*.*") if path.is_file()
    }
    theirs = {
        path.relative_to(folder / "mnist_code")
        for path in folder.rglob("mnist_code/**/*.*")
    }
    assert theirs == {path for path in ours if path.parts[-2:-1] != ("__pycache__",)}
    assert {"pyproject.toml", "requirements.txt", "README.md"} <= set(
        os.listdir(folder)
    )
    program = "import mnist_code, mnist_code.book.plots; print(mnist_code.__file__)"
    result = python("-c", program, cwd=folder)
    assert str(folder) in result.stdout, result.stderr


def test_how_to_get_the_package_is_said_in_the_notebook_only(site):
    """A note for those who downloaded a chapter, in the way of those who read its page."""
    html, _ = site
    for page in (html / "chapters").glob("*.html"):
        assert (
            "pip install mnist_code.zip"
            not in page.read_text("utf-8").split("<article")[1]
        )


def long_notebook(lines):
    text = "line\n" * lines
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": text},
        {"cell_type": "code", "metadata": {}, "outputs": [{"text": [text]}]},
        {"cell_type": "code", "metadata": {"tags": ["x"]}, "outputs": [{"data": {}}]},
    ]
    return json.dumps({"cells": cells})


def test_long_outputs_are_folded():
    """A page of numbers between one sentence and the next; a short output that hides."""
    for lines, tags in ((LONGEST, None), (LONGEST + 1, ["hide-output"])):
        source = [long_notebook(lines)]
        fold_long_outputs(None, "a chapter", source)
        cells = json.loads(source[0])["cells"]
        assert [cell["metadata"].get("tags") for cell in cells] == [None, tags, ["x"]]
    text = ["# A page in Markdown"]
    fold_long_outputs(None, "a page", text)
    assert text == ["# A page in Markdown"]
