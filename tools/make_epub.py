"""Put the whole book into one EPUB: `make epub`.

Formulas become MathML: MathJax, which sets them on the pages, also writes it. Readers of EPUB set
MathML themselves, at any size, and read it aloud.
"""

from __future__ import annotations

import re
import sys
import uuid
import zipfile
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import edition_text
from bs4 import BeautifulSoup, Tag
from edition_text import BUILT, NAME, ROOT, Chapter

OUT = ROOT / "_build" / "epub" / f"{NAME}.epub"
COVER = (1600, 2400)  # pixels
XHTML = "application/xhtml+xml"
TEX = re.compile(r"^\s*\\(?:\(|\[)(.*)\\(?:\)|\])\s*$", re.S)
KNOWN = (
    "class",
    "id",
    "href",
    "src",
    "alt",
    "lang",
    "colspan",
    "rowspan",
    "start",
    "title",
)
TO_MATHML = "([tex, display]) => MathJax.tex2mmlPromise(tex, {display})"


def _tex(tag: Tag) -> str:
    """A formula without the marks that surround it."""
    text = tag.get_text()
    inside = TEX.match(text)
    return inside.group(1) if inside else text


def mathml(chapters: list[Chapter]) -> int:
    """Replace every formula by MathML, and count them."""
    mathjax = BUILT / "_static" / "mathjax" / "tex-chtml.js"
    known: dict[tuple[str, bool], str] = {}
    count = 0
    with edition_text.browser() as browser:
        page = browser.new_page()
        page.set_content("<!DOCTYPE html><title>Formulas</title>")
        page.add_script_tag(content=mathjax.read_text(encoding="utf-8"))
        page.evaluate("MathJax.startup.promise")
        for chapter in chapters:
            for tag in chapter.body.select("span.math, div.math"):
                wanted = (_tex(tag), tag.name == "div")
                if wanted not in known:
                    known[wanted] = page.evaluate(TO_MATHML, list(wanted))
                    assert "merror" not in known[wanted], wanted
                parsed = BeautifulSoup(known[wanted], "html.parser").math
                assert parsed is not None, wanted
                parsed["alttext"] = " ".join(wanted[0].split())
                tag.clear()
                tag.append(_clean_mathml(parsed))
                count += 1
        page.close()
    return count


def _clean_mathml(math: Tag) -> Tag:
    """Keep the attributes that MathML 3 knows."""
    for tag in math.find_all(True):
        for name in [*tag.attrs]:
            if name.startswith("data-") or name in ("class", "style"):
                del tag[name]
    for name in [*math.attrs]:
        if name.startswith("data-"):
            del math[name]
    return math


def cover(folder: Path) -> bytes:
    """The cover as a picture: the drawing of the front page under the title."""
    config = edition_text.settings()
    width, height = COVER
    drawing = (ROOT / "_static" / "cover.svg").read_text(encoding="utf-8")
    fonts = BUILT / "_static" / "fonts" / "source-serif-4-normal.woff2"
    page_file = folder / "cover.html"
    page_file.write_text(
        f"""<!DOCTYPE html><meta charset="utf-8"><style>
@font-face {{ font-family: "Source Serif 4"; font-weight: 200 900; src: url("{fonts.as_uri()}"); }}
body {{ margin: 0; box-sizing: border-box; width: {width}px; height: {height}px;
  padding: 300px 130px 0;
  background: #12324a; color: #f4f1ea; font: 64px/1.3 "Source Serif 4", Georgia, serif; }}
h1 {{ font-size: 190px; line-height: 1.1; font-weight: 600; margin: 0 0 140px; }}
svg {{ width: 100%; margin-bottom: 120px; }}</style>
<h1>{escape(config["title"])}</h1>{drawing}<p>{escape(edition_text.TAGLINE)}</p>""",
        encoding="utf-8",
    )
    with edition_text.browser() as browser:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(page_file.as_uri())
        page.evaluate("document.fonts.ready.then(() => true)")
        picture = page.screenshot(type="jpeg", quality=85)
        page.close()
    page_file.unlink()
    return picture


def _xhtml(title: str, body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" '
        f'lang="en" xml:lang="en">\n<head><title>{escape(title)}</title>'
        f'<link rel="stylesheet" type="text/css" href="style.css"/></head>'
        f"\n<body>{body}</body></html>\n"
    )


def _for_readers(chapter: Chapter, files: dict[str, str]) -> None:
    """Links to files of the EPUB, and nothing in the markup that XHTML does not know."""
    for link in chapter.body.find_all("a", href=True):
        place = str(link["href"])
        if place.startswith("#"):
            target = place[1:]
            link["href"] = f"{files[target]}#{target}"
    for tag in [chapter.body, *chapter.body.find_all(True)]:
        if tag.name == "math" or tag.find_parent("math"):
            continue
        for name in [*tag.attrs]:
            if name not in KNOWN:
                del tag[name]
    for math in chapter.body.find_all("math"):
        math["xmlns"] = "http://www.w3.org/1998/Math/MathML"
    for box in chapter.body.select("p > div, p > p"):
        box.parent.unwrap()  # type: ignore[union-attr]


def _navigation(chapters: list[Chapter], files: dict[str, str]) -> str:
    """The table of contents: parts, chapters, and the sections of the numbered ones."""
    lines, opened = [], False
    for chapter in chapters:
        if chapter.part:
            lines.append("</ol></li>" if opened else "")
            lines.append(f"<li><span>{escape(chapter.part)}</span><ol>")
            opened = True
        name = f'<a href="{files[chapter.id]}">{escape(chapter.title)}</a>'
        sections = [
            (str(section["id"]), heading.get_text())
            for heading in chapter.body.find_all("h2")
            if isinstance(section := heading.find_parent("section"), Tag)
            and section.get("id")
        ]
        inner = "".join(
            f'<li><a href="{files[chapter.id]}#{place}">{escape(text)}</a></li>'
            for place, text in sections
        )
        lines.append(f"<li>{name}{f'<ol>{inner}</ol>' if inner else ''}</li>")
    lines.append("</ol></li>" if opened else "")
    return f'<nav epub:type="toc" id="toc"><h1>Contents</h1><ol>{"".join(lines)}</ol></nav>'


def make(out: Path = OUT) -> Path:
    """Write every chapter, its pictures, and what tells readers about the book."""
    chapters = edition_text.read()
    out.parent.mkdir(parents=True, exist_ok=True)
    formulas = {chapter.id for chapter in chapters if chapter.body.select_one(".math")}
    mathml(chapters)
    files = {}
    for chapter in chapters:
        for tag in [chapter.body, *chapter.body.find_all(id=True)]:
            files[str(tag["id"])] = f"{chapter.id}.xhtml"
    pictures: dict[str, Path] = {}
    for chapter in chapters:
        for image in chapter.body.find_all("img"):
            path = Path(str(image["src"]))
            pictures[path.name], image["src"] = path, f"images/{path.name}"
        _for_readers(chapter, files)
    config = edition_text.settings()
    title, author = config["title"], config["author"]
    style = (Path(__file__).with_name("edition.css")).read_text(encoding="utf-8")
    texts = {"style.css": style + edition_text.code_style()}
    texts["nav.xhtml"] = _xhtml("Contents", _navigation(chapters, files))
    texts["cover.xhtml"] = _xhtml(
        title, f'<img src="images/cover.jpg" alt="{escape(title)}, cover"/>'
    )
    for chapter in chapters:
        texts[f"{chapter.id}.xhtml"] = _xhtml(chapter.title, str(chapter.body))
    items = [
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        '<item id="style" href="style.css" media-type="text/css"/>',
        '<item id="cover-image" href="images/cover.jpg" media-type="image/jpeg" '
        'properties="cover-image"/>',
        f'<item id="cover" href="cover.xhtml" media-type="{XHTML}"/>',
    ]
    for chapter in chapters:
        has = ' properties="mathml"' if chapter.id in formulas else ""
        items.append(
            f'<item id="{chapter.id}" href="{chapter.id}.xhtml" media-type="{XHTML}"{has}/>'
        )
    for number, name in enumerate(sorted(pictures)):
        kind = {".png": "png", ".svg": "svg+xml", ".jpg": "jpeg"}[Path(name).suffix]
        items.append(
            f'<item id="picture-{number}" href="images/{name}" media-type="image/{kind}"/>'
        )
    spine = "".join(
        f'<itemref idref="{name}"/>'
        for name in ("cover", "nav", *(chapter.id for chapter in chapters))
    )
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{title} {config['copyright']}")
    texts["book.opf"] = f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identity}</dc:identifier><dc:title>{escape(title)}</dc:title>
<dc:creator>{escape(author)}</dc:creator><dc:language>en</dc:language>
<dc:rights>CC BY 4.0</dc:rights>
<meta property="dcterms:modified">{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</meta>
<meta property="schema:accessMode">textual</meta><meta property="schema:accessMode">visual</meta>
<meta property="schema:accessModeSufficient">textual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">MathML</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityHazard">none</meta>
<meta name="cover" content="cover-image"/>
</metadata><manifest>{"".join(items)}</manifest><spine>{spine}</spine></package>
"""
    container = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="book/book.opf" media-type="application/oebps-package+xml"/>
</rootfiles></container>
"""
    temporary = out.with_suffix(".part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", container)
        for name, text in texts.items():
            archive.writestr(f"book/{name}", text)
        archive.writestr("book/images/cover.jpg", cover(out.parent))
        for name, path in pictures.items():
            archive.write(path, f"book/images/{name}")
    temporary.replace(out)
    return out


if __name__ == "__main__":
    sys.exit(edition_text.run(make))
