"""The pages in a real browser: quiet, whole, readable by anyone, and able to read a digit."""

from __future__ import annotations

import re

import helpers
import jax.numpy as jnp
import nbformat
import numpy as np
import pytest
from helpers import ROOT, parse_script
from pages import AXE, BROKEN, FAULTS, PHONE, TOO_WIDE, draw_stroke

from mnist_code import data
from mnist_code.evaluation import accuracy
from mnist_code.images import fit_box
from mnist_code.model import batched_predict

CHAPTERS = [path.stem for path in helpers.CHAPTERS]
RAW_LATEX = re.compile(
    r"\\[([]|\\(?:frac|sum|text|mathbf|log|exp|partial|in)\b|\$\S[^$\n]*\$"
)


def addresses(html):
    """Every page of the book, by its path."""
    paths = sorted(html.rglob("*.html"))
    return [p.relative_to(html).as_posix() for p in paths if "_static" not in p.parts]


WORDS = """(() => {
    const article = document.querySelector("main").cloneNode(true);
    article.querySelectorAll("pre, code, script, mjx-container").forEach((e) => e.remove());
    return article.textContent;
})()"""


def one_ahead(visit, pages, **options):
    """Visits of pages, by their names. While one is looked at, the next one grows quiet."""
    opened = ((name, visit(address, **options)) for name, address in pages.items())
    last = next(opened)
    for one in opened:
        yield last
        last[1].page.context.close()
        last = one
    yield last


def test_pages_open_from_the_file_system(html, visit):
    """A script that only a server may load, a complaint, a missing picture, raw LaTeX."""
    pages = {name: (html / name).as_uri() for name in addresses(html)}
    faults, formulas = [], 0
    for name, seen in one_ahead(visit, pages, viewport=PHONE):
        faults += seen.faults(pages[name])
        faults += [
            f"{name}: no picture {image}" for image in seen.page.evaluate(BROKEN)
        ]
        faults += [
            f"{name}: {raw}" for raw in RAW_LATEX.findall(seen.page.evaluate(WORDS))
        ]
        if seen.page.evaluate(TOO_WIDE):
            faults.append(f"{name} is wider than a phone")
        formulas += seen.page.locator("mjx-container").count()
    assert faults == []
    assert formulas > 100  # were there none, raw LaTeX could not be told from text


EVERYTHING_OPEN = """document.querySelectorAll(
    ".toggle-button-hidden, details:not([open]) > summary").forEach((e) => e.click())"""


@pytest.mark.slow
def test_served_pages_are_quiet_and_open_to_all(html, server, visit):
    """A font from elsewhere. Faint text, a control without a name, a frame no keyboard scrolls."""
    pages = {name: f"{server}/{name}" for name in addresses(html)}
    faults = []
    for name, seen in one_ahead(visit, pages, reduced_motion="reduce"):
        faults += seen.faults(pages[name])
        if AXE.exists():
            faults += [f"{name}, {fault}" for fault in axe_faults(seen.page)]
    assert faults == [], "\n".join(faults)
    if not AXE.exists():
        pytest.skip("run `npm ci --prefix tests` to check the pages with axe-core")


def axe_faults(page):
    """The serious faults that axe-core finds, light and dark, with everything open."""
    page.evaluate(EVERYTHING_OPEN)
    page.wait_for_timeout(500)  # the theme takes its time to look for wide blocks
    page.add_script_tag(path=AXE)
    # Only colors change in the dark.
    for scheme, rules in (
        ("light", []),
        ("dark", ["color-contrast", "link-in-text-block"]),
    ):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(
            "scheme => document.documentElement.dataset.theme === scheme",
            arg=scheme,
        )
        yield from (f"{scheme}: {fault}" for fault in page.evaluate(FAULTS, rules))


FOCUS = """(() => {
    const element = document.activeElement, style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return [element.tagName, style.outlineStyle, parseFloat(style.outlineWidth),
            box.width * box.height];
})()"""


def test_focus_is_seen_wherever_it_goes(server, visit):
    """A keyboard's user who cannot tell where on the page he is."""
    page = visit(f"{server}/chapters/{CHAPTERS[0]}.html").page
    visited = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        tag, style, width, area = page.evaluate(FOCUS)
        if tag == "BODY":
            break
        seen = style != "none" and width >= 2 and area > 0
        assert seen, page.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        visited.add(tag)
    assert {"A", "BUTTON"} <= visited


def test_solutions_open_by_keyboard(server, visit):
    """A solution that only a mouse can open."""
    page = visit(f"{server}/chapters/{CHAPTERS[0]}.html").page
    solution = page.locator("div.solution").first
    content = solution.locator(".section, .content, > *:not(.admonition-title)").last
    button = solution.locator("button").first
    assert not content.is_visible()
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert content.is_visible()


def test_every_input_can_be_copied(server, visit):
    """A copy button missing, or one that copies the prompt or nothing."""
    address = f"{server}/chapters/{CHAPTERS[0]}.html"
    page = visit(address, permissions=["clipboard-read", "clipboard-write"]).page
    cells = page.locator("div.cell_input:has(pre)")
    assert cells.count() == cells.locator("button.copybtn").count() > 5
    button = cells.first.locator("button.copybtn")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    notebook = nbformat.read(ROOT / "chapters" / f"{CHAPTERS[0]}.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == first.source.strip()


@pytest.mark.parametrize(
    ("words", "chapter"), [("vmap", "06_vmap"), ("log-sum-exp", "07_autodiff")]
)
@pytest.mark.parametrize("place", ["server", "files"])
def test_search_finds(html, server, visit, place, words, chapter):
    """A search that needs a server, or an index that lacks the chapters."""
    start = server if place == "server" else html.as_uri()
    seen = visit(f"{start}/search.html?q={words}")
    seen.page.wait_for_selector("#search-results li")
    links = seen.page.locator("#search-results li a").evaluate_all(
        "all => all.map(a => a.href)"
    )
    assert any(chapter in link for link in links), links
    assert seen.complaints == []


def test_motion_stops_for_those_who_ask(server, visit):
    """A page that slides and fades for someone whom that makes ill."""
    page = visit(f"{server}/index.html", reduced_motion="reduce").page
    moving = """[...document.querySelectorAll("*")].filter((e) => {
        const style = getComputedStyle(e);
        const some = (times) => times.split(",").some((t) => parseFloat(t) > 0);
        return some(style.transitionDuration) || some(style.animationDuration)
            || style.scrollBehavior === "smooth";
    }).map((e) => e.outerHTML.slice(0, 100))"""
    assert page.evaluate(moving) == []


# ---- Draw a digit ----


@pytest.fixture(scope="session")
def network():
    """What the page's script holds, decoded here by itself."""
    text = (ROOT / "_static" / "network.js").read_text(encoding="utf-8")
    network = parse_script(text)
    place = {character: number for number, character in enumerate(network["alphabet"])}
    params, width = [], 784
    for layer in network["layers"]:
        places = np.array([[place[c] for c in row] for row in layer["rows"]])
        integers = np.where(places % 2, -(places + 1) // 2, places // 2)
        assert np.abs(integers).max() <= 127
        weights = np.zeros((len(integers), width), np.float32)
        weights[:, layer["inputs"]] = integers * np.array(layer["steps"])[:, None]
        params.append((jnp.asarray(weights), jnp.asarray(layer["biases"], jnp.float32)))
        width = len(weights)
    return network["facts"], params


@pytest.fixture
def draw(html, visit):
    """The page, opened from the file system."""
    return visit((html / "draw.html").as_uri()).page


def answer(page):
    """What the page says aloud."""
    return page.locator("[data-draw=answer]").inner_text()


def test_the_script_is_small_and_says_what_it_can(network, mnist):
    """Parameters that lost more in 8 bits than a tenth of a point, or a boast on the page."""
    facts, params = network
    assert (ROOT / "_static" / "network.js").stat().st_size < 700_000
    images, labels = mnist.test_images, mnist.test_labels
    right = accuracy(params, jnp.asarray(data.as_vectors(images)), jnp.asarray(labels))
    assert facts["images"] == len(labels)
    # Another processor rounds otherwise, and may see an image or two with other eyes.
    assert abs(right * len(labels) - facts["right_in_8_bits"]) <= 2
    assert facts["right"] - facts["right_in_8_bits"] <= len(labels) // 1000


def test_the_page_computes_the_same_logits_as_jax(draw, network, dataset):
    """A wrong sign, scale, order or activation in the page's copy of `predict`."""
    images = data.as_vectors(dataset.test_images[:100])
    theirs = draw.evaluate(
        "images => images.map((image) => Array.from(Digit.predict(image)))",
        images.tolist(),
    )
    ours = batched_predict(network[1], jnp.asarray(images))
    np.testing.assert_allclose(theirs, ours, atol=1e-3, rtol=0)


def test_the_page_fits_the_box_as_the_package_does(draw):
    """A digit that the page puts elsewhere than MNIST does."""
    generator = np.random.default_rng(0)
    for height, width in ((60, 25), (18, 90), (7, 5), (200, 200)):
        ink = np.zeros((280, 280))
        ink[30 : 30 + height, 50 : 50 + width] = generator.random((height, width))
        theirs = draw.evaluate("ink => Array.from(Digit.fitBox(ink))", ink.tolist())
        difference = np.abs(np.array(theirs) * 255 - fit_box(ink).ravel())
        assert difference.max() <= 2, (height, width)


REDRAW = """images => images.map(({ pixels, dx, dy, gray }) => {
    const { pad, pen } = Digit;
    const small = new OffscreenCanvas(28, 28);
    const values = new ImageData(28, 28);
    pixels.forEach((p, i) => values.data.set([gray, gray, gray, p], 4 * i));
    small.getContext("2d").putImageData(values, 0, 0);
    Digit.clear();
    pen.drawImage(small, dx, dy, pad.width, pad.height);
    return Digit.look()?.answer;
})"""


@pytest.mark.slow
def test_redrawn_digits_are_recognized(draw, mnist):
    """A canvas whose place, size or gray the network depends on."""
    images, labels = mnist.test_images, mnist.test_labels
    generator = np.random.default_rng(0)
    drawings = [
        {
            "pixels": image.ravel().tolist(),
            "dx": int(generator.integers(-40, 41)),  # the margin is 40 of 280
            "dy": int(generator.integers(-40, 41)),
            "gray": int(generator.integers(90, 220)),
        }
        for image in images[:1000]
    ]
    answers = []
    for start in range(0, 1000, 100):
        answers += draw.evaluate(REDRAW, drawings[start : start + 100])
    assert np.mean(np.array(answers) == labels[:1000]) >= 0.97


def test_a_mouse_draws(draw):
    """A pen that leaves no ink, or ink beside the pointer."""
    draw_stroke(draw.locator("[data-draw=pad]"), 40, 240)
    assert answer(draw).startswith("A 1, ")
    bars = draw.locator("[data-draw=bars] .bar").evaluate_all(
        "bars => bars.map((bar) => parseFloat(bar.style.width))"
    )
    assert len(bars) == 10
    assert sum(bars) == pytest.approx(100, abs=0.01)
    assert int(np.argmax(bars)) == 1
    draw.get_by_role("button", name="Clear").click()
    assert "Nothing is drawn" in answer(draw)


def test_a_finger_draws_and_the_page_stays(html, visit):
    """A page that scrolls away under the finger that draws."""
    page = visit((html / "draw.html").as_uri(), viewport=PHONE, has_touch=True).page
    page.locator("[data-draw=pad]").scroll_into_view_if_needed()
    box = page.locator("[data-draw=pad]").bounding_box()
    scrolled = page.evaluate("scrollY")
    client = page.context.new_cdp_session(page)
    x, y, length = box["x"] + box["width"] / 2, box["y"] + 40, box["height"] - 80

    def touch(kind, points):
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", [{"x": x, "y": y}])
    for step in range(1, 11):
        touch("touchMove", [{"x": x, "y": y + length * step / 10}])
    touch("touchEnd", [])
    assert answer(page).startswith("A 1, ")
    assert page.evaluate("scrollY") == scrolled


def test_a_tap_leaves_a_dot(draw):
    """A dot that isn't drawn, or a tap that wipes the 7 away and leaves nothing."""
    box = draw.locator("[data-draw=pad]").bounding_box()
    draw.mouse.click(box["x"] + 80, box["y"] + 90)
    draw.wait_for_timeout(200)
    assert "with a probability of" in answer(draw)
    inked = """() => {
        const { width, height } = Digit.pad, { data } = Digit.pen.getImageData(0, 0, width, height);
        return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    }"""
    assert 300 < draw.evaluate(inked) < 600  # 24 pixels across


def test_a_second_finger_leaves_no_line(html, visit):
    """A palm beside the pen, joined to it by zigzags."""
    page = visit((html / "draw.html").as_uri(), viewport=PHONE, has_touch=True).page
    page.locator("[data-draw=pad]").scroll_into_view_if_needed()
    box = page.locator("[data-draw=pad]").bounding_box()
    client = page.context.new_cdp_session(page)
    x, y, palm = (
        box["x"] + box["width"] / 2,
        box["y"] + 40,
        {"id": 1, "x": box["x"] + 20, "y": box["y"] + 220},
    )

    def touch(kind, *points):
        client.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)}
        )

    touch("touchStart", {"id": 0, "x": x, "y": y})
    touch("touchStart", {"id": 0, "x": x, "y": y}, palm)
    for step in range(1, 11):
        palm = {**palm, "y": palm["y"] + 1}
        touch("touchMove", {"id": 0, "x": x, "y": y + 20 * step}, palm)
    touch("touchEnd")
    assert answer(page).startswith("A 1, ")


def test_the_keyboard_picks_a_sample(draw):
    """Someone without a pointer who cannot see the network answer."""
    draw.get_by_role("button", name="Sample: a 3").focus()
    draw.keyboard.press("Enter")
    assert answer(draw).startswith("A 3, ")
    assert draw.locator("[data-draw=units] canvas").count() == 6
    hidden = draw.evaluate(
        "(() => { const c = document.querySelector('[data-draw=hidden]');"
        " return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size })()"
    )
    assert hidden > 10


def test_without_javascript_the_page_says_what_is_missing(html, visit):
    """An empty square, and no word why."""
    address = (html / "draw.html").as_uri()
    page = visit(address, java_script_enabled=False).page
    assert "needs JavaScript" in page.locator("article").inner_text()
    assert not page.locator("#draw").is_visible()
