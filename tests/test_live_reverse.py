"""The live figure of the reverse pass in chapter 7: its numbers, its steps and its words."""

from __future__ import annotations

import itertools
import re

import jax
import numpy as np
import pytest
from live_figures import chapter_names, faults_everywhere

PAGE = "chapters/07_autodiff.html"
NOT_WORDS = re.compile(r"nan|undefined|infinity|null|object|--|−−", re.IGNORECASE)


@pytest.fixture(scope="module")
def squared():
    """The expression as the chapter defines it."""
    return chapter_names("07_autodiff", "def squared")["squared"]


@pytest.fixture
def page(html, visit):
    return visit((html / PAGE).as_uri(), reduced_motion="reduce").page


def sentence(page):
    return page.locator("#fig-reverse [role=status]").inner_text()


def press(page, name):
    page.locator("#fig-reverse").get_by_role("button", name=name, exact=True).click()


def boxes(page):
    """What stands in each box below its name."""
    return {
        box.get_attribute("data-box"): box.locator("text").all_text_contents()[1:]
        for box in page.locator("#fig-reverse [data-box]").all()
    }


def highlighted(page):
    """The boxes and arrows of the present step."""
    now = page.locator("#fig-reverse .live-now")
    return set(
        now.evaluate_all(
            "all => all.map((e) => e.dataset.box ?? e.dataset.arrow).filter(Boolean)"
        )
    )


def test_values_and_slopes_are_jaxs(page, squared):
    """A path left out of the sum, or a factor of the wrong input."""
    for a, b in itertools.product((-4.0, -1.5, 0.0, 2.0), (-4.0, -1.0, 0.5, 3.0)):
        values, slopes = page.evaluate(
            "([a, b]) => [Reverse.forward(a, b), Reverse.backward(Reverse.forward(a, b))]",
            [a, b],
        )
        value, jaxs = jax.value_and_grad(squared, argnums=(0, 1))(a, b)
        np.testing.assert_allclose(values["f"], value, rtol=1e-5)
        np.testing.assert_allclose([slopes["a"], slopes["b"]], jaxs, rtol=1e-5)
        # The slopes in between, by nudging what comes after.
        assert slopes["f"] == 1
        assert slopes["s"] == slopes["p"] == 2 * (a * b + a)


def test_it_runs_the_chapters_program(page):
    """A line of the list that is not in the chapter, or one that computes something else."""
    lines = page.locator("#fig-reverse .live-program code").all_inner_texts()
    program = next(
        text
        for text in page.locator("pre").all_inner_texts()
        if "a_slope = b * p_slope" in text
    )
    assert all(line in program for line in lines)
    assert len(lines) == 8
    known = {"a": 2.0, "b": 3.0}
    shown = page.locator("#fig-reverse .live-program span").all_inner_texts()
    for line, numbers in zip(lines, shown, strict=True):
        exec(line, known)
        name = line.split(" = ")[0]
        assert float(numbers.split("= ")[-1]) == known[name], line


def test_it_starts_as_printed(page):
    """A first state that contradicts the text beside it."""
    assert boxes(page) == {
        "a": ["value 2", "slope 64"],
        "b": ["value 3", "slope 32"],
        "p": ["value 6", "slope 16"],
        "s": ["value 8", "slope 16"],
        "f": ["value 64", "slope 1"],
    }
    factors = page.locator("#fig-reverse svg > text").all_text_contents()
    assert {"× 3", "× 2", "× 1", "× (8 + 8)"} <= set(factors)
    assert "= 3 × 16 + 1 × 16 = 64" in sentence(page)
    note = page.locator("#fig-reverse .live-note").inner_text()
    assert "f changes 64 times" in note
    assert "f changes 32 times" in note


STEPS = [
    ("Value of p = a · b = 2 × 3 = 6", {"p", "ap", "bp"}),
    ("Value of s = p + a = 6 + 2 = 8", {"s", "ps", "as"}),
    ("Value of f = s · s = 8 × 8 = 64", {"f", "sf"}),
    ("slope of f = 1", {"f"}),
    ("Slope of s = factor (s + s) × slope of f = (8 + 8) × 1 = 16", {"s", "sf"}),
    ("Slope of p = factor 1 × slope of s = 1 × 16 = 16", {"p", "ps"}),
    ("Slope of b = factor a × slope of p = 2 × 16 = 32", {"b", "bp"}),
    (
        "Slope of a = factor b × slope of p + factor 1 × slope of s = 3 × 16 + 1 × 16 = 64",
        {"a", "ap", "as"},
    ),
]


def test_forward_and_backward_step_by_step(page):
    """A slope before its time, the wrong box in the light, or a step that is not undone."""
    press(page, "Start over")
    assert boxes(page) == {
        "a": ["value 2"],
        "b": ["value 3"],
        "p": [],
        "s": [],
        "f": [],
    }
    assert highlighted(page) == set()
    seen = [boxes(page)]
    for words, lit in STEPS:
        press(page, "Step")
        assert words in sentence(page)
        assert highlighted(page) == lit, words
        current = page.locator("#fig-reverse [aria-current=step]")
        assert current.count() == 1
        seen.append(boxes(page))
        assert sum(map(len, seen[-1].values())) == sum(map(len, seen[-2].values())) + 1
    press(page, "Step")  # there is none after the last
    assert boxes(page) == seen[-1]
    for before in reversed(seen[:-1]):
        press(page, "Step back")
        assert boxes(page) == before
    press(page, "Step back")  # nor one before the first
    assert boxes(page) == seen[0]


def test_an_input_changes_what_depends_on_it(page):
    """A slider that moves nothing, a negative number without its sign, or zeros without a word."""
    first, second = page.locator("#fig-reverse input[type=range]").all()
    second.focus()
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    assert second.get_attribute("aria-valuetext") == "−1"
    assert boxes(page)["s"] == ["value 0", "slope 0"]
    assert boxes(page)["a"] == ["value 2", "slope 0"]
    assert "Since s is 0" in sentence(page)
    page.keyboard.press("Home")
    first.focus()
    page.keyboard.press("ArrowRight")
    assert boxes(page)["a"] == ["value 2.5", "slope 45"]
    assert "(−4) × (−15) + 1 × (−15) = 45" in sentence(page)
    press(page, "Start over")
    assert boxes(page)["b"] == ["value −4"]
    assert boxes(page)["p"] == []


def test_every_setting_has_words(page):
    """NaN on the screen, two signs in a row, or a rounded number called equal."""
    said = page.evaluate("""() => {
        const all = [];
        for (let a = -4; a <= 4; a += 0.5) for (let b = -4; b <= 4; b += 0.5) {
            const values = Reverse.forward(a, b);
            for (let k = 0; k <= Reverse.steps.length; k++) all.push(Reverse.explain(k, values));
            all.push(Reverse.check(values));
        }
        return all;
    }""")
    assert len(said) == 17 * 17 * 10
    assert [text for text in said if NOT_WORDS.search(text)] == []
    sums = [text.rstrip(".").split(" = ")[-2:] for text in said if "×" in text]
    for numbers, result in sums:
        numbers, result = (
            t.replace("×", "*").replace("−", "-") for t in (numbers, result)
        )
        assert eval(numbers) == float(result), (numbers, result)


def test_it_plays_and_rests(html, visit):
    """Numbers that travel without end, or at all for somebody who asked for less motion."""
    page = visit((html / PAGE).as_uri()).page
    tokens = page.locator("#fig-reverse .live-token")
    press(page, "Play")  # what has ended begins again
    page.wait_for_function(
        "document.querySelectorAll('#fig-reverse .live-token').length === 2"
    )
    assert "Value of p" in sentence(page)
    press(page, "Pause")
    page.wait_for_function(
        "document.querySelectorAll('#fig-reverse .live-token').length === 0"
    )
    assert "Value of p" in sentence(page)
    page.emulate_media(reduced_motion="reduce")
    press(page, "Step")
    assert tokens.count() == 0
    press(page, "Play")
    assert "Slope of a" in sentence(page)
    assert tokens.count() == 0


def test_it_turns_with_the_room(page):
    """A graph too small to read where there is little room."""
    size = "document.querySelector('#fig-reverse svg').getAttribute('viewBox')"
    assert page.evaluate(size) == "0 0 720 320"
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(f"{size}.startsWith('0 0 360')")


def test_it_holds_everywhere(html, server, visit):
    """A control without a name, a figure too wide, or no picture in print."""
    assert faults_everywhere(html, server, visit, PAGE, "fig-reverse") == []
