"""Read the built pages as one text: everything open, no scripts.

`make pdf` and `make epub` start here. Solutions move to an appendix, and pages that only work in a
browser become a sentence.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml  # type: ignore[import-untyped]
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "_build" / "html"
NAME = "first-program-in-jax"
TAGLINE = "407,050 random numbers learn to read handwriting, in pure JAX."
SCRIPTED = "Try it"  # the part whose pages need a browser
BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
CLUTTER = (
    "script, style, noscript, .headerlink, .toctree-wrapper, summary, div.cover, button"
)
INTRODUCTION = """
<section id="edition"><h2>This edition</h2>
<p>This edition was made from the book's web pages. Figures that you can move there are printed as
pictures. Code that only draws a figure is left out: it's in the notebooks, in the folder
<code>chapters</code>. All other code is here, including what the pages fold away. The solutions to
the exercises are in an appendix.</p>
</section>
"""


@dataclass
class Chapter:
    """One page of the book: its place in the text, its title, and what it says."""

    id: str
    title: str
    body: Tag
    part: str = ""  # the title of the part that begins here
    solutions: list[Tag] = field(default_factory=list)


class MissingError(Exception):
    """Something an edition needs is not there; the message says how to get it."""


def settings() -> dict[str, Any]:
    """The book's title, author and so on, from `_config.yml`."""
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def contents() -> list[tuple[str, str]]:
    """Every page and the part that it opens, if any, from `_toc.yml`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [(toc["root"], "")]
    for part in toc["parts"]:
        for place, chapter in enumerate(part["chapters"]):
            pages.append((chapter["file"], "" if place else part["caption"]))
    return pages


def slug(page: str) -> str:
    """A page's name in an address: `chapters/09_jit` becomes `p-09_jit`."""
    return "p-" + page.rsplit("/", 1)[-1]


def read(html: Path = BUILT) -> list[Chapter]:
    """Every chapter of the edition, in order, with the solutions before the appendices."""
    chapters, scripted = [], False
    for page, part in contents():
        scripted = part == SCRIPTED if part else scripted
        path = html / f"{page}.html"
        if not path.is_file():
            raise MissingError(f"{path} is missing. Build the pages first: make book")
        chapters.append(_chapter(path, page, part, html, scripted))
    _solutions(chapters)
    known = {
        tag["id"]
        for chapter in chapters
        for tag in [*chapter.body.find_all(id=True), chapter.body]
        if tag.get("id")
    }
    for chapter in chapters:
        for link in chapter.body.find_all("a", href=True):
            if (place := str(link["href"])).startswith("#") and place[1:] not in known:
                link.name = "span"  # a place that no edition has
                del link["href"]
    return chapters


def _chapter(path: Path, page: str, part: str, html: Path, scripted: bool) -> Chapter:
    """One page, cleaned, with ids and links that hold in one document."""
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    article = soup.select_one("article.bd-article")
    assert article is not None, path
    for tag in article.select(CLUTTER):
        tag.decompose()
    name = slug(page)
    heading = article.find("h1")
    assert isinstance(heading, Tag), path
    title = heading.get_text()
    if scripted:
        _only_in_a_browser(article, heading, page)
    elif page == "index":
        heading.string = title = "Introduction"
        heading.parent.append(BeautifulSoup(INTRODUCTION, "html.parser"))  # type: ignore[union-attr]
        for link in article.select(f'a[href="{slug(page)}.html"]'):
            link.unwrap()
    _unfold(article)
    _address(article, path, name, html)
    for image in article.find_all("img"):
        image["src"] = str((path.parent / unquote(str(image["src"]))).resolve())
    kind = "chapter scripted" if scripted else "chapter"
    article.name, article.attrs = "section", {"id": name, "class": kind}
    return Chapter(name, title, article, part)


def _only_in_a_browser(article: Tag, heading: Tag, page: str) -> None:
    """Put a sentence in the place of what a script would do."""
    heading.extract()
    article.clear()
    sentence = BeautifulSoup(
        "<p>This page runs in a browser. To try it, build the pages with <code>make book</code> "
        f"and open <code>_build/html/{page}.html</code>.</p>",
        "html.parser",
    )
    article.extend([heading, sentence])


def _unfold(article: Tag) -> None:
    """Open what is folded, and leave out the code that only draws the figure after it."""
    for fold in article.find_all("details"):
        cell = fold.find_parent(class_="cell")
        draws = cell is not None and cell.find("img") and fold.find(class_="cell_input")
        if draws:
            fold.decompose()
        else:
            fold.unwrap()
    for cell in article.select("div.cell"):
        if not cell.get_text(strip=True) and not cell.find("img"):
            cell.decompose()


def _address(article: Tag, path: Path, name: str, html: Path) -> None:
    """Make ids unique in the whole edition, and point links between pages at them."""
    seen = set()
    for tag in article.find_all(id=True):
        if tag["id"] in seen:
            del tag["id"]
        else:
            seen.add(tag["id"])
            tag["id"] = f"{name}--{tag['id']}"
    for link in article.find_all("a", href=True):
        parts = urlsplit(str(link["href"]))
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        page = target.relative_to(html.resolve()).with_suffix("").as_posix()
        place = f"--{unquote(parts.fragment)}" if parts.fragment else ""
        link["href"] = f"#{slug(page)}{place}"


def _solutions(chapters: list[Chapter]) -> None:
    """Move the solutions into one appendix, linked with their exercises in both directions."""
    soup = BeautifulSoup(
        '<section id="p-solutions" class="chapter"><h1>Solutions</h1></section>',
        "html.parser",
    )
    body = soup.section
    assert body is not None
    for chapter in chapters:
        exercise, moved = None, []
        for box in chapter.body.select("div.exercise, div.solution"):
            if "exercise" in box["class"]:
                exercise = box
                continue
            assert exercise is not None, chapter.title
            title = exercise.select_one(".admonition-title")
            mine = box.select_one(".admonition-title")
            assert title is not None
            assert mine is not None
            mine.clear()
            link = soup.new_tag("a", href=f"#{exercise['id']}")
            link.extend(
                list(BeautifulSoup(title.decode_contents(), "html.parser").contents)
            )
            mine.append(link)
            forth = soup.new_tag("a", href=f"#{box['id']}")
            forth.string = "Solution"
            line = soup.new_tag("p", attrs={"class": "to-solution"})
            line.append(forth)
            exercise.append(line)
            moved.append(box.extract())
        if moved:
            part = soup.new_tag("section", id=f"solutions-{chapter.id}")
            head = soup.new_tag("h2")
            head.string = chapter.title
            part.extend([head, *moved])
            body.append(part)
    appendix = Chapter("p-solutions", "Solutions", body)
    place = next(i for i, c in enumerate(chapters) if c.part == "Appendices")
    appendix.part, chapters[place].part = chapters[place].part, ""
    chapters.insert(place, appendix)


def code_style() -> str:
    """Colors of code, dark on white, that meet the contrast for small text."""
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    rules = HtmlFormatter(style="a11y-high-contrast-light").get_style_defs(".highlight")
    kept = re.findall(r"^\.highlight \.\w+ \{.*?\}", rules, re.M)
    return "\n".join(re.sub(r"background-color:[^;}]+;?", "", rule) for rule in kept)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium or Chrome, as it is installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise MissingError(
            "Playwright is missing. Install it: pip install -c constraints.txt -e '.[dev]'"
        ) from None
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise MissingError(
            "Chromium or Chrome is missing. Install it: apt-get install chromium"
        )
    options = ["--disable-gpu", "--disable-background-networking"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium asks root for this
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=options)
        try:
            yield opened
        finally:
            opened.close()


def offer(path: Path) -> None:
    """Put a file beside the pages, and links to all such files on the front page."""
    shutil.copyfile(path, BUILT / path.name)
    front = BUILT / "index.html"
    soup = BeautifulSoup(front.read_text(encoding="utf-8"), "html.parser")
    cover = soup.select_one("div.cover")
    assert cover is not None, front
    for old in cover.select(".editions"):
        old.decompose()
    line = soup.new_tag("p", attrs={"class": "editions"})
    for kind in ("pdf", "epub"):
        if (BUILT / f"{NAME}.{kind}").is_file():
            link = soup.new_tag("a", href=f"{NAME}.{kind}")
            link.string = f"Keep it as {'a PDF' if kind == 'pdf' else 'an EPUB'}"
            line.append(link)
            line.append(" ")
    cover.append(line)
    temporary = front.with_suffix(".part")
    temporary.write_text(str(soup), encoding="utf-8")
    temporary.replace(front)


def run(make: Callable[[], Path]) -> int:
    """Make an edition; say where it is, or in one sentence what is missing."""
    try:
        path = make()
        offer(path)
    except MissingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0
