"""Ten layers at a scale of the reader's choice: the numbers of JAX, and a figure that answers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from live_figures import faults_everywhere, move, show, sound
from playwright.sync_api import expect

NAME, ID = "chapters/04_initialization.html", "fig-scales"


@pytest.fixture
def page(html, visit):
    """The chapter, opened from the file system."""
    return visit((html / NAME).as_uri()).page


@pytest.fixture
def figure(html, visit):
    """The live figure, ready."""
    return show(visit, (html / NAME).as_uri(), ID)[0]


def activation_sizes(scale, function, depth=10, width=512):
    """The chapter's function."""
    input_key, *keys = jax.random.split(jax.random.key(3), depth + 1)
    x = jax.random.normal(input_key, (width,))
    result = [float(jnp.sqrt(jnp.mean(x**2)))]
    for layer_key in keys:
        x = function(scale * jax.random.normal(layer_key, (width, width)) @ x)
        result.append(float(jnp.sqrt(jnp.mean(x**2))))
    return result


def test_random_numbers_are_those_of_jax(page):
    """A wrong rotation, a lost carry, or a coefficient of the inverse error function."""
    for seed in (0, 3, 2**31 + 5):
        key = jax.random.key(seed)
        keys = jax.random.key_data(jax.random.split(key, 5)).tolist()
        assert page.evaluate("seed => Scale.split(Scale.key(seed), 5)", seed) == keys
        drawn = page.evaluate(
            "seed => Array.from(Scale.normal(Scale.key(seed), 20000))", seed
        )
        expected = jax.random.normal(key, (20000,))
        assert np.allclose(drawn, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(drawn).max() > 3.5  # both polynomials had a part


def test_sizes_are_those_of_the_chapter(page):
    """Weights that stand the other way round, or a function that is not the one it is called."""
    sizes = """([scale, name]) => {
        const {input, draws} = Scale.start();
        window.weights ??= draws.map((draw) => draw());
        return Scale.activations(scale, name, input, weights).sizes;
    }"""
    for name, function in (("ReLU", jax.nn.relu), ("Swish", jax.nn.swish)):
        for scale in (0.01, 512**-0.5, (2 / 512) ** 0.5, 0.1):
            found = page.evaluate(sizes, [scale, name])
            assert np.allclose(found, activation_sizes(scale, function), rtol=1e-4)


def test_bars_count_every_activation(page):
    """An activation beyond the last bar that is lost, or one on the wrong side of 0."""
    x = [-100.0, -0.2, 0.0, 0.1, 0.13, 2.9, 3.1, 100.0]
    bars = np.array(page.evaluate("x => Scale.histogram(x)", x)) * len(x)
    expected = np.zeros(25)
    for bar in (0, 11, 12, 12, 13, 24, 24, 24):
        expected[bar] += 1
    assert np.allclose(bars, expected)


def test_slider_has_the_marks_exactly(page):
    """A mark of He's scale that the slider only comes close to."""
    scales = page.evaluate("Scale.SCALES")
    assert {0.01, 512**-0.5, (2 / 512) ** 0.5, 0.1} <= set(scales)
    assert scales == sorted(set(scales))


def test_figure_says_what_the_chapter_says(figure):
    """Other numbers than those that the text around the figure gives."""
    status = figure.get_by_role("status")
    group = figure.get_by_role("group", name="Set the scale to")
    for button, ending, word in (
        ("0.1", "130", "exploded"),
        ("He", "1.2", "steady"),
        ("LeCun", "0.036", "fading"),
        ("0.01", "1.3e−8", "vanished"),
    ):
        group.get_by_role("button", name=button, exact=True).click()
        expect(status).to_contain_text(f"becomes {ending} after ten layers")
        expect(status).to_contain_text(word)
    group.get_by_role("button", name="He").click()
    figure.get_by_label("Activation").select_option("Swish")
    expect(status).to_contain_text("becomes 0.12 after ten layers")
    expect(status).to_contain_text("quarter of the mean square")


def test_keyboard_moves_the_scale(figure):
    """A slider that only a mouse moves, or one whose place is read as a bare index."""
    slider, status = (
        figure.get_by_label("Scale", exact=True),
        figure.get_by_role("status"),
    )
    assert slider.get_attribute("aria-valuetext") == "0.01"
    before = status.inner_text()
    old = [path.get_attribute("d") for path in figure.locator(".live-stage path").all()]
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.0105"
    expect(status).not_to_have_text(before)
    new = [path.get_attribute("d") for path in figure.locator(".live-stage path").all()]
    assert old != new


def test_ends_of_the_slider_are_numbers(figure):
    """A logarithm of 0 at the ends, or a bar without a height."""
    for name in ("ReLU", "Swish"):
        figure.get_by_label("Activation").select_option(name)
        for place in (0, 1):
            move(figure, "Scale", place)
            assert sound(figure)


def test_figure_serves_everyone(html, server, visit):
    """A live figure that complains, is too wide, hides a name, is printed, or needs a script."""
    assert faults_everywhere(html, server, visit, NAME, ID) == []
