"""Print the whole book into one PDF: `make pdf`.

Chromium sets the text, since it sets the pages as well and has fonts, code and formulas from there.
It cannot fill in the numbers of pages that lie further on, so the book is printed, its places are
looked up, and it is printed again with their numbers.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

import edition_text
from bs4 import BeautifulSoup, Tag
from edition_text import BUILT, NAME, ROOT, Chapter, MissingError

OUT = ROOT / "_build" / "pdf" / f"{NAME}.pdf"
SHORT = 14  # lines of code that are kept on one page
HEAD = 'font: 9pt "Source Sans 3"; color: #4d5a68; vertical-align: bottom; padding-bottom: 0.15in;'
# As on the pages, where sections are left alone and only formulas are set.
MATHJAX = """MathJax = { options: {
  enableMenu: false, enableAssistiveMml: false,
  processHtmlClass: "tex2jax_process|mathjax_process|math|output_area" } };"""
TRIES = 4  # printings until the numbers agree with the pages
FONTS = [
    ("Source Serif 4", "source-serif-4-normal", "normal"),
    ("Source Serif 4", "source-serif-4-italic", "italic"),
    ("Source Sans 3", "source-sans-3-normal", "normal"),
    ("Source Code Pro", "source-code-pro-normal", "normal"),
]


def document(chapters: list[Chapter], numbers: dict[str, int]) -> str:
    """The whole book as one page of HTML; `numbers` says on which page each place is."""
    config = edition_text.settings()
    static = BUILT / "_static"
    fonts = "".join(
        f'@font-face {{ font-family: "{family}"; font-style: {style}; font-weight: 200 900; '
        f'src: url("{(static / "fonts" / file).as_uri()}.woff2"); }}\n'
        for family, file, style in FONTS
    )
    here = Path(__file__).parent
    styles = [here / "edition.css", here / "edition_print.css"]
    style = "\n".join(path.read_text(encoding="utf-8") for path in styles)
    heads = "".join(
        f"#{c.id} {{ page: {c.id}; }} "
        f'@page {c.id} {{ @top-left {{ content: "{config["title"]}"; {HEAD} }} '
        f'@top-right {{ content: "{_quoted(c.title)}"; {HEAD} }} }}\n'
        for c in chapters
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
                if isinstance(section, Tag) and section.get("id"):
                    place = str(section["id"])
                    lines.append(
                        _line("of-section", place, heading.get_text(), numbers)
                    )
    return f'<section class="toc" id="contents"><h1>Contents</h1>{"".join(lines)}</section>'


def _set(chapter: Chapter, numbers: dict[str, int]) -> str:
    """A chapter with headings one level below those of the parts, and pages beside solutions."""
    soup = BeautifulSoup(str(chapter.body), "html.parser")
    for heading in soup.find_all(["h1", "h2", "h3", "h4"]):
        heading.name = f"h{int(heading.name[1]) + 1}"
    for code in soup.find_all(["pre"]):
        if code.get_text().count("\n") <= SHORT:
            code["class"] = "short"
    for line in soup.select(".to-solution"):
        link = line.a
        assert link is not None
        page = soup.new_tag("span", attrs={"class": "page"})
        page.string = str(numbers.get(str(link["href"])[1:], 0))
        link.append(" on page ")
        link.append(page)
    return str(soup)


def make(out: Path = OUT, keep: set[str] | None = None) -> Path:
    """Print until the numbers agree with the pages, then name title and author.

    Args:
        out: the file to write.
        keep: ids of the chapters to print, to look at a few; all of them if None.
    """
    try:
        from pypdf import PdfReader, PdfWriter
    except ImportError:
        raise MissingError(
            "pypdf is missing. Install it: pip install -c constraints.txt -e '.[dev]'"
        ) from None
    chapters = [c for c in edition_text.read() if keep is None or c.id in keep]
    out.parent.mkdir(parents=True, exist_ok=True)
    page_file = out.with_suffix(".html")
    raw = out.with_suffix(".part")
    numbers: dict[str, int] = {}
    with edition_text.browser() as browser:
        page = browser.new_page()
        for _ in range(TRIES):
            page_file.write_text(document(chapters, numbers), encoding="utf-8")
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
            reader = PdfReader(raw)
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
    writer = PdfWriter(clone_from=raw)
    writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
    writer.page_mode = "/UseOutlines"
    writer.write(out)
    raw.unlink()
    return out


if __name__ == "__main__":
    sys.exit(edition_text.run(make))
