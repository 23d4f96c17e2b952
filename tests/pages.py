"""What the tests of the built pages share: a browser, a server, and a visit to a page."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# Serious faults that axe-core finds by these rules, or by all.
FAULTS = """async (rules) => {
    const some = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
    const { violations } = await axe.run(document, {resultTypes: ["violations"], ...some});
    return violations.filter((v) => ["serious", "critical"].includes(v.impact))
        .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 200)}`));
}"""
BROKEN = "[...document.images].filter((i) => i.complete && !i.naturalWidth).map((i) => i.src)"


@pytest.fixture(scope="module")  # its event loop must not be there when notebooks run
def browser():
    """Chromium or Chrome, as it is installed."""
    from playwright.sync_api import sync_playwright  # conftest.py says what is missing

    found = next(filter(None, map(shutil.which, [*NAMES, MAC])), None)
    if found is None:
        pytest.skip("install Chromium or Chrome to run the tests of the pages")
    options = ["--disable-gpu", "--disable-background-networking"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium asks root for this
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=options)
        yield browser
        browser.close()


@contextlib.contextmanager
def serving(folder):
    """Put a folder on a server, and yield its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def server(html):
    """The built book on a server, as its address."""
    with serving(html) as address:
        yield address


class Visit:
    """A page in the browser, and all that it asked for and complained about."""

    def __init__(self, context, address, scripts=True):
        self.page = context.new_page()
        self._requests, self._complaints = [], []
        self.page.on("request", lambda request: self._requests.append(request.url))
        self.page.on("requestfailed", lambda r: self._complaints.append(f"no {r.url}"))
        self.page.on("pageerror", lambda error: self._complaints.append(str(error)))
        self.page.on(
            "response", lambda r: r.status < 400 or self._complaints.append(r.url)
        )
        self.page.on("console", self._console)
        self.page.goto(address)
        if scripts:
            self.page.evaluate("window.MathJax ? MathJax.startup.promise : null")

    def _console(self, message):
        if message.type in ("error", "warning"):
            self._complaints.append(message.text)

    @property
    def requests(self):
        """The addresses it asked for, once nothing has been on its way for a moment."""
        self.page.wait_for_load_state("networkidle")
        return self._requests

    @property
    def complaints(self):
        """Errors, warnings and failed requests, likewise."""
        self.page.wait_for_load_state("networkidle")
        return self._complaints

    def outside(self, address):
        """Requests to anywhere but where the page itself lies."""
        here = (
            "file://"
            if address.startswith("file")
            else address[: address.index("/", 8)]
        )
        return [r for r in self.requests if not r.startswith((here, "data:", "blob:"))]

    def faults(self, address):
        """Requests to elsewhere and complaints, each with the page's name."""
        name = "/".join(address.split("/")[-2:])
        return [f"{name}: {f}" for f in self.outside(address) + self.complaints]


@pytest.fixture
def visit(browser):
    """Open pages: `visit(address, viewport=..., color_scheme=...)`; all are closed at the end."""
    contexts = []

    def open_page(address, **options):
        contexts.append(browser.new_context(**{"viewport": DESKTOP, **options}))
        return Visit(contexts[-1], address, options.get("java_script_enabled", True))

    yield open_page
    for context in contexts:
        context.close()


def draw_stroke(pad, top, bottom):
    """Draw a 1 with the mouse: down the middle, from `top` to `bottom` pixels below the edge."""
    box, mouse = pad.bounding_box(), pad.page.mouse
    x = box["x"] + box["width"] / 2
    mouse.move(x, box["y"] + top)
    mouse.down()
    for step in range(1, 11):
        mouse.move(x, box["y"] + top + (bottom - top) * step / 10)
    mouse.up()
