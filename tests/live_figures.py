"""What every live figure must do, whatever it shows."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import nbformat
import numpy as np
from helpers import ROOT
from pages import AXE, BROKEN, PHONE, TOO_WIDE

AXE_FAULTS = """async (id) => (await axe.run("#" + id, {resultTypes: ["violations"]})).violations
    .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 200)}`))"""
# Numbers that no reader should meet.
BAD = """(id) => /NaN|undefined|null|Infinity/.test(document.getElementById(id).outerHTML)"""


def functions(browser, script):
    """An empty page with the functions of a live figure, and nothing drawn."""
    page = browser.new_page()
    for name in ("live.js", script):
        page.add_script_tag(path=ROOT / "_static" / "live" / name)
    return page


def chapter_names(stem, *definitions):
    """Run the cells of a chapter that contain one of these texts, and return what they define."""
    names = {"jax": jax, "jnp": jnp, "np": np, "print": lambda *_: None}
    notebook = nbformat.read(ROOT / "chapters" / f"{stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and any(d in cell.source for d in definitions):
            exec(cell.source, names)
    return names


def show(visit, address, id, **options):
    """A live figure, scrolled to and ready; and the page's visit, with its complaints."""
    seen = visit(address, **options)
    figure = seen.page.locator(f"#{id}")
    figure.scroll_into_view_if_needed()
    seen.page.wait_for_selector(f"#{id} .live-stage:not([aria-busy])")
    return figure, seen


def move(figure, name, place):
    """Set a slider to a place from 0 to 1, as a finger would."""
    figure.get_by_label(name, exact=True).evaluate(
        """(input, place) => {
            input.value = Number(input.min) + place * (input.max - input.min);
            input.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        place,
    )


def sound(figure):
    """Whether the figure shows numbers only."""
    id = figure.get_attribute("id")
    return not figure.page.evaluate(BAD, id)


def faults_everywhere(html, server, visit, name, id):
    """What is wrong with a live figure, from files, a server, a phone, dark, printed."""
    faults = []
    for address in ((html / name).as_uri(), f"{server}/{name}"):
        figure, seen = show(visit, address, id, viewport=PHONE)
        faults += seen.complaints + seen.outside(address) + seen.page.evaluate(BROKEN)
        if seen.page.evaluate(TOO_WIDE):
            faults.append("wider than a phone")
        small = figure.locator(".live-stage text").evaluate_all(
            """all => all.filter((text) => Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b)
                * parseFloat(getComputedStyle(text).fontSize) < 12).length"""
        )
        faults += [f"{small} texts below 12 pixels"] * (small > 0)
    for scheme in ("light", "dark"):
        figure, seen = show(
            visit, f"{server}/{name}", id, color_scheme=scheme, reduced_motion="reduce"
        )
        if AXE.exists():
            seen.page.add_script_tag(path=AXE)
            faults += seen.page.evaluate(AXE_FAULTS, id)

    picture, stage = figure.locator("> img"), figure.locator(".live-stage")
    if picture.is_visible() or not stage.is_visible():
        faults.append("the picture is still there")
    turn = figure.locator(".live-turn")
    turn.press("Enter")
    if stage.is_visible() or not picture.is_visible():
        faults.append("the button does not bring the picture back")
    turn.press("Enter")
    seen.page.emulate_media(media="print")
    if stage.is_visible() or turn.is_visible() or not picture.is_visible():
        faults.append("the live figure is printed")
    bare = visit(f"{server}/{name}", java_script_enabled=False).page
    if (
        not bare.locator(f"#{id} img").is_visible()
        or bare.locator(".live-stage").count()
    ):
        faults.append("no picture without scripts")
    return faults
