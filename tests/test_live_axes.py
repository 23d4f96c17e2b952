"""Chapter 6's live figure: vmap's axes, against `jax.vmap` itself, and in the reader's hands."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import ROOT
from live_figures import faults_everywhere
from live_figures import functions as functions_of
from pages import AXE, FAULTS, PHONE, TOO_WIDE

PAGE = "chapters/06_vmap.html"
AXES = list(itertools.product((None, 0, 1), (None, 0, 1), (0, 1)))


def linear(weights, image):
    return weights @ image


@pytest.fixture
def functions(browser):
    """A page with nothing but the figure's functions."""
    page = functions_of(browser, "axes.js")
    yield page
    page.close()


def test_every_choice_does_what_jax_does(functions):
    """A slice of the wrong axis, an answer in the wrong place, a message that JAX doesn't give."""
    offered = functions.evaluate(
        "[Object.values(Axes.WEIGHTS), Object.values(Axes.IMAGES)]"
    )
    outcomes = functions.evaluate(
        """([weights, images, axes]) => weights.map((w) => images.map((x) =>
            axes.map(([a, b, out]) => Axes.outcome(w, x, [a, b], out))))""",
        [*offered, AXES],
    )
    results, messages = 0, set()
    for i, w in enumerate(offered[0]):
        for j, x in enumerate(offered[1]):
            for (a, b, out), theirs in zip(AXES, outcomes[i][j], strict=True):
                choice = f"{np.shape(w)}, {np.shape(x)}: {theirs['code']}"
                mapped = jax.vmap(linear, in_axes=(a, b), out_axes=out)
                try:
                    ours = mapped(jnp.array(w, float), jnp.array(x, float))
                except (TypeError, ValueError) as error:
                    message = f"{type(error).__name__}: {error}"
                    assert theirs["error"] == message, choice
                    messages.add(message.split(" ")[1])
                else:
                    assert theirs["error"] is None, choice
                    np.testing.assert_array_equal(theirs["result"], ours, choice)
                    results += 1
    # What is offered must show results and every way to fail.
    assert results > 50
    assert messages == {"vmap", "matmul", "dot_general", "axis"}


def test_what_meets_is_what_the_line_says(functions):
    """A line of Python beside the figure that doesn't compute the numbers in it."""
    weights, images = functions.evaluate(
        "[Object.values(Axes.WEIGHTS), Object.values(Axes.IMAGES)]"
    )
    lines = 0
    for w, x, (a, b, out) in itertools.product(weights, images, AXES):
        result, steps, told = functions.evaluate(
            """([w, x, a, b, out]) => {
                const { result, steps } = Axes.outcome(w, x, [a, b], out);
                const told = Array.from({ length: Math.max(steps, 1) }, (_, i) =>
                    Axes.meeting(w, x, [a, b], out, i));
                return [result, steps, told];
            }""",
            [w, x, a, b, out],
        )
        for meeting in told:
            assert meeting["words"].endswith("."), meeting
            assert "undefined" not in str(meeting)
            assert "NaN" not in str(meeting)
        if result is None:
            continue
        assert len(told) == steps
        names = {"weights": np.array(w), "images": np.array(x)}
        for meeting in told:
            put, given = meeting["line"].split(" = ")
            expected = eval(put, {"result": np.array(result)})
            np.testing.assert_array_equal(eval(given, names), expected)
            lines += 1
    assert lines > 150


@pytest.fixture
def figure(html, visit):
    """The chapter, opened from the file system, and its live figure."""
    seen = visit((html / PAGE).as_uri())
    yield seen.page, seen.page.locator("#fig-vmap-axes")
    assert seen.complaints == []


def shown(figure):
    """The text of the call, the result's label, and what is said."""
    return (
        figure.locator(".live-code").first.inner_text(),
        figure.locator("svg").last.get_attribute("aria-label"),
        figure.locator("[role=status]").inner_text(),
    )


def test_it_starts_with_the_chapters_choice(figure):
    """A figure that begins with something else than the text around it."""
    _, live = figure
    code, result, words = shown(live)
    assert "in_axes=(None, 1), out_axes=0" in code
    assert result == "result of shape (5, 3)"
    assert words.startswith("Example 2: (3, 4) @ (4,) gives (3,)")
    assert live.locator(".live-cell.live-on").count() == 12 + 4 + 3
    assert not live.locator("img").is_visible()


def test_the_figure_and_the_picture_show_the_same_numbers(figure, html):
    """Numbers in the printed figure that the live one doesn't have."""
    page, _ = figure
    few = np.fromfunction(lambda i, j: (3 * i + 2 * j + i * j) % 5 - 2, (3, 4))
    pictures = np.fromfunction(lambda i, j: (2 * i + 3 * j + i * j) % 7, (4, 5))
    source = (ROOT / "chapters" / "06_vmap.ipynb").read_text(encoding="utf-8")
    assert "(3 * i + 2 * j + i * j) % 5 - 2, (3, 4)" in source
    assert "(2 * i + 3 * j + i * j) % 7, (4, 5)" in source
    weights, images = page.evaluate(
        "[Object.values(Axes.WEIGHTS)[0], Object.values(Axes.IMAGES)[0]]"
    )
    np.testing.assert_array_equal(weights, few)
    np.testing.assert_array_equal(images, pictures)


def test_the_keyboard_changes_everything(figure):
    """A control that needs a mouse, or that changes nothing."""
    page, live = figure
    controls = live.locator("select, input")
    assert controls.count() == 6
    before = [shown(live)]
    keys = ("Down", "Down", "Down", "Up", "Down", "Left")
    for control, key in enumerate(keys):
        controls.nth(control).focus()
        page.keyboard.press(f"Arrow{key}")
        before.append(shown(live))
        assert before[-1] != before[-2], (control, key)


def test_pointing_at_a_slice_chooses_its_example(figure):
    """Cells that look as if they could be touched and cannot, or that choose another slice."""
    _, live = figure
    slider = live.locator("input[type=range]")
    images = live.locator("svg").nth(0).locator("g[aria-hidden]").nth(1)
    images.locator(".live-cell").nth(4).click()
    assert slider.input_value() == "4"
    live.locator("svg").nth(1).locator(".live-cell").nth(0).click()
    assert slider.input_value() == "0"
    assert slider.get_attribute("aria-valuetext") == "number 0"


def test_no_choice_leaves_the_figure_speechless(figure):
    """NaN or undefined on the page, a message cut off, a slider that points nowhere."""
    page, live = figure
    selects = live.locator("select")
    counts = [selects.nth(i).locator("option").count() for i in range(5)]
    assert counts == [3, 5, 3, 3, 2]
    page.evaluate(
        """() => {
            const live = document.querySelector("#fig-vmap-axes");
            const selects = [...live.querySelectorAll("select")];
            const slider = live.querySelector("input");
            window.faults = [];
            const choose = (place) => {
                if (place < selects.length) {
                    for (let i = 0; i < selects[place].options.length; i++) {
                        selects[place].value = i;
                        selects[place].dispatchEvent(new Event("change"));
                        choose(place + 1);
                    }
                    return;
                }
                const text = live.querySelector(".live-stage").innerText;
                const words = live.querySelector("[role=status]").textContent;
                const error = live.querySelector("[aria-label^=JAX]").textContent;
                const drawn = live.querySelectorAll("svg")[1].style.display !== "none";
                const fine = !/NaN|undefined|null/.test(text) && words.endsWith(".")
                    && drawn === !error && Number(slider.value) <= Number(slider.max);
                if (!fine) window.faults.push(text);
            };
            choose(0);
        }"""
    )
    assert page.evaluate("window.faults") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_and_a_phone(server, visit, scheme):
    """Text too faint, a control without a name, a figure wider than a phone."""
    seen = visit(f"{server}/{PAGE}", viewport=PHONE, color_scheme=scheme)
    live = seen.page.locator("#fig-vmap-axes")
    assert not seen.page.evaluate(TOO_WIDE)
    if AXE.exists():
        seen.page.add_script_tag(path=AXE)
        assert seen.page.evaluate(FAULTS, []) == []
    live.locator("select").nth(2).select_option(index=1)
    live.locator("select").nth(3).select_option(index=1)
    assert "inconsistent sizes" in live.inner_text()
    assert not seen.page.evaluate(TOO_WIDE)
    if AXE.exists():
        assert seen.page.evaluate(FAULTS, []) == []
    sizes = live.locator("svg text").evaluate_all(
        """all => all.map((t) => t.getBoundingClientRect().width && parseFloat(
            getComputedStyle(t).fontSize) * t.ownerSVGElement.getScreenCTM().a)"""
    )
    assert min(size for size in sizes if size) >= 12
    assert seen.complaints == []


def test_it_holds_everywhere(html, server, visit):
    """A printed page with controls, or one without scripts that shows nothing."""
    assert faults_everywhere(html, server, visit, PAGE, "fig-vmap-axes") == []
