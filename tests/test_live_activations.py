"""Activation functions in the page: values and slopes of JAX, and a figure that answers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from live_figures import faults_everywhere, functions, move, show, sound
from pages import PHONE
from playwright.sync_api import expect

NAME, ID = "chapters/05_forward_pass.html", "fig-activations"
FUNCTIONS = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "ReLU": jax.nn.relu,
    "GELU": jax.nn.gelu,
    "SELU": jax.nn.selu,
    "Swish": jax.nn.swish,
}
AT = """([name, xs, beta]) => xs.map((x) => [
    Activations.FUNCTIONS[name].value(x, beta), Activations.FUNCTIONS[name].slope(x, beta)])"""


@pytest.fixture(scope="module")
def page(browser):
    """The figure's functions."""
    page = functions(browser, "activations.js")
    yield page
    page.close()


@pytest.fixture
def figure(html, visit):
    """The live figure, ready."""
    return show(visit, (html / NAME).as_uri(), ID)[0]


def found(page, name, grid, beta=1.0):
    """Values and slopes in the page."""
    return np.array(page.evaluate(AT, [name, grid.tolist(), beta])).T


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_slopes_are_those_of_jax(page, name):
    """A formula mistyped, the exact GELU for JAX's, or another slope at a corner."""
    grid = np.linspace(-6, 6, 481, dtype=np.float32)
    assert 0 in grid
    function = FUNCTIONS[name]
    values, slopes = found(page, name, grid)
    assert np.allclose(values, function(grid), rtol=0, atol=1e-5)
    assert np.allclose(slopes, jax.vmap(jax.grad(function))(grid), rtol=0, atol=1e-5)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 10.0, 100.0])
def test_beta_bends_swish_as_in_jax(page, beta):
    """A β that reaches the value and not the slope."""
    grid = np.linspace(-6, 6, 481, dtype=np.float32)
    values, slopes = found(page, "Swish", grid, beta)

    def swish(x):
        return x * jax.nn.sigmoid(beta * x)

    assert np.allclose(values, swish(grid), rtol=0, atol=1e-5)
    assert np.allclose(slopes, jax.vmap(jax.grad(swish))(grid), rtol=0, atol=1e-5)


def test_figure_says_what_the_chapter_says(figure):
    """A sigmoid steeper than a quarter, or one that does not saturate."""
    status = figure.locator("[role=status]")
    expect(status).to_contain_text("its slope is 0.25")
    expect(status).to_contain_text("after ten such slopes 9.54e−7 times")
    move(figure, "x", 1)
    expect(status).to_contain_text("saturated")
    figure.get_by_role("combobox").select_option("ReLU")
    move(figure, "x", 0)
    expect(status).to_contain_text("no push at all")
    move(figure, "x", 0.5)
    expect(status).to_contain_text("corner")
    figure.get_by_role("combobox").select_option("SELU")
    expect(status).to_contain_text("its slope is 1.76")


def test_beta_belongs_to_swish(figure):
    """A slider that is shown where it does nothing, or one that does nothing where it is shown."""
    beta, status = figure.get_by_label("β", exact=True), figure.locator("[role=status]")
    assert not beta.is_visible()
    figure.get_by_role("combobox").select_option("Swish")
    assert beta.is_visible()
    move(figure, "β", 0)
    expect(status).to_contain_text("straight line x/2")
    move(figure, "β", 1)
    expect(status).to_contain_text("β = 100")


def test_keyboard_moves_x(figure):
    """A point that only a mouse moves."""
    dots, slider = figure.locator("circle"), figure.get_by_label("x", exact=True)
    before = [dot.get_attribute("cx") for dot in dots.all()]
    slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "−0.05"
    after = [dot.get_attribute("cx") for dot in dots.all()]
    assert all(float(b) < float(a) for a, b in zip(before, after, strict=True))
    expect(figure.locator("[role=status]")).to_contain_text("x = −0.05")


@pytest.mark.parametrize("picture", [0, 1])
def test_mouse_drags_the_point(html, visit, picture):
    """A drag that is off where the drawing is scaled, or one that leaves the slider behind."""
    figure, seen = show(visit, (html / NAME).as_uri(), ID, viewport=PHONE)
    drawing = figure.locator("svg").nth(picture)
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    # The chart's own pixels; x from −5.5 to 5.5 is at 52 to 348
    unit = box["width"] / 360
    seen.page.mouse.move(box["x"] + 200 * unit, box["y"] + 100 * unit)
    seen.page.mouse.down()
    target = 52 + (3 + 5.5) / 11 * (348 - 52)
    seen.page.mouse.move(box["x"] + target * unit, box["y"] + 90 * unit, steps=4)
    slider = figure.get_by_label("x", exact=True)
    assert abs(float(slider.input_value()) - 3) < 0.06
    seen.page.mouse.move(box["x"] + 2 * box["width"], box["y"], steps=4)
    assert float(slider.input_value()) == 5
    seen.page.mouse.up()


def test_finger_drags_the_point(html, visit):
    """A page that scrolls away from under the finger, or a point too small to take hold of."""
    address = (html / NAME).as_uri()
    figure, seen = show(visit, address, ID, viewport=PHONE, has_touch=True)
    dot = figure.locator("circle").first
    dot.scroll_into_view_if_needed()
    box = dot.bounding_box()
    x, y = box["x"] + box["width"] / 2 + 10, box["y"] + box["height"] / 2 + 5
    session = seen.page.context.new_cdp_session(seen.page)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 40, "y": y}]),
        ("touchMove", [{"x": x + 80, "y": y}]),
        ("touchEnd", []),
    ):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert float(figure.get_by_label("x", exact=True).input_value()) > 2


def test_ends_of_the_sliders_are_numbers(figure):
    """A power of e that overflows."""
    for name in FUNCTIONS:
        figure.get_by_role("combobox").select_option(name)
        for place in (0, 0.5, 1):
            move(figure, "x", place)
            if name == "Swish":
                for end in (0, 1):
                    move(figure, "β", end)
                    assert sound(figure)
            assert sound(figure)


def test_figure_serves_everyone(html, server, visit):
    """A live figure that complains, is too wide, hides a name, is printed, or needs a script."""
    assert faults_everywhere(html, server, visit, NAME, ID) == []
