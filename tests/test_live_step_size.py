"""Finite differences in the page: the float32 of NumPy, and a figure that answers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from live_figures import faults_everywhere, functions, move, show, sound
from playwright.sync_api import expect

NAME, ID = "chapters/08_two_numbers.html", "fig-gradient-check"
STEPS = [10.0 ** (-halves / 2) for halves in range(2, 21)]
GAP = float(np.spacing(np.float32(np.log(10))))


@pytest.fixture(scope="module")
def page(browser):
    """The figure's functions."""
    page = functions(browser, "step_size.js")
    yield page
    page.close()


@pytest.fixture
def figure(html, visit):
    """The live figure, ready."""
    return show(visit, (html / NAME).as_uri(), ID)[0]


def loss(x, dtype):
    """The figure's loss, in one dtype throughout."""
    return np.log(dtype(9) + np.exp(dtype(20) * dtype(x)))


def test_float32_is_that_of_numpy(page):
    """An operation that is not rounded: float64 in the dress of float32."""
    xs = [sign * h for h in STEPS for sign in (-1, 1)]
    found = page.evaluate("xs => xs.map((x) => StepSize.loss(x, Math.fround))", xs)
    for x, value in zip(xs, found, strict=True):
        assert np.float32(value) == value
        assert abs(value - loss(x, np.float32)) <= GAP  # NumPy's exp may be one off
    # Rounded at every step, with functions that are right to the last digit.
    for x, value in zip(xs, found, strict=True):
        power = np.float32(np.exp(np.float64(np.float32(20) * np.float32(x))))
        assert value == np.float32(np.log(np.float64(np.float32(9) + power)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_differences_are_those_of_numpy(page, dtype):
    """A difference that is taken of other numbers, or divided by another step."""
    name = dtype.__name__
    for h in STEPS:
        seen = page.evaluate("([h, t]) => StepSize.compare(h, t)", [h, name])
        difference = float(loss(h, dtype) - loss(-h, dtype))
        noise = 2 * float(np.spacing(dtype(np.log(10))))
        assert abs(seen["difference"] - difference) <= noise
        slope = difference / (2 * float(dtype(h)))
        assert abs(seen["slope"] - slope) <= noise / (2 * h) + 1e-12
        assert np.isclose(
            seen["error"], seen["truncation"] + seen["rounding"], atol=1e-12
        )
        if dtype is np.float32:
            assert seen["difference"] % GAP == 0


def test_slope_and_truncation_are_right(page):
    """A true slope that isn't, or a truncation error that isn't a third derivative's."""
    with jax.enable_x64(True):

        def exact(x):
            return jnp.log(9 + jnp.exp(20 * x))

        first = jax.grad(exact)
        third = jax.grad(jax.grad(first))(0.0)
        assert np.isclose(first(0.0), page.evaluate("StepSize.SLOPE"), rtol=1e-12)
        for h in (1e-3, 1e-4, 1e-5):
            found = page.evaluate("h => StepSize.compare(h, 'float64')", h)
            expected = float(third) * h**2 / 6 / 2
            assert np.isclose(found["truncation"], expected, rtol=1e-2)
    for name, dtype in (("float32", np.float32), ("float64", np.float64)):
        gap = page.evaluate("name => StepSize.GAP[name]", name)
        assert gap == np.spacing(dtype(np.log(10)))


def test_errors_have_the_shape_of_the_chapter(page):
    """A best step elsewhere than in the text, near 1e-3 in float32 and 1e-6 in float64."""
    best = {}
    for name in ("float32", "float64"):
        errors = page.evaluate(
            "([hs, t]) => hs.map((h) => Math.abs(StepSize.compare(h, t).error))",
            [STEPS, name],
        )
        best[name] = STEPS[int(np.argmin(errors))]
        assert 80 < errors[1] / errors[3] < 120  # as h squared
    assert 1e-4 < best["float32"] < 4e-3
    assert 1e-7 < best["float64"] < 4e-6


def test_words_tell_the_two_errors_apart(figure):
    """Rounding called truncation, or a difference of 0 without a word."""
    status, slider = (
        figure.locator("[role=status]"),
        figure.get_by_label("h", exact=True),
    )
    assert slider.get_attribute("aria-valuetext") == "1e−3"
    expect(status).to_contain_text("about equal")
    move(figure, "h", 1)
    expect(status).to_contain_text(
        "In float32 the slope is off by 46%, nearly all truncation"
    )
    move(figure, "h", 6 / 18)
    expect(status).to_contain_text("nearly all rounding")
    expect(status).to_contain_text("for the same reason")
    expect(status).to_contain_text("2 gaps of 2.4e−7 apart where 1.68 would be right")
    move(figure, "h", 2 / 18)
    expect(status).to_contain_text(
        "off by 100%: the two losses are rounded to the same"
    )
    expect(figure.get_by_role("row", name="slope found")).to_contain_text("0")


def test_keyboard_and_buttons_shrink_h(figure):
    """A step that goes the wrong way, a drawing that stays, or a start that isn't 0.1."""
    slider = figure.get_by_label("h", exact=True)

    def at():
        return slider.get_attribute("aria-valuetext")

    def drawn():
        return [path.get_attribute("d") for path in figure.locator("path").all()]

    old = drawn()
    slider.press("ArrowLeft")
    assert at() == "3.2e−4"
    assert drawn() != old
    figure.get_by_role("button", name="Step").press("Enter")
    assert at() == "1e−4"
    figure.get_by_role("button", name="Start over").press("Enter")
    assert at() == "1e−1"
    slider.press("Home")
    assert at() == "1e−10"
    figure.get_by_role("button", name="Play").press("Enter")  # begins again
    figure.page.wait_for_function(
        "id => !document.querySelector(`#${id} input`).value.startsWith('0')", arg=ID
    )
    figure.get_by_role("button", name="Pause").press("Enter")


def test_play_is_calm_for_those_who_ask(html, visit):
    """A figure that moves by itself for someone whom that makes ill."""
    address = (html / NAME).as_uri()
    figure, _ = show(visit, address, ID, reduced_motion="reduce")
    figure.get_by_role("button", name="Play").press("Enter")
    slider = figure.get_by_label("h", exact=True)
    assert slider.get_attribute("aria-valuetext") == "1e−10"


def test_every_step_is_a_number(figure):
    """A logarithm of an error of 0, or a share of nothing."""
    for place in range(19):
        move(figure, "h", place / 18)
        assert sound(figure), place


def test_figure_serves_everyone(html, server, visit):
    """A live figure that complains, is too wide, hides a name, is printed, or needs a script."""
    assert faults_everywhere(html, server, visit, NAME, ID) == []
