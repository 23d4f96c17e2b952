"""The editions to keep, as `make pdf epub` made them, and the pages on paper."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from xml.etree import ElementTree

import edition_text  # conftest.py puts tools/ on the path
import make_epub
import make_pdf
import nbformat
import pytest
from bs4 import BeautifulSoup
from helpers import CHAPTERS, title

pytestmark = pytest.mark.slow

TITLE = "Your First Program in JAX"
XHTML = "{http://www.w3.org/1999/xhtml}"
SIDE, EDGE = 0.7 * 72, 0.25 * 72  # points: the margin of the text, and of running heads
OVERHANG = 2.5  # points that a large letter may reach beyond its line


def built(path):
    """A file of an edition; without it, its tests are skipped and say how to get it."""
    if not path.is_file():
        pytest.skip(f"{path} was not built: make pdf epub")
    return path


@pytest.fixture(scope="module")
def pdf():
    """The PDF, read."""
    pypdf = pytest.importorskip("pypdf")
    return pypdf.PdfReader(built(make_pdf.OUT))


@pytest.fixture(scope="module")
def texts():
    """The words of every page of the PDF."""
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument(built(make_pdf.OUT))
    return [
        " ".join(page.get_textpage().get_text_bounded().split()) for page in document
    ]


def run_together(text):
    """Letters alone: a line may end, or a word be divided, anywhere."""
    return re.sub(r"[\s\u00ad\ufffe\ufffd\x02-]", "", text)


def last_caption(chapter):
    """The first words below a chapter's last figure, before any formula or role."""
    cells = nbformat.read(chapter, 4).cells
    figures = [c.metadata.get("mystnb", {}).get("figure", {}) for c in cells]
    caption = [f["caption"] for f in figures if "caption" in f][-1]
    return " ".join(re.split(r"[`${*'\"]", caption)[0].split()[:8])


def entries(outline):
    """Every entry of an outline, whatever its level."""
    for item in outline:
        if isinstance(item, list):
            yield from entries(item)
        else:
            yield item


def test_the_pdf_says_what_it_is(pdf):
    """A file without title, author or outline, or with a heading named twice in one entry."""
    assert pdf.metadata.title == TITLE
    assert pdf.metadata.author
    assert pdf.root_object["/Lang"].startswith("en")
    assert len(pdf.pages) > 150
    shown = [entry.title for entry in entries(pdf.outline)]
    for chapter in CHAPTERS:
        assert any(entry.endswith(title(chapter)) for entry in shown), chapter
    assert "Solutions" in shown
    halves = [(entry[: len(entry) // 2], entry[len(entry) // 2 :]) for entry in shown]
    assert [first for first, second in halves if first == second] == []


def test_the_contents_name_the_right_pages(pdf, texts):
    """A number in the table of contents that leads elsewhere."""
    contents = " ".join(texts[1:8])
    for entry in pdf.outline[1:]:
        assert isinstance(entry, list) or (
            run_together(entry.title) in run_together(contents)
        )
    for chapter in CHAPTERS:
        name = title(chapter)
        (place,) = [e for e in entries(pdf.outline) if e.title.endswith(name)][:1]
        page = pdf.get_destination_page_number(place)
        assert run_together(name) in run_together(texts[page]), name
        spaced = r"\s*".join(map(re.escape, name.split()))
        number = re.search(rf"\d+\.\s*{spaced}[ .]*(\d+)", contents)
        assert number, name
        assert int(number[1]) == page + 1, name


def test_every_chapter_comes_to_its_last_figure(texts):
    """A chapter cut off, or a figure that fell off the paper."""
    whole = run_together(" ".join(texts))
    for chapter in CHAPTERS:
        assert run_together(last_caption(chapter)) in whole, chapter


def test_fonts_are_embedded(pdf):
    """Letters that another machine would draw in another font."""
    seen = set()
    for page in pdf.pages:
        for font in page["/Resources"].get("/Font", {}).values():
            font = font.get_object()
            if font["/Subtype"] == "/Type3":
                continue  # draws itself
            for part in font.get("/DescendantFonts", [font]):
                part = part.get_object()
                assert {"/FontFile2", "/FontFile3", "/FontFile"} & set(
                    part["/FontDescriptor"]
                ), part["/BaseFont"]
                seen.add(part["/BaseFont"].split("+")[-1])
    for family in ("SourceSerif4", "SourceSans3", "SourceCodePro"):
        assert any(name.startswith(family) for name in seen), seen


def test_nothing_runs_off_the_page():
    """Code or a formula that is wider than the text, and is cut off or touches the edge."""
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument(built(make_pdf.OUT))
    for number, page in enumerate(document, 1):
        if number == 1:
            continue  # the cover
        width, height = page.get_size()
        text = page.get_textpage()
        for i in range(text.count_rects()):
            left, bottom, right, top = text.get_rect(i)
            words = text.get_text_bounded(left, bottom, right, top)
            if all("\ue000" <= c <= "\uf8ff" or c.isspace() for c in words):
                continue  # parts of a long brace, which MathJax cuts to their length
            assert left >= SIDE - OVERHANG, (number, words)
            assert right <= width - SIDE + OVERHANG, (number, words)
            assert bottom >= EDGE, (number, words)
            assert top <= height - EDGE, (number, words)


def test_links_inside_the_pdf_have_targets(pdf):
    """A link to a place that was left out."""
    places = set(pdf.named_destinations)
    links = 0
    for page in pdf.pages:
        for note in page.get("/Annots", []):
            note = note.get_object()
            target = note.get("/Dest", note.get("/A", {}).get("/D"))
            if isinstance(target, str):
                assert target in places, target
                links += 1
    assert links > 500


@pytest.fixture(scope="module")
def epub():
    """The EPUB, opened."""
    with zipfile.ZipFile(built(make_epub.OUT)) as archive:
        yield archive


def test_the_epub_says_what_it_is(epub):
    """A book without title, author, language or cover, which every shelf shows as unknown."""
    package = ElementTree.fromstring(epub.read("book/book.opf"))
    told = {e.tag.split("}")[1]: e.text for e in package.iter() if e.text}
    assert told["title"] == TITLE
    assert told["creator"]
    assert told["language"] == "en"
    (cover,) = [
        e.get("href") for e in package.iter() if e.get("properties") == "cover-image"
    ]
    assert len(epub.read(f"book/{cover}")) > 20_000
    named = epub.read("book/nav.xhtml").decode()
    for chapter in CHAPTERS:
        assert title(chapter) in named


def test_every_text_of_the_epub_can_be_read_aloud(epub):
    """Markup that is no XML; a picture without words; a formula left as LaTeX."""
    formulas = 0
    for name in epub.namelist():
        if not name.endswith(".xhtml"):
            continue
        root = ElementTree.fromstring(epub.read(name))
        assert all(image.get("alt") for image in root.iter(f"{XHTML}img")), name
        formulas += len([e for e in root.iter() if e.tag.endswith("}math")])
        assert r"\(" not in "".join(
            "".join(p.itertext()) for p in root.iter(f"{XHTML}p")
        )
    assert formulas > 300


def test_epubcheck_finds_nothing():
    """What some reader of EPUB would refuse."""
    found = shutil.which("epubcheck")
    if not found:
        pytest.skip("epubcheck is not installed: apt-get install epubcheck")
    with open(
        found, "rb"
    ) as file:  # Debian's is an archive of Java, named like a program
        command = ["java", "-jar", found] if file.read(2) == b"PK" else [found]
    command.append(built(make_epub.OUT))
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_the_front_page_offers_what_was_built(html):
    """A reader who never learns that there is a file to keep."""
    for made in (make_pdf.OUT, make_epub.OUT):
        if not (html / built(made).name).is_file():
            pytest.skip("the editions were made from other pages than these")
        front = BeautifulSoup((html / "index.html").read_text("utf-8"), "html.parser")
        assert front.select(f'.cover a[href="{made.name}"]')


def luminance(color):
    """How light a CSS color is on white, from 0 to 255."""
    red, green, blue, *alpha = map(float, re.findall(r"[\d.]+", color))
    opaque = alpha[0] if alpha else 1
    return 255 + opaque * (0.3 * red + 0.59 * green + 0.11 * blue - 255)


INKS = """[...document.querySelectorAll(
    "article :is(p, li, h1, h2, pre, pre span, code, td, figcaption)")]
    .filter((e) => e.checkVisibility() && e.textContent.trim())
    .map((e) => [
      getComputedStyle(e).color, getComputedStyle(e).backgroundColor,
      e.textContent.slice(0, 60)])"""
HIDDEN = """[...document.querySelectorAll(
    "article :is(details > :not(summary), .solution > :not(.admonition-title))")]
    .filter((e) => !e.checkVisibility({
      contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true}))
    .map((e) => e.textContent.slice(0, 60))"""
NAVIGATION = """[...document.querySelectorAll(
    "nav, .bd-sidebar-primary, .prev-next-footer, button, .headerlink")]
    .filter((e) => e.checkVisibility()).map((e) => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_a_page_is_dark_on_white_and_open(html, visit, scheme):
    """Pale gray letters from the dark scheme; a fold without its code; a menu on paper."""
    for chapter in ("07_autodiff", "09_jit"):
        address = (html / "chapters" / f"{chapter}.html").as_uri()
        page = visit(address, color_scheme=scheme).page
        page.emulate_media(media="print")
        page.wait_for_function("document.documentElement.dataset.theme === 'light'")
        inks = page.evaluate(INKS)
        assert len(inks) > 500
        for ink, ground, words in inks:
            assert luminance(ink) < 140, (ink, words)
            assert luminance(ground) > 230, (ground, words)
        assert page.evaluate(HIDDEN) == []
        assert page.evaluate(NAVIGATION) == []
        page.emulate_media(media="screen")
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")


def test_solutions_move_to_an_appendix_and_folds_open(html):
    """A solution lost on the way, or beside its exercise; code that stays folded away."""
    chapters = edition_text.read(html)
    exercises = sum(len(c.body.select("div.exercise")) for c in chapters)
    appendix = next(c for c in chapters if c.id == "p-solutions")
    assert len(appendix.body.select("div.solution")) == exercises > 60
    for chapter in chapters:
        assert not chapter.body.find(["details", "summary", "script", "canvas"])
        if chapter is not appendix:
            assert not chapter.body.select("div.solution")
    ids = [t["id"] for c in chapters for t in [c.body, *c.body.find_all(id=True)]]
    assert len(ids) == len(set(ids))
