"""The live figures of gradient descent in chapter 7: their numbers and what they answer."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from live_figures import chapter_names, faults_everywhere
from pages import PHONE

PAGE = "chapters/07_autodiff.html"
NOT_WORDS = re.compile(r"nan|undefined|infinity|\binf\b|null|object", re.IGNORECASE)


@pytest.fixture(scope="module")
def chapter():
    """The functions that the chapter defines."""
    return chapter_names(
        "07_autodiff", "def landscape", "def line_loss", "def walk(rate"
    )


@pytest.fixture
def page(html, visit):
    return visit((html / PAGE).as_uri()).page


def sentence(page, figure):
    """What a figure says, and is read aloud."""
    return page.locator(f"#{figure} [role=status]").inner_text()


def number(text):
    return float(text.replace("−", "-"))


def rows(page, figure):
    """The table's numbers by their names."""
    every = page.locator(f"#{figure} tr").all()
    cells = [row.locator("th, td").all_inner_texts() for row in every]
    return {
        name: [number(value) for value in values] for name, *values in cells if name
    }


def press(page, figure, name):
    page.locator(f"#{figure}").get_by_role("button", name=name, exact=True).click()


def path_of(page, figure):
    """Where the path is drawn."""
    paths = page.locator(f"#{figure} .live-stage path[stroke='var(--live-one)']")
    return paths.first.get_attribute("d")


def test_one_parameter_is_the_chapters(page, chapter):
    """Another landscape, a wrong slope, or a path that forgets where it starts."""
    ws = np.linspace(-2.7, 2.6, 12)
    ours, slopes = page.evaluate(
        "ws => [ws.map(Descent.landscape), ws.map(Descent.landscapeSlope)]", ws.tolist()
    )
    np.testing.assert_allclose(ours, chapter["landscape"](ws), rtol=1e-5, atol=1e-6)
    jaxs = jax.vmap(jax.grad(chapter["landscape"]))(jnp.asarray(ws))
    np.testing.assert_allclose(slopes, jaxs, rtol=1e-4, atol=1e-5)
    for rate, steps, start in (
        (0.01, 8, 2.2),
        (0.1, 8, 2.2),
        (0.75, 3, 2.2),
        (0.1, 8, -2.0),
    ):
        ours = page.evaluate("a => Descent.descend(...a)", [rate, steps, start])
        np.testing.assert_allclose(
            ours, chapter["descend"](rate, steps, start), rtol=1e-4
        )


def test_momentum_keeps_a_part_of_the_last_step(page, chapter):
    """Momentum that also multiplies the plain step, or that starts with a push."""
    w, velocity, path = 2.2, 0.0, [2.2]
    for _ in range(20):
        velocity = 0.8 * velocity - 0.1 * float(jax.grad(chapter["landscape"])(w))
        w = w + velocity
        path.append(w)
    ours = page.evaluate("Descent.descend(0.1, 20, 2.2, 0.8)")
    np.testing.assert_allclose(ours, path, rtol=1e-3, atol=1e-4)


def test_two_parameters_are_the_chapters(page, chapter):
    """Other points than the text's, a factor 2 lost, or another rule for momentum."""
    for w, b in ((-0.5, 2.5), (1.1, 0.85), (2.0, -0.3)):
        loss, slopes = page.evaluate(
            "a => [Descent.lineLoss(...a), Descent.lineSlopes(...a)]", [w, b]
        )
        jaxs = jax.value_and_grad(chapter["line_loss"], argnums=(0, 1))(w, b)
        np.testing.assert_allclose(
            [loss, *slopes], [jaxs[0], *jaxs[1]], rtol=1e-4, atol=1e-5
        )
    for rate, momentum in ((0.02, 0.0), (0.22, 0.0), (0.02, 0.9)):
        ours = page.evaluate("a => Descent.walk(...a)", [rate, momentum])
        np.testing.assert_allclose(
            ours, chapter["walk"](rate, momentum), rtol=1e-3, atol=1e-4
        )


def test_the_map_is_the_loss(page, chapter):
    """Rings of another loss, a star elsewhere, or a limit of the rate that is none."""
    for level in (0.15, 1.2, 9.6):
        ring = np.array(page.evaluate("level => Descent.ring(level)", level))
        losses = jax.vmap(chapter["line_loss"])(*jnp.asarray(ring.T))
        np.testing.assert_allclose(losses, level, rtol=1e-4)
    best = np.polyfit(np.asarray(chapter["x"]), np.asarray(chapter["y"]), 1)
    np.testing.assert_allclose(page.evaluate("Descent.lowest"), best, rtol=1e-4)
    hessian = jax.hessian(lambda p: chapter["line_loss"](p[0], p[1]))(jnp.zeros(2))
    steepest = float(jnp.max(jnp.linalg.eigvalsh(hessian)))
    for momentum in (0.0, 0.5):
        limit = page.evaluate("m => Descent.largestRate(m)", momentum)
        np.testing.assert_allclose(limit, 2 * (1 + momentum) / steepest, rtol=1e-4)
        for rate, grows in ((0.98 * limit, False), (1.02 * limit, True)):
            far = page.evaluate(
                "a => Descent.walk(...a).at(-1)", [rate, momentum, 2000]
            )
            assert (np.hypot(*far) > 1e3) == grows


def test_both_start_as_the_text_says(page, chapter):
    """A figure whose first state contradicts the paragraph beside it."""
    steps = chapter["descend"](0.1, 8)
    first = rows(page, "fig-landscape")
    assert first["w"] == [pytest.approx(steps[-1], rel=5e-3)]
    assert "shallow valley" in sentence(page, "fig-landscape")
    runs = page.locator("#fig-landscape .live-runs button")
    assert runs.all_inner_texts() == [
        "0.01: too small",
        "0.1: about right",
        "0.75: too large",
    ]
    press(page, "fig-landscape", "0.01: too small")
    assert "only 0.36" in sentence(page, "fig-landscape")
    press(page, "fig-landscape", "0.75: too large")
    said = sentence(page, "fig-landscape")
    assert "After 3 steps, w is −356" in said
    assert "Choose a smaller rate." in said

    ends = {name: rows(page, "fig-valley") for name in ["rate 0.02"]}
    assert "valley floor" in sentence(page, "fig-valley")
    press(page, "fig-valley", "Start over")
    assert rows(page, "fig-valley")["slope"] == [-6.25, -1.5]
    assert "both should grow" in sentence(page, "fig-valley")
    for name, word in (("rate 0.22", "reached"), ("rate 0.02, momentum 0.9", "past")):
        press(page, "fig-valley", name)
        ends[name] = rows(page, "fig-valley")
        assert word in sentence(page, "fig-valley")
    for (name, end), settings in zip(
        ends.items(), ((0.02,), (0.22,), (0.02, 0.9)), strict=True
    ):
        place = next(value for row, value in end.items() if row.startswith("after"))
        (
            np.testing.assert_allclose(
                place, chapter["walk"](*settings)[-1], rtol=1e-2
            ),
            name,
        )


@pytest.mark.parametrize("figure", ["fig-landscape", "fig-valley"])
def test_each_slider_moves_the_path_by_keyboard(page, figure):
    """A control that only looks like one, or one that a keyboard doesn't move."""
    sliders = page.locator(f"#{figure} input[type=range]")
    for i in range(sliders.count()):
        before = path_of(page, figure)
        sliders.nth(i).focus()
        page.keyboard.press("ArrowRight" if i < sliders.count() - 1 else "ArrowLeft")
        assert path_of(page, figure) != before, i
        shown = sliders.nth(i).locator("xpath=../output").inner_text()
        assert sliders.nth(i).get_attribute("aria-valuetext") == shown


@pytest.mark.parametrize("figure", ["fig-landscape", "fig-valley"])
def test_the_start_can_be_dragged(html, visit, figure):
    """A start that stays where it is, or that leaves the map."""
    page = visit((html / PAGE).as_uri()).page
    handle = page.locator(f"#{figure} .live-start rect")
    handle.scroll_into_view_if_needed()
    start = page.locator(f"#{figure} input[type=range]").first
    box, before = handle.bounding_box(), start.input_value()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 15, y + 30, steps=3)
    moved = start.input_value()
    assert moved != before
    page.mouse.move(x - 2000, y + 30, steps=3)
    page.mouse.up()
    assert number(start.input_value()) == number(start.get_attribute("min"))
    kept, room = handle.bounding_box(), handle.locator("xpath=../..").bounding_box()
    assert room["x"] < kept["x"] < x
    page.mouse.move(x, y)
    assert number(start.input_value()) == number(start.get_attribute("min"))


def test_a_finger_drags_the_start_and_scrolls_elsewhere(html, visit):
    """A map that holds on to every finger that wants to read on."""
    page = visit((html / PAGE).as_uri(), viewport=PHONE, has_touch=True).page
    handle = page.locator("#fig-valley .live-start rect")
    page.locator("#fig-valley svg").first.evaluate(
        "s => s.scrollIntoView({block: 'center'})"
    )
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    client = page.context.new_cdp_session(page)

    def swipe(x, y, dx, dy):
        touch = "Input.dispatchTouchEvent"
        client.send(touch, {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
        for i in range(1, 9):
            place = {"x": x + dx * i / 8, "y": y + dy * i / 8}
            client.send(touch, {"type": "touchMove", "touchPoints": [place]})
        client.send(touch, {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(100)

    path, place = path_of(page, "fig-valley"), page.evaluate("scrollY")
    swipe(x, y, 60, 60)
    assert path_of(page, "fig-valley") != path
    assert page.evaluate("scrollY") == place
    path = path_of(page, "fig-valley")
    swipe(x + 200, y + 150, 0, -100)
    assert path_of(page, "fig-valley") == path
    assert page.evaluate("scrollY") > place


def test_steps_and_playing(html, visit):
    """Play that doesn't move, doesn't stop, or moves for somebody who asked for less of it."""
    page = visit((html / PAGE).as_uri()).page
    steps = page.locator("#fig-landscape input[type=range]").last
    press(page, "fig-landscape", "Start over")
    assert steps.input_value() == "0"
    assert "goes left" in sentence(page, "fig-landscape")
    press(page, "fig-landscape", "Step")
    assert steps.input_value() == "1"
    assert rows(page, "fig-landscape")["w"] == [1.55]
    press(page, "fig-landscape", "Play")
    page.wait_for_function(
        "document.querySelectorAll('#fig-landscape input')[3].value > 2"
    )
    said = page.locator("#fig-landscape [role=status]")
    assert said.get_attribute("aria-live") == "off"  # not each frame is read aloud
    press(page, "fig-landscape", "Pause")
    paused = steps.input_value()
    page.wait_for_timeout(700)
    assert steps.input_value() == paused
    assert said.get_attribute("aria-live") == "polite"
    page.emulate_media(reduced_motion="reduce")
    press(page, "fig-landscape", "Play")
    assert steps.input_value() == steps.get_attribute("max")
    press(page, "fig-landscape", "0.75: too large")
    press(page, "fig-landscape", "Step")  # there is none after the last
    assert steps.input_value() == "3"


def test_every_setting_has_words(page):
    """NaN or undefined on the screen, or nothing said, at the ends of the sliders."""
    said = page.evaluate("""() => ["fig-landscape", "fig-valley"].flatMap((id) => {
        const figure = document.getElementById(id);
        const sliders = [...figure.querySelectorAll("input")];
        const names = ["d", "cx", "cy", "x1", "x2", "y1", "y2", "transform", "points"];
        return Array.from({ length: 3 ** sliders.length }, (_, i) => {
            sliders.forEach((slider, j) => {
                const [low, high] = [Number(slider.min), Number(slider.max)];
                slider.value = [low, (low + high) / 2, high][Math.floor(i / 3 ** j) % 3];
                slider.dispatchEvent(new Event("input"));
            });
            const texts = [...figure.querySelectorAll("[role=status], td, output")];
            const drawn = [...figure.querySelectorAll("svg *")];
            return texts.map((e) => e.textContent).join(" ") +
                drawn.flatMap((e) => names.map((a) => e.getAttribute(a) ?? "")).join(" ");
        });
    })""")
    assert len(said) == 3**4 + 3**5
    assert [text for text in said if NOT_WORDS.search(text)] == []


def test_what_it_says_fits_what_is_seen(page):
    """Praise for the top of the hill, a climb called a descent, or no cure for a bad rate."""
    say = """([rate, momentum, steps, start]) => {
        const whole = Descent.descend(rate, steps, start, momentum);
        const { path, lost } = Descent.untilLost(whole, 100);
        return Descent.landscapeWords(path, lost, { rate, momentum });
    }"""
    for settings, words in (
        ((0.1, 0, 0, 0.15), "top of the hill"),
        ((0.1, 0, 30, -2.0), "deep valley, where the loss is lowest"),
        ((0.1, 0.8, 40, 2.2), "deep valley"),
        ((0.1, 0, 0, -2.0), "grows to the left, and the first step goes right"),
        ((0.4, 0, 3, 2.2), "next step goes left"),
        ((0.5, 0, 8, 2.2), "changed its sign"),
        ((0.1, 0.8, 2, 2.2), "momentum carries w on to the left"),
        ((0.1, 0.8, 5, 2.2), "over the top of the hill, and the next one goes left"),
        ((0.5, 0.5, 40, 2.2), "Choose a smaller rate or less momentum"),
    ):
        assert words in page.evaluate(say, settings), settings
    for settings, words in (
        ((0.25, 0, 10), "Choose a smaller rate"),
        ((0.22, 0, 4), "from wall to wall"),
        ((0.02, 0, 1), "right angles"),
        ((0.02, 0.9, 3), "keeps 0.9"),
        ((0.02, 0.9, 6), "carried the path past"),
    ):
        said = page.evaluate(
            """([rate, momentum, steps]) =>
                Descent.valleyWords(Descent.walk(rate, momentum, steps), { rate, momentum })""",
            settings,
        )
        assert words in said, (settings, said)


@pytest.mark.parametrize("figure", ["fig-landscape", "fig-valley"])
def test_they_hold_everywhere(html, server, visit, figure):
    """A control without a name, a figure too wide, or no picture in print."""
    assert faults_everywhere(html, server, visit, PAGE, figure) == []


def test_from_a_server_it_complains_of_nothing(server, visit):
    """A script that needs more than the page brings, or grows beyond what a chapter may."""
    address = f"{server}/{PAGE}"
    seen = visit(address)
    assert seen.complaints == []
    assert seen.outside(address) == []
    live = sorted({url for url in seen.requests if "_static/live/" in url})
    assert len(live) == 4  # live.js, live.css, descent.js, reverse.js
    sizes = [len(seen.page.request.get(url).body()) for url in live]
    assert sum(sizes) <= 60_000, dict(zip(live, sizes, strict=True))
