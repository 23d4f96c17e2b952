"""Print the whole book into one PDF: `make pdf`.

Chromium lays out the text, as it does for the pages, with the same fonts, code and formulas. It
cannot fill in the number of a page that comes later, so the book is printed, the page of each
link's target is looked up, and the book is printed again with these numbers.
"""

from __future__ import annotations

import logging
import sys
from html import escape
from pathlib import Path
from typing import Any

import edition_text
from bs4 import BeautifulSoup, Tag
from edition_text import BUILT, NAME, ROOT, Chapter, MissingError
from PIL import Image

OUT = ROOT / "_build" / "pdf" / f"{NAME}.pdf"
EVERYWHERE = ("Summary", "Exercises", "Read on")  # not in the table of contents
FULL = 1080  # pixels of a figure as wide as the text
SHORT = 14  # lines of code that are kept on one page
HEAD = 'font: 9pt "Source Sans 3"; color: #4d5a68; vertical-align: bottom; padding-bottom: 0.15in;'
# As on the pages, where sections are left alone and only formulas are set.
MATHJAX = """MathJax = { options: {
  enableMenu: false, enableAssistiveMml: false,
  processHtmlClass: "tex2jax_process|mathjax_process|math|output_area" } };"""
TRIES = 4  # printings until the numbers agree with the pages
FONTS = {  # file of the pages: family, style, weights
    "source-serif-4-normal": ("Source Serif 4", "normal", (400, 600)),
    "source-serif-4-italic": ("Source Serif 4", "italic", (400, 600)),
    "source-sans-3-normal": ("Source Sans 3", "normal", (400, 600)),
    "source-code-pro-normal": ("Source Code Pro", "normal", (400, 600)),
}


def document(chapters: list[Chapter], numbers: dict[str, int], fonts: str) -> str:
    """The whole book as one page of HTML; `numbers` says on which page each place is."""
    config = edition_text.settings()
    static = BUILT / "_static"
    here = Path(__file__).parent
    styles = [here / "edition.css", here / "edition_print.css"]
    style = "\n".join(path.read_text(encoding="utf-8") for path in styles)
    heads = "".join(
        f"#{c.id} {{ page: {c.id}; }} "
        f'@page {c.id} {{ @top-left {{ content: "{config["title"]}"; {HEAD} }} '
        f'@top-right {{ content: "{_quoted(c.title)}"; {HEAD} }} }}\n'
        for c in chapters
        if "scripted" not in c.body["class"]  # these share the page of their part
    )
    cover = (ROOT / "_static" / "cover.svg").as_uri()
    body = [
        f'<div class="cover"><p class="title">{escape(config["title"])}</p>'
        f"<p>{escape(edition_text.TAGLINE)}</p>"
        f'<img src="{cover}" alt=""></div>',
        _toc(chapters, numbers),
    ]
    for chapter in chapters:
        if chapter.part:
            name = f"part-{chapter.id}"
            body.append(
                f'<section class="part" id="{name}"><h1>{escape(chapter.part)}</h1></section>'
            )
        body.append(_set(chapter, numbers))
    mathjax = (static / "mathjax" / "tex-chtml.js").as_uri()
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(config["title"])}</title>
<style>{fonts}{edition_text.code_style()}{style}{heads}</style>
<script>{MATHJAX}</script>
<script src="{mathjax}"></script></head><body>{"".join(body)}</body></html>"""


def _fonts(folder: Path) -> str:
    """The pages' fonts, each weight in a file of its own: Chromium embeds no variable ones.

    It would draw every letter instead, which makes a large file whose letters look coarse.
    """
    try:
        import brotli  # noqa: F401
        from fontTools.ttLib import TTFont
        from fontTools.varLib.instancer import (
            instantiateVariableFont,
        )
    except ImportError:
        raise MissingError(
            "fontTools or Brotli is missing. Install them: "
            "pip install -c constraints.txt -e '.[dev]'"
        ) from None
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    rules = []
    for name, (family, style, weights) in FONTS.items():
        for weight in weights:
            path = folder / f"{name}-{weight}.ttf"
            with TTFont(BUILT / "_static" / "fonts" / f"{name}.woff2") as font:
                instantiateVariableFont(
                    font, {"wght": weight}, inplace=True, updateFontNames=False
                )
                font.flavor = None
                font.save(path)
            rules.append(
                f'@font-face {{ font-family: "{family}"; font-style: {style}; '
                f'font-weight: {weight}; src: url("{path.as_uri()}"); }}'
            )
    return "\n".join(rules)


def _pypdf() -> Any:
    """The library that reads and repairs the PDF."""
    try:
        import pypdf
        import pypdf.generic
    except ImportError:
        raise MissingError(
            "pypdf is missing. Install it: pip install -c constraints.txt -e '.[dev]'"
        ) from None
    return pypdf


def _name_outline(writer: Any, html: str) -> None:
    """Correct what Chromium writes into the outline.

    It drops the space where a heading wraps, and names a heading twice that it moved to the next
    page.
    """
    soup = BeautifulSoup(html, "html.parser")
    texts = [
        h.get_text().strip() for h in soup.find_all(["h1", "h2", "h3", "h4", "h5"])
    ]
    known = {"".join(text.split()): " ".join(text.split()) for text in texts}
    objects = _pypdf().generic
    item = writer.root_object["/Outlines"].get_object().get("/First")
    waiting = [item]
    while waiting:
        item = waiting.pop()
        if item is None:
            continue
        item = item.get_object()
        name = "".join(str(item["/Title"]).split())
        half = name[: len(name) // 2]
        name = half if name == 2 * half and name not in known else name
        text = objects.TextStringObject(known.get(name, item["/Title"]))
        item[objects.NameObject("/Title")] = text
        waiting += [item.get("/First"), item.get("/Next")]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _line(kind: str, place: str, text: str, numbers: dict[str, int]) -> str:
    number = numbers.get(place, 0)
    return (
        f'<p class="{kind}"><a href="#{place}">{escape(text)}</a><span class="dots"></span>'
        f'<a href="#{place}" class="page">{number}</a></p>'
    )


def _toc(chapters: list[Chapter], numbers: dict[str, int]) -> str:
    lines = []
    for chapter in chapters:
        if chapter.part:
            lines.append(_line("of-part", f"part-{chapter.id}", chapter.part, numbers))
        lines.append(_line("of-chapter", chapter.id, chapter.title, numbers))
        if chapter.title[:1].isdigit():
            for heading in chapter.body.find_all("h2"):
                section = heading.find_parent("section")
                usual = heading.get_text() in EVERYWHERE
                if isinstance(section, Tag) and section.get("id") and not usual:
                    place = str(section["id"])
                    lines.append(
                        _line("of-section", place, heading.get_text(), numbers)
                    )
    return f'<section class="toc" id="contents"><h2>Contents</h2>{"".join(lines)}</section>'


def _set(chapter: Chapter, numbers: dict[str, int]) -> str:
    """A chapter with headings one level below those of the parts, and pages beside solutions."""
    soup = BeautifulSoup(str(chapter.body), "html.parser")
    for heading in soup.find_all(["h1", "h2", "h3", "h4"]):
        heading.name = f"h{int(heading.name[1]) + 1}"
    for code in soup.find_all(["pre"]):
        if code.get_text().count("\n") <= SHORT:
            code["class"] = "short"
    for image in soup.find_all("img"):
        with Image.open(str(image["src"])) as picture:
            share = min(1, picture.width / FULL)
        image["style"] = f"width: {share:.0%}"
    for line in soup.select(".to-solution"):
        link = line.a
        assert link is not None
        page = soup.new_tag("span", attrs={"class": "page"})
        page.string = str(numbers.get(str(link["href"])[1:], 0))
        link.append(" on page ")
        link.append(page)
    return str(soup)


def make(out: Path = OUT, keep: set[str] | None = None) -> Path:
    """Print until the numbers agree with the pages, then add the title and the author.

    Args:
        out: the file to write.
        keep: ids of the chapters to print, to look at a few; all of them if None.
    """
    pypdf = _pypdf()
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # of a trailer that it repairs
    chapters = [c for c in edition_text.read() if keep is None or c.id in keep]
    out.parent.mkdir(parents=True, exist_ok=True)
    page_file = out.with_suffix(".html")
    raw = out.with_suffix(".part")
    numbers: dict[str, int] = {}
    fonts = _fonts(out.parent)
    with edition_text.browser() as browser:
        page = browser.new_page()
        for _ in range(TRIES):
            page_file.write_text(document(chapters, numbers, fonts), encoding="utf-8")
            page.goto(page_file.as_uri(), wait_until="load", timeout=120_000)
            page.evaluate("MathJax.startup.promise.then(() => document.fonts.ready)")
            page.set_default_timeout(300_000)
            page.pdf(
                path=raw,
                prefer_css_page_size=True,
                print_background=True,
                outline=True,
                tagged=True,
            )
            reader = pypdf.PdfReader(raw)
            found = {
                name: 1 + (reader.get_destination_page_number(place) or 0)
                for name, place in reader.named_destinations.items()
            }
            found = {name.lstrip("/"): number for name, number in found.items()}
            if found == numbers:
                break
            numbers = found
        else:
            raise RuntimeError(f"The page numbers still moved after {TRIES} printings")
        page.close()
    config = edition_text.settings()
    writer = pypdf.PdfWriter(clone_from=raw)
    writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
    _name_outline(writer, page_file.read_text(encoding="utf-8"))
    writer.page_mode = "/UseOutlines"
    writer.write(out)
    raw.unlink()
    return out


if __name__ == "__main__":
    sys.exit(edition_text.run(make))
