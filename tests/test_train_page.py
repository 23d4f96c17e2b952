"""The page where a network learns: JAX's numbers, Python's files, and a page for anyone."""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import ROOT, largest_difference, numpy_gradients
from jax.nn import one_hot
from pages import AXE, FAULTS, PHONE, draw_stroke

from mnist_code import data
from mnist_code.config import Config
from mnist_code.evaluation import accuracy, predicted_labels
from mnist_code.learning import loss, update
from mnist_code.model import batched_predict, init_network_params
from mnist_code.storage import load_params, save_params
from mnist_code.training import fit

SIZES = (784, 512, 10)
# Numbers travel as text: the bytes of 32-bit floats in base64. `rows` finds them again.
HELPERS = """(() => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    window.floats = (text) => new Float32Array(bytes(text).buffer);
    window.text = (floats) => {
        let all = "";
        for (const byte of new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength)) {
            all += String.fromCharCode(byte);
        }
        return btoa(all);
    };
    window.tree = (pairs) => pairs.map((pair) => pair.map(floats));
    window.texts = (params) => params.map((pair) => pair.map(text));
})()"""


@pytest.fixture
def address(html):
    """The page on the file system."""
    return (html / "train.html").as_uri()


@pytest.fixture
def page(address, visit):
    """The page, opened from the file system."""
    page = visit(address).page
    page.evaluate(HELPERS)
    return page


def text(array):
    return base64.b64encode(np.asarray(array, np.float32).tobytes()).decode()


def texts(params):
    return [[text(weights), text(biases)] for weights, biases in params]


def params_from(answer, sizes):
    """The page's parameters as the package holds them."""
    layers = zip(answer, sizes[:-1], sizes[1:], strict=True)
    arrays = [
        (np.frombuffer(base64.b64decode(w), np.float32).reshape(fan_out, fan_in),
         np.frombuffer(base64.b64decode(b), np.float32))
        for (w, b), fan_in, fan_out in layers
    ]  # fmt: skip
    return [(jnp.asarray(weights), jnp.asarray(biases)) for weights, biases in arrays]


def batch(dataset, count=32):
    """The first images for training, their labels, and the labels as targets."""
    labels = dataset.train_labels[:count]
    images = jnp.asarray(data.as_vectors(dataset.train_images[:count]))
    return images, labels, one_hot(jnp.asarray(labels), 10)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def status(page, name="status"):
    return page.locator(f"[data-train={name}]").inner_text()


def says(page, words, name="status"):
    """Wait until the page says so."""
    page.wait_for_function(
        """([name, words]) => document.querySelector(`[data-train=${name}]`)
            .textContent.startsWith(words)""",
        arg=[name, words],
    )


def until(page, condition, seconds=60):
    page.wait_for_function(
        f"() => {{ const state = Train.state(); return {condition}; }}",
        timeout=1000 * seconds,
    )


def small(page, **settings):
    """A small network learns the same, and sooner."""
    changes = json.dumps({"units": 16, **settings})
    page.evaluate(f"(Object.assign(Train.state().settings, {changes}), Train.open())")
    until(page, "state.answers")


# ---- The same numbers as the package's ----


def test_enlarged_digits_equal_the_packages(page, dataset):
    """A pixel that Pillow rounds to another number; a digit or a label in another place."""
    for part in ("train", "test"):
        images, labels = page.evaluate(
            """part => { const all = Digits.enlarge(DIGITS[part]);
                return [text(all.images), Array.from(all.labels)]; }""",
            part,
        )
        theirs = np.frombuffer(base64.b64decode(images), np.uint8)
        ours = getattr(dataset, f"{part}_images")
        assert np.array_equal(theirs.reshape(ours.shape), ours)
        assert labels == getattr(dataset, f"{part}_labels").tolist()


GRADIENTS = """([params, images, labels, settings]) => {
    const ink = Engine.inked(floats(images)), batch = labels.map((_, i) => i);
    const all = [tree(params), ink, labels, batch];
    const { value, slopes } = Engine.gradients(...all, settings);
    return [value, Engine.loss(...all, settings), texts(slopes)];
}"""


def published_loss(params, images, targets):
    """The loss that chapter 8 takes apart."""
    logits = batched_predict(params, images)
    return -jnp.mean(targets * (logits - jax.nn.logsumexp(logits)))


def with_activation(name):
    """The correct loss of a network with another activation function."""
    function = getattr(jax.nn, name)

    def score(params, images, targets):
        (w1, b1), (w2, b2) = params
        logits = function(images @ w1.T + b1[None]) @ w2.T + b2[None]
        return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1))

    return score


@pytest.mark.parametrize(
    ("settings", "function", "sizes"),
    [
        ({}, loss, SIZES),
        ({"loss": "published"}, published_loss, SIZES),
        ({"activation": "relu"}, with_activation("relu"), (784, 17, 10)),
        ({"activation": "tanh"}, with_activation("tanh"), (784, 3, 10)),
        ({"activation": "sigmoid"}, with_activation("sigmoid"), (784, 1, 10)),
    ],
)
def test_loss_and_gradients_equal_jaxs(page, dataset, settings, function, sizes):
    """A slope missing on the way back; units or pixels that the page's shortcuts leave out."""
    images, labels, targets = batch(dataset)
    params = init_network_params(jax.random.key(1), sizes, 0.05)
    value, gradients = jax.value_and_grad(function)(params, images, targets)
    sent = [texts(params), text(images), labels.tolist(), settings]
    theirs, alone, slopes = page.evaluate(GRADIENTS, sent)
    assert theirs == pytest.approx(float(value), rel=1e-4)
    assert alone == pytest.approx(theirs, rel=1e-6)
    if not settings:  # JAX itself is exact to so many digits only: compare with 64 bits
        gradients = numpy_gradients(params, images, targets)
    for ours, page_s in zip(
        jax.tree.leaves(gradients),
        jax.tree.leaves(params_from(slopes, sizes)),
        strict=True,
    ):
        close = {"rtol": 1e-4, "atol": 1e-6 * float(np.abs(ours).max())}
        np.testing.assert_allclose(page_s, ours, **close)


EPOCH = """([params, order, settings]) => {
    const { images, labels } = Digits.enlarge(DIGITS.train);
    const ink = Engine.inked(Images.scaled(images)), state = Engine.start(tree(params));
    const losses = [...Engine.trainEpoch(state, ink, labels, Uint32Array.from(order), settings)];
    return [losses, texts(state.params)];
}"""


def test_an_epoch_equals_45_updates(page, dataset, train):
    """A batch cut elsewhere, a rate applied twice, an array that is written while it is read."""
    params = ours = init_network_params(jax.random.key(2))
    order = np.asarray(jax.random.permutation(jax.random.key(3), 1440))
    images, labels = train
    losses = []
    for places in order.reshape(45, 32):
        targets = one_hot(labels[places], 10)
        ours, value = jax.jit(update)(ours, images[places], targets, 0.3)
        losses.append(float(value))
    settings = {"batchSize": 32, "rate": 0.3}
    theirs, answer = page.evaluate(EPOCH, [texts(params), order.tolist(), settings])
    assert len(theirs) == 45
    np.testing.assert_allclose(theirs, losses, rtol=1e-3)
    assert largest_difference(params_from(answer, SIZES), ours) < 1e-3
    assert largest_difference(params, ours) > 0.05


def test_momentum_is_chapter_sevens(page, train):
    """A step that forgets the one before, or remembers it with the wrong sign."""
    sizes = (784, 8, 10)
    params = ours = init_network_params(jax.random.key(2), sizes, 0.05)
    velocity = jax.tree.map(jnp.zeros_like, params)
    images, labels = train
    for places in np.arange(1440).reshape(45, 32):
        slopes = jax.grad(loss)(ours, images[places], one_hot(labels[places], 10))
        velocity = jax.tree.map(lambda v, s: 0.9 * v - 0.05 * s, velocity, slopes)
        ours = jax.tree.map(lambda p, v: p + v, ours, velocity)
    settings = {"batchSize": 32, "rate": 0.05, "momentum": 0.9}
    sent = [texts(params), list(range(1440)), settings]
    _, answer = page.evaluate(EPOCH, sent)
    assert largest_difference(params_from(answer, sizes), ours) < 1e-3


def test_random_numbers_come_from_their_seed(page):
    """A draw that is not normal, not of the scale asked for, or not the same twice."""
    draw = "seed => text(Engine.initNetworkParams(seed, [784, 512, 10], 0.5)[0][0])"
    first, again, other = (page.evaluate(draw, seed) for seed in (0, 0, 1))
    assert first == again != other
    drawn = np.frombuffer(base64.b64decode(first), np.float32) / 0.5
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs(np.mean(np.abs(drawn) < 1) - 0.6827) < 0.005
    orders = page.evaluate(
        """[0, 0, 1].map((seed) => Array.from(
            Engine.epochOrder("shuffled", new Uint8Array(99), seed)))"""
    )
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order) == list(range(99)) for order in orders)
    by_label = page.evaluate('Array.from(Engine.epochOrder("sorted", [3, 1, 3, 0], 0))')
    assert by_label == [3, 1, 0, 2]


# ---- Files ----


def test_a_saved_network_scores_in_python_what_the_page_says(
    page, dataset, tmp_path, python
):
    """A file that the command line refuses, or reads as another network."""
    small(page)
    press(page, "Train")
    until(page, "state.epoch >= 4")
    press(page, "Pause")
    until(page, "!state.going")
    page.wait_for_timeout(500)
    with page.expect_download() as download:
        press(page, "Save params.safetensors")
    path = tmp_path / "params.safetensors"
    download.value.save_as(path)
    assert download.value.suggested_filename == path.name
    params = load_params(path)
    right = page.evaluate(
        """(() => { const { images, labels } = Digits.enlarge(DIGITS.test);
            return Engine.countRight(Engine.predictedLabels(Train.state().params,
                Engine.inked(Images.scaled(images))), labels); })()"""
    )
    images = jnp.asarray(data.as_vectors(dataset.test_images))
    ours = accuracy(params, images, jnp.asarray(dataset.test_labels)) * 357
    assert right == round(ours) > 200
    again = tmp_path / "again.safetensors"
    save_params(again, params)
    assert path.read_bytes() == again.read_bytes()
    command = ("evaluate", "--dataset", "digits", "--params", path)
    result = python(
        "-m", "mnist_code", *command, env={**os.environ, "PYTHONPATH": ROOT}
    )
    assert f"{right} of 357" in result.stdout, result.stdout + result.stderr


def test_a_network_that_python_trained_scores_the_same_here(page, dataset, tmp_path):
    """Weights read by columns, biases in the place of weights."""
    config = Config(epochs=2, learning_rate=0.3, layer_sizes=(784, 30, 10))
    params, history = fit(dataset, config)
    path = tmp_path / "from Python.safetensors"
    save_params(path, params)
    page.locator("[data-train=open]").set_input_files(path)
    until(page, "state.answers")
    said = page.locator("[data-train=fileText]").inner_text()
    right = round(history[-1].test_accuracy * 357)
    assert "784-30-10" in said
    assert f"gets {right} of the 357" in said
    answers = list(page.evaluate("Array.from(Train.state().answers)"))
    images = jnp.asarray(data.as_vectors(dataset.test_images))
    assert answers == predicted_labels(params, images).tolist()
    assert (
        page.get_by_role("slider", name="Hidden units").evaluate(
            "slider => slider.getAttribute('aria-valuetext')"
        )
        == "30"
    )


def file_of(metadata=None, **arrays):
    from safetensors.numpy import save

    named = {name.replace("__", "."): array for name, array in arrays.items()}
    return save(named, metadata)


def layers(*sizes, dtype=np.float32, fill=0.0):
    arrays = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        arrays[f"layer_{layer}__weights"] = np.full((fan_out, fan_in), fill, dtype)
        arrays[f"layer_{layer}__biases"] = np.zeros(fan_out, dtype)
    return arrays


WRONG_FILES = {
    "empty": (b"", "isn’t a safetensors file"),
    "text": (b"hello " * 100, "isn’t a safetensors file"),
    "no JSON": (b"\x04" + bytes(7) + b"}{}{" + bytes(9), "isn’t a safetensors file"),
    "cut off": (file_of(**layers(784, 4, 10))[:-8], "cut off or corrupt"),
    "one layer": (file_of(**layers(784, 10)), "1 layer, and"),
    "three layers": (file_of(**layers(784, 8, 8, 10)), "3 layers, and"),
    "other names": (file_of(kernel=np.zeros(3, np.float32)), "it holds kernel"),
    "other images": (file_of(**layers(64, 8, 10)), "layer_0.weights is F32 of shape"),
    "other classes": (file_of(**layers(784, 8, 26)), "layer_1.weights is F32 of"),
    "64 bits": (file_of(**layers(784, 8, 10, dtype=np.float64)), "is F64 of shape"),
    "nan": (file_of(**layers(784, 8, 10, fill=np.nan)), "isn’t a finite number"),
    "normalized": (
        file_of({"normalization": "moments"}, **layers(784, 8, 10)),
        "learned from normalized images",
    ),
    "huge": (file_of(**layers(784, 5000, 10)), "at most 4,096"),
}


@pytest.mark.parametrize("metadata", [{"normalization": "none"}, {"note": "first try"}])
def test_other_notes_in_a_file_are_no_obstacle(metadata, page):
    """A network refused, or a note taken for an array."""
    small(page)
    content = file_of(metadata, **layers(784, 8, 10, fill=0.25))
    file = {"name": "noted", "mimeType": "", "buffer": content}
    page.locator("[data-train=open]").set_input_files(file)
    until(page, "state.params[0][0][0] === 0.25")


def test_wrong_files_get_a_sentence(page):
    """A file that breaks the page, or takes the place of a network that had learned."""
    small(page)
    before = page.evaluate("text(Train.state().params[0][0])")
    for name, (content, words) in WRONG_FILES.items():
        file = {"name": name, "mimeType": "", "buffer": content}
        page.locator("[data-train=open]").set_input_files(file)
        page.wait_for_function(
            "words => document.querySelector('[data-train=fileText]').textContent.includes(words)",
            arg=words,
            timeout=5000,
        )
        said = page.locator("[data-train=fileText]").inner_text()
        assert said.startswith("This page can’t use the file: "), name
        assert not {"undefined", "NaN", "null"} & set(said.split()), said
    assert page.evaluate("text(Train.state().params[0][0])") == before


def test_a_network_that_python_would_read_otherwise_is_not_saved(page):
    """A file of a network with tanh, which scores a tenth in Python."""
    small(page, activation="tanh")
    press(page, "Save params.safetensors")
    assert "Swish" in page.locator("[data-train=fileText]").inner_text()


# ---- Learning on the page ----


@pytest.mark.slow
def test_it_learns_and_shows_how_it_goes(address, visit):
    """Charts that stand still, counts that disagree, an error in the console."""
    seen = visit(address)
    page = seen.page
    press(page, "Train")
    until(page, "state.epoch >= 3", 120)
    press(page, "Pause")
    until(page, "!state.going")
    page.wait_for_timeout(700)
    state = page.evaluate(
        "(() => { const s = Train.state(); return [s.losses, s.scores]; })()"
    )
    losses, scores = state
    assert losses[0][1] == pytest.approx(np.log(10), abs=0.1)
    assert losses[-1][1] < 1
    assert [score[0] for score in scores] == [0, 1, 2, 3]
    assert scores[-1][2] > 0.8
    now = page.locator("[data-train=now]").inner_text()
    assert f"{round(scores[-1][2] * 357)} of 357 test images" in now
    wrong = page.locator("[data-train=wrong] button:visible").count()
    assert wrong == min(24, 357 - round(scores[-1][2] * 357))
    for chart in ("loss", "scores"):
        path = page.locator(f"[data-train={chart}] path.train-curve").first
        assert path.get_attribute("d").count("L") >= 3
    assert seen.complaints == []
    assert seen.outside(address) == []


def test_presets_do_what_their_words_say(page):
    """A preset whose note belongs to another, or that no longer breaks anything."""
    note = page.locator("[data-train=notes] > :visible")
    buttons = page.locator("[data-train=presets] button")
    for number in range(buttons.count()):
        name = buttons.nth(number).inner_text()
        buttons.nth(number).click()
        assert buttons.nth(number).get_attribute("aria-pressed") == "true"
        assert note.count() == 1
        assert note.inner_text().startswith(name)
        assert note.locator("a").count() >= 1
        until(page, "state.going")
    assert buttons.count() == 6
    settings = page.evaluate("Train.PRESETS")
    small(page, **{**page.evaluate("Train.START"), **settings["zeros"], "units": 16})
    press(page, "One epoch")
    until(page, "state.epoch === 1")
    assert page.evaluate("Math.max(...Train.state().params[0][0].map(Math.abs))") == 0
    assert page.evaluate("new Set(Train.state().answers).size") == 1
    small(page, **{**page.evaluate("Train.START"), **settings["sorted"], "units": 128})
    press(page, "One epoch")
    until(page, "state.epoch === 1")
    assert page.evaluate("[...new Set(Train.state().answers)]") == [9]
    small(page, **{**page.evaluate("Train.START"), **settings["steep"], "units": 128})
    press(page, "One epoch")
    until(page, "state.epoch === 1")
    assert page.evaluate("Math.max(...Train.state().losses.map((p) => p[1]))") > 50


def test_floors_are_those_of_chapter_8(page):
    """A dashed line where a perfect network doesn't end."""
    known = page.evaluate("[32, 128].map((n) => Curves.knownLosses('published', n))")
    for size, (ignorant, perfect) in zip((32, 128), known, strict=True):
        assert ignorant["value"] == pytest.approx(np.log(10 * size) / 10)
        assert perfect["value"] == pytest.approx(np.log(size) / 10)
    small(page, loss="published")
    page.wait_for_timeout(300)
    chart = page.locator("[data-train=loss]")
    assert "perfect: ln(32)/10" in chart.inner_text()
    assert chart.locator(".train-known").count() == 2


def test_a_run_that_diverges_gets_a_sentence(page):
    """NaN in a chart, or a button that trains what can't be saved any more."""
    content = file_of(**layers(784, 8, 10, fill=1e30))
    file = {"name": "huge", "mimeType": "", "buffer": content}
    page.locator("[data-train=open]").set_input_files(file)
    until(page, "state.answers && state.settings.units === 8")
    press(page, "Train")
    says(page, "The run diverged")
    assert "Lower the rate" in status(page)
    page.wait_for_timeout(300)
    assert "nan" not in page.locator("#train").inner_text().lower()
    assert page.evaluate("Engine.isFinite(Train.state().params)")
    press(page, "That was a 4")  # no lower rate would help
    assert status(page, "teachText").startswith("The run has diverged")
    press(page, "Train")  # begins again, from random numbers
    until(page, "state.epoch >= 1")


def test_steps_that_are_too_long_get_a_sentence(page):
    """A loss of thousands, and no word about the rate."""
    small(page, rate=100, momentum=0.99)
    press(page, "Train")
    says(page, "In epoch 1, the loss was ")
    assert "far above the 2.3 of a network that knows nothing" in status(page)
    assert "Lower the rate or the momentum" in status(page)


def test_that_was_a_4(page, dataset):
    """A step in the wrong direction, of the wrong length, or on another image."""
    small(page, rate=0.1)
    before = params_from(page.evaluate("texts(Train.state().params)"), (784, 16, 10))
    chances = page.evaluate("Array.from(Train.state().chances)")
    press(page, "That was a 4")
    says(page, "One step", "teachText")
    seven = int(np.argmax(dataset.test_labels == 7))
    image = jnp.asarray(data.as_vectors(dataset.test_images[seven : seven + 1]))
    ours, _ = update(before, image, one_hot(jnp.array([4]), 10), 0.1 / 32)
    after = params_from(page.evaluate("texts(Train.state().params)"), (784, 16, 10))
    assert largest_difference(after, ours) < 1e-6
    now = page.evaluate("Array.from(Train.state().chances)")
    assert now[4] > chances[4]
    assert f"from {chances[4]:.1%} to {now[4]:.1%}" in status(page, "teachText")
    assert page.locator("[data-train=bars] .mark:visible").count() == 10
    assert "of the 357 test images" in status(page, "teachText").lower()


def test_a_drawing_is_read_and_taught(page):
    """A pad that leaves the network the image it had before."""
    small(page)
    pad = page.locator("[data-train=pad]")
    pad.scroll_into_view_if_needed()
    draw_stroke(pad, 30, 170)
    words = page.locator("[data-train=imageText]")
    assert words.inner_text().startswith("Your drawing. The network says: ")
    page.get_by_role("slider", name="Batch size").press("Home")
    for _ in range(4):
        press(page, "That was a 1")
        page.wait_for_timeout(400)
    assert "says: a 1," in words.inner_text()
    press(page, "Clear")
    assert words.inner_text() == "Nothing is drawn yet."
    press(page, "That was a 1")
    assert status(page, "teachText").startswith("Draw something first")


def test_the_keyboard_does_everything(page):
    """A control that only a pointer reaches."""
    small(page)
    reached = set()
    page.locator("[data-train=presets] button").first.focus()
    for _ in range(90):
        reached.add(
            page.evaluate(
                """(document.activeElement.closest("label") ?? document.activeElement)
                    .innerText.trim().split("\\n")[0]"""
            )
        )
        page.keyboard.press("Tab")
    labels = {"All zeros", "Train", "One epoch", "Start over", "Rate", "Batch size",
              "Momentum", "Initial scale", "Hidden units", "Activation", "Order", "Loss",
              "Test image", "Clear", "4", "Save params.safetensors", "Open a network:"}  # fmt: skip
    assert labels <= reached, labels - reached
    assert any("read as" in name for name in reached)
    page.get_by_role("slider", name="Rate").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Train.state().settings.rate") == 1
    page.get_by_role("slider", name="Test image").focus()
    page.keyboard.press("ArrowRight")
    assert "Test image 15" in page.locator("[data-train=imageText]").inner_text()
    page.get_by_role("button", name="One epoch").focus()
    page.keyboard.press("Enter")
    until(page, "state.epoch === 1")


def test_settings_hold_from_where_they_were_set(page):
    """A slider that moves and changes nothing, or a run that goes on with the old loss."""
    small(page)
    before = page.evaluate("text(Train.state().params[0][0])")
    for name, key, setting, value in [
        ("Rate", "ArrowLeft", "rate", 0.1),
        ("Batch size", "ArrowLeft", "batchSize", 16),
        ("Momentum", "ArrowRight", "momentum", 0.5),
    ]:
        page.get_by_role("slider", name=name).press(key)
        assert page.evaluate(f"Train.state().settings.{setting}") == value
    assert page.evaluate("text(Train.state().params[0][0])") == before
    page.get_by_role("slider", name="Initial scale").press("ArrowRight")
    assert page.evaluate("text(Train.state().params[0][0])") != before
    page.get_by_role("combobox", name="Loss").select_option("published")
    page.get_by_role("combobox", name="Order").select_option("sorted by digit")
    press(page, "One epoch")
    until(page, "state.epoch === 1")
    state = page.evaluate("Train.state().settings")
    assert (state["loss"], state["order"], state["scale"]) == (
        "published",
        "sorted",
        0.036,
    )
    assert page.evaluate("Train.state().losses[0][1]") < 1


# ---- A page that stays well ----


def test_leaving_the_page_stops_the_worker(html, page):
    """A network that goes on learning after the reader has gone on reading."""
    small(page)
    press(page, "Train")
    until(page, "state.epoch >= 1")
    assert len(page.workers) == 1
    page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    page.wait_for_timeout(200)
    assert "when you left the page" in status(page)
    assert page.workers == []
    epoch = page.evaluate("Train.state().epoch")
    press(page, "One epoch")  # as after going back: it goes on where it was
    until(page, f"state.epoch === {epoch + 1}")
    assert len(page.workers) == 1
    page.goto((html / "draw.html").as_uri())
    assert page.workers == []


def test_curves_stay_short(page):
    """A page that grows with every epoch."""
    kept = page.evaluate(
        """(() => { let all = [], most = 0;
            for (let i = 0; i < 20000; i++) {
                all = Curves.extend(all, [[i, 20000 - i]]);
                most = Math.max(most, all.length);
            }
            return [most, all]; })()"""
    )
    most, points = kept
    assert most <= 600
    xs = [x for x, _ in points]
    assert xs == sorted(xs)
    assert xs[-1] == 19999
    again = page.evaluate("Curves.extend([[1, 5], [2, 6], [3, 7]], [[2, 1]])")
    assert again == [[1, 5], [2, 1]]  # an epoch that begins again replaces what it drew


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_training_does_not_fill_the_memory(browser, page, nightly):
    """Buffers that pile up: half a minute of reports, at night ten, must leave memory as it was."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    renderers = [process["id"] for process in found if process["type"] == "renderer"]

    def resident():
        total = 0
        for number in renderers:
            statm = Path(f"/proc/{number}/statm")
            total += int(statm.read_text().split()[1]) if statm.exists() else 0
        return total * os.sysconf("SC_PAGE_SIZE") / 1e6

    small(page, units=64)
    page.evaluate("document.querySelector('[data-train=player] button').click()")
    until(page, "state.epoch >= 10", 120)
    nodes, before = page.evaluate("document.querySelectorAll('*').length"), resident()
    until(page, "state.epoch >= 25", 120)
    stop, end = 25, time.monotonic() + (600 if nightly else 0)
    while stop < 75 or time.monotonic() < end:
        stop += 25  # what one press trains for
        press(page, "Train")
        until(page, f"state.epoch >= {stop}", 120)
    assert resident() - before < 60
    assert page.evaluate("document.querySelectorAll('*').length") < nodes + 100


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_it_fits_every_width(address, visit, width):
    """A control that sticks out of a phone, or letters too small to read."""
    page = visit(address, viewport={"width": width, "height": 850}).page
    small(page)
    press(page, "One epoch")
    until(page, "state.epoch === 1")
    page.wait_for_timeout(300)
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    sizes = page.locator("[data-train=loss] svg").evaluate(
        "chart => 13 * chart.getBoundingClientRect().width / chart.viewBox.baseVal.width"
    )
    assert sizes >= 10.5
    legend = page.locator("[data-train=legend] svg").first.bounding_box()
    assert legend["height"] < 20  # a style of the live figures would blow it up
    assert page.get_by_role("button", name="That was a 0").bounding_box()["width"] >= 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_it_learns(server, visit, scheme):
    """A control without a name, or a color too faint, that appears only after training."""
    if not AXE.exists():
        pytest.skip("run `npm ci --prefix tests` to check the pages with axe-core")
    seen = visit(f"{server}/train.html", color_scheme=scheme, viewport=PHONE)
    page = seen.page
    small(page)
    press(page, "One epoch")
    until(page, "state.epoch === 1")
    press(page, "That was a 4")
    page.wait_for_timeout(500)
    page.add_script_tag(path=AXE)
    assert page.evaluate(FAULTS, []) == []
    assert seen.complaints == []


def test_without_javascript_the_page_says_what_is_missing(address, visit):
    """Empty boxes, and no word why."""
    page = visit(address, java_script_enabled=False).page
    words = page.locator("article").inner_text()
    assert "needs JavaScript" in words
    assert "All zeros." in words  # what there would be to see
    assert not page.locator("#train").is_visible()


def test_the_script_of_digits_is_what_the_tool_writes():
    """Digits edited by hand, or packed from another split."""
    import train_digits

    stored = ROOT / "_static" / "train" / "digits.js"
    assert stored.read_text(encoding="utf-8") == train_digits.script()
