"""Chapter 9's live figure: what `jit` remembers, against `jax.jit`, and in the reader's hands."""

from __future__ import annotations

import importlib.util
import itertools
import random

import jax
import pytest
from helpers import ROOT
from live_figures import faults_everywhere
from live_figures import functions as functions_of
from pages import AXE, FAULTS, PHONE, TOO_WIDE

LIVE = ROOT / "_static" / "live"
PAGE = "chapters/09_jit.html"


@pytest.fixture(scope="module")
def tool():
    """tools/record_traces.py as a module."""
    path = ROOT / "tools" / "record_traces.py"
    spec = importlib.util.spec_from_file_location("record_traces", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def functions(browser):
    """A page with nothing but the figure's functions."""
    page = functions_of(browser, "trace.js")
    yield page
    page.close()


def test_the_record_is_what_jax_does_now(functions, tool):
    """A jaxpr, a printed line, a result or a message that this version of JAX doesn't give."""
    assert functions.evaluate("Trace.RECORDED") == tool.record()


def test_recording_again_changes_nothing(tool, tmp_path, monkeypatch):
    """A script that writes its table where the figure doesn't read it."""
    copy = tmp_path / "trace.js"
    copy.write_bytes(tool.FILE.read_bytes())
    monkeypatch.setattr(tool, "FILE", copy)
    tool.main()
    assert copy.read_bytes() == (LIVE / "trace.js").read_bytes()


def jax_traces(tool, calls):
    """After each call, how often the function has been traced."""
    activate, counts, traced = tool.compiled(), [], 0
    with jax.numpy_dtype_promotion("standard"):
        for x, kind in calls:
            try:
                printed, _ = tool.call(activate, x, kind)
            except ValueError:
                printed = ""
            traced += bool(printed)
            counts.append(traced)
    return counts


def test_it_traces_exactly_when_jax_does(functions, tool):
    """A signature that looks at values, or that doesn't tell a Python number from an array."""
    everything = list(itertools.product(tool.ARGUMENTS, tool.KINDS))
    sequences = [everything, everything[::-1] + everything]
    generator = random.Random(0)
    for length in (1, 2, 5, 9, 14, 20, 30):
        sequences += [generator.choices(everything, k=length) for _ in range(3)]
    # All pairs of arguments: does the second one find what the first one left?
    sequences += [
        [(x, '"relu"'), (y, '"relu"')]
        for x, y in itertools.combinations(tool.ARGUMENTS, 2)
    ]
    theirs = functions.evaluate(
        """(sequences) => sequences.map((calls) =>
            calls.map((_, i) => Trace.countTraces(calls.slice(0, i + 1))))""",
        sequences,
    )
    for calls, counts in zip(sequences, theirs, strict=True):
        assert counts == jax_traces(tool, calls), calls


def test_a_call_leaves_the_cache_it_was_given(functions):
    """A pure function that isn't: history that changes behind the reader's back."""
    kept, grown = functions.evaluate(
        """(() => {
            const cache = [];
            const called = Trace.call(cache, "2.0", '"relu"');
            return [cache, called.cache];
        })()"""
    )
    assert kept == []
    assert grown == ['~float32[], "relu"']


@pytest.fixture
def figure(html, visit):
    """The chapter, opened from the file system, and its live figure."""
    seen = visit((html / PAGE).as_uri())
    yield seen.page, seen.page.locator("#fig-jit-stages")
    assert seen.complaints == []


def call(live, x=None, kind=None):
    """Choose arguments and press the button; returns what is said and what is counted."""
    for place, text in enumerate((x, kind)):
        if text is not None:
            live.locator("select").nth(place).select_option(label=text)
    live.get_by_role("button", name="Call", exact=True).click()
    return said(live)


def said(live):
    """The sentence about the last call, and the line that counts."""
    return [text.strip() for text in live.locator(".live-said").all_inner_texts()]


def lit(live):
    """The stages of the last call."""
    return live.locator(".live-stop.live-on").all_text_contents()


def test_it_starts_with_a_first_call(figure):
    """A figure that starts empty, or that begins somewhere else than the chapter."""
    _, live = figure
    words, counted = said(live)
    assert words.startswith('Call 1. Traced: there was no entry for float32[2], "relu"')
    assert counted.startswith("Calls: 1. Traces: 1.")
    assert len(lit(live)) == 6
    assert "JitTracer(float32[2])" in live.locator(".live-session").inner_text()
    assert not live.locator("img").is_visible()


def test_other_numbers_are_reused_and_another_type_is_not(figure):
    """The point of the figure: values don't count; shapes, types and static values do."""
    _, live = figure
    words, counted = call(live, "jnp.array([3.0, 0.5])")
    assert words.startswith("Call 2. Reused: entry 1")
    assert counted.startswith("Calls: 2. Traces: 1.")
    assert lit(live) == ["call", "machinecode", "result"]
    assert live.locator(".live-session strong").count() == 1  # printed only once
    call(live, "jnp.float32(2.0)")
    words, counted = call(live, "2.0")
    assert "weak type" in words
    assert counted.startswith("Calls: 4. Traces: 3.")
    words, counted = call(live, "-1.5")
    assert words.startswith("Call 5. Reused: entry 3")
    words, counted = call(live, kind='"swish"')
    assert counted.startswith("Calls: 6. Traces: 4.")
    assert "div" in live.locator(".live-entries li").nth(3).inner_text()
    assert live.locator(".live-used").count() == 1


def test_a_list_is_refused_in_jaxs_words(figure):
    """An input that can't be a static value, and a figure that goes on as if it could."""
    _, live = figure
    words, counted = call(live, kind='["relu"]')
    assert words.startswith("Call 2. An error")
    assert counted.startswith("Calls: 2. Traces: 1.")
    assert "Non-hashable static arguments" in live.locator(".live-session").inner_text()
    assert lit(live) == ["call"]


def test_the_keyboard_does_it_all(figure):
    """A control that needs a mouse."""
    page, live = figure
    selects = live.locator("select")
    selects.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert said(live)[1].startswith("Calls: 2. Traces: 2.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert said(live) == [
        "The cache is empty, as it is when Python starts.",
        "Calls: 0. Traces: 0. The cache: empty",
    ]
    assert lit(live) == []
    assert call(live)[1].startswith("Calls: 1. Traces: 1.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_and_a_phone(server, visit, scheme):
    """Text too faint, a region no keyboard scrolls, a figure wider than a phone."""
    seen = visit(f"{server}/{PAGE}", viewport=PHONE, color_scheme=scheme)
    live = seen.page.locator("#fig-jit-stages")
    options = [
        live.locator("select").nth(i).locator("option").all_inner_texts()
        for i in (0, 1)
    ]
    for x, kind in itertools.product(*options):
        call(live, x, kind)
    text = live.locator(".live-stage").inner_text()
    assert "Calls: 34. Traces: 16." in text
    assert "undefined" not in text
    assert "NaN" not in text
    assert not seen.page.evaluate(TOO_WIDE)
    if AXE.exists():
        seen.page.add_script_tag(path=AXE)
        assert seen.page.evaluate(FAULTS, []) == []
    sizes = live.locator("svg text").evaluate_all(
        """all => all.map((t) => parseFloat(getComputedStyle(t).fontSize)
            * t.ownerSVGElement.getScreenCTM().a)"""
    )
    assert min(sizes) >= 12
    assert seen.complaints == []


def test_it_holds_everywhere(html, server, visit):
    """A printed page with controls, or one without scripts that shows nothing."""
    assert faults_everywhere(html, server, visit, PAGE, "fig-jit-stages") == []
