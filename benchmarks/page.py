"""`python -m benchmarks.page`: how fast the network of the page `train` learns, in Chromium.

It opens no page of the book: the scripts run in an empty one. What counts is one epoch of 1,440
images in batches of 32, on the one core that a worker has.
"""

from __future__ import annotations

import os
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

STATIC = Path(__file__).resolve().parent.parent / "_static"
SCRIPTS = ("images.js", "train/digits.js", "train/enlarge.js", "train/engine.js")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
EPOCHS = 6  # the first warms up
TIME = """epochs => {
    const { images, labels } = Digits.enlarge(DIGITS.train);
    const ink = Engine.inked(Images.scaled(images));
    const state = Engine.start(Engine.initNetworkParams(0, [784, 512, 10], 0.01));
    return Array.from({ length: epochs }, (_, epoch) => {
        const order = Engine.epochOrder("shuffled", labels, epoch);
        const began = performance.now();
        const settings = { rate: 0.3, batchSize: 32 };
        for (const _ of Engine.trainEpoch(state, ink, labels, order, settings));
        return (performance.now() - began) / 1000;
    });
}"""


def seconds() -> list[float]:
    """The time that each epoch took, without the first."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise SystemExit("install Chromium or Chrome to time the page")
    options = ["--disable-gpu"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium asks root for this
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=options)
        page = browser.new_page()
        for name in SCRIPTS:
            page.add_script_tag(path=STATIC / name)
        times = page.evaluate(TIME, EPOCHS)
        browser.close()
    return times[1:]


def main() -> None:
    """Time and print."""
    times = seconds()
    median = statistics.median(times)
    print(f"epochs: {', '.join(f'{time:.2f} s' for time in times)}")
    print(f"median: {median:.2f} s, {1 / median:.1f} epochs a second")


if __name__ == "__main__":
    main()
