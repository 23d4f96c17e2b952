"""What the tests of live figures share: a chapter's own functions, and what holds for all."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import nbformat
import numpy as np
import pytest
from helpers import ROOT
from pages import PHONE

AXE = ROOT / "tests" / "node_modules" / "axe-core" / "axe.min.js"
FAULTS = """async (id) => {
    const { violations } = await axe.run(document.getElementById(id));
    return violations.filter((v) => ["serious", "critical"].includes(v.impact))
        .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 200)}`));
}"""
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
SMALLEST = """(id) => Math.min(...[...document.querySelectorAll(`#${id} svg text`)].map((text) =>
    text.getScreenCTM().a ? parseFloat(getComputedStyle(text).fontSize) *
        Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b) : 99))"""


def chapter_names(stem: str, *definitions: str) -> dict:
    """Run the cells of a chapter that contain one of these texts, and return what they define."""
    names = {"jax": jax, "jnp": jnp, "np": np, "print": lambda *_: None}
    notebook = nbformat.read(ROOT / "chapters" / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and any(d in cell.source for d in definitions):
            exec(cell.source, names)
    return names


def check_everywhere(visit, html: Path, page_name: str, figures: tuple[str, ...]):
    """From the file system, light and dark, on a phone, in print, and without scripts."""
    address = (html / page_name).as_uri()
    seen = visit(address, reduced_motion="reduce", viewport=PHONE)
    page = seen.page
    assert seen.complaints == []
    assert seen.outside(address) == []
    assert not page.evaluate(TOO_WIDE)
    for name in figures:
        live, picture = (
            page.locator(f"#{name} .live-stage"),
            page.locator(f"#{name} img"),
        )
        assert live.is_visible(), name
        assert not picture.is_visible(), name
        assert page.evaluate(SMALLEST, name) >= 12, name
    if AXE.exists():
        page.add_script_tag(path=AXE)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(
                "scheme => document.documentElement.dataset.theme === scheme",
                arg=scheme,
            )
            for name in figures:
                assert page.evaluate(FAULTS, name) == [], (name, scheme)
    page.emulate_media(media="print")
    for name in figures:
        assert page.locator(f"#{name} img").is_visible(), name
        assert not page.locator(f"#{name} .live-stage").is_visible(), name
    page = visit(address, java_script_enabled=False).page
    for name in figures:
        assert page.locator(f"#{name} img").is_visible(), name
        assert page.locator(f"#{name} button").count() == 0, name
    if not AXE.exists():
        pytest.skip("run `npm ci --prefix tests` to check the figures with axe-core")
