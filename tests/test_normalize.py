"""Standard form: the moments, in NumPy, are what they should be; nothing lost, nothing invented."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import largest_difference
from PIL import Image

from mnist_code.augment import distort_batch
from mnist_code.cli import main
from mnist_code.config import Config
from mnist_code.data import as_vectors
from mnist_code.errors import ConfigError, ParametersError
from mnist_code.export import export
from mnist_code.images import read_image
from mnist_code.model import batched_predict, init_network_params, probabilities
from mnist_code.normalize import (
    HEIGHT,
    INPUTS,
    LIMITS,
    VIEWS,
    WIDTH,
    network_inputs,
    normalize,
    normalize_batch,
)
from mnist_code.recipes import distillation_loss, start, step
from mnist_code.serve import classifier
from mnist_code.storage import load_network, load_params, save_params
from mnist_code.training import fit


def moments(picture):
    """The center of mass, and the covariance of rows and columns, in NumPy and float64."""
    share = np.float64(picture) / np.float64(picture).sum()
    places = np.indices(share.shape)
    center = (places * share).sum((1, 2))
    offsets = places - center[:, None, None]
    return center, np.einsum("ihw,jhw,hw->ij", offsets, offsets, share)


@pytest.fixture
def pictures(train):
    """A hundred pictures of digits."""
    return np.asarray(train[0][:100].reshape(-1, 28, 28))


def test_every_digit_has_the_same_moments(pictures):
    """A shear the wrong way, rows for columns, a center at 14, a size that is not the standard."""
    checked = 0
    for picture in pictures:
        _, before = moments(picture)
        straight = before[1, 1] - before[0, 1] ** 2 / before[0, 0]
        scales = np.sqrt([before[0, 0], straight]) / [HEIGHT, WIDTH]
        center, after = moments(normalize(jnp.asarray(picture)))
        np.testing.assert_allclose(center, 13.5, atol=0.3)
        assert abs(after[0, 1]) < 1.0
        for axis, size in enumerate((HEIGHT, WIDTH)):
            if LIMITS[0] < scales[axis] < LIMITS[1]:
                assert after[axis, axis] ** 0.5 == pytest.approx(size, abs=0.4)
                checked += 1
    assert checked > 150
    # Before, they were far from it.
    assert np.ptp([moments(picture)[1][0, 1] for picture in pictures]) > 8


def test_the_place_of_a_digit_does_not_matter(pictures):
    """A center that is not the ink's."""
    picture = np.pad(pictures[0][4:24, 4:24], 4)
    moved = np.roll(picture, (3, -2), axis=(0, 1))
    one, other = (normalize(jnp.asarray(image)) for image in (picture, moved))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_without_ink_an_image_stays_black():
    """A division by no ink at all, or a faint digit taken for none."""
    assert not normalize(jnp.zeros((28, 28))).any()
    picture = jnp.zeros((28, 28)).at[3:10, 4:8].set(1.0)
    faint = normalize(1e-9 * picture) / 1e-9
    np.testing.assert_allclose(faint, normalize(picture), atol=1e-5)


def test_each_normalization_is_known_everywhere():
    """A name that training accepts, and of which files or commands know nothing."""
    choices = Config.__dataclass_fields__["normalization"].metadata["choices"]
    assert set(choices) == set(VIEWS) == set(INPUTS)
    images = jnp.ones((2, 784))
    for name, view in VIEWS.items():
        assert view(images).shape == (2, INPUTS[name])


def test_a_data_set_is_seen_as_its_batches_are(train):
    """Images in another order, or a last chunk left out."""
    images = train[0][:1100]
    np.testing.assert_allclose(
        network_inputs(images, "moments"), normalize_batch(images), atol=1e-5
    )
    np.testing.assert_array_equal(network_inputs(images, "none"), images)


SETTINGS = Config(
    epochs=4, batch_size=16, learning_rate=0.1, optimizer="nesterov", schedule="one-cycle",
    initialization="he", normalization="moments",
)  # fmt: skip


@pytest.fixture(scope="module")
def network(dataset):
    """A network that has learned from digits in standard form, and what it then got right."""
    params, history = fit(dataset, SETTINGS)
    return params, history[-1]


def test_a_network_learns_from_standard_form(network, train):
    """Training that sees one form, and a test that shows another."""
    params, last = network
    assert last.test_accuracy > 0.93
    assert last.train_accuracy > 0.95
    seen, labels = normalize_batch(train[0]), np.asarray(train[1])
    right = probabilities(params, seen).argmax(1) == labels
    assert float(np.mean(right)) == pytest.approx(last.train_accuracy, abs=1e-6)
    as_it_is = probabilities(params, train[0]).argmax(1) == labels
    assert np.mean(as_it_is) < last.train_accuracy


@pytest.mark.parametrize("inputs", [784, 1568])
def test_student_and_teacher_see_the_same_distorted_images(inputs):
    """Images normalized, then distorted; a teacher that sees others than its student."""
    teacher = init_network_params(jax.random.key(0), (inputs, 4, 10), 1.0)
    config = Config(
        normalization="moments",
        temperature=2.0,
        distortion=0.5,
        layer_sizes=(784, 4, 10),
    )
    state, key = start(jax.random.key(1), config), jax.random.key(2)
    images = jax.random.uniform(jax.random.key(3), (8, 784))
    _, found = step(state, images, jnp.arange(8), key, 0.1, config, 1, teacher)
    distorted = distort_batch(key, images, 0.5)
    seen = normalize_batch(distorted)
    both = jnp.concatenate([distorted, seen], axis=1)
    logits = batched_predict(teacher, both if inputs == 1568 else seen)
    expected = distillation_loss(state.params, seen, logits, 2.0)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_the_file_says_how_its_images_must_be_seen(network, tmp_path):
    """A network asked about images in a form that it has never seen."""
    save_params(tmp_path / "params", network[0], "moments")
    assert load_network(tmp_path / "params")[1] == "moments"
    with pytest.raises(ParametersError, match="load_network"):
        load_params(tmp_path / "params")
    save_params(tmp_path / "plain", network[0])
    assert load_network(tmp_path / "plain")[1] == "none"
    assert b"metadata" not in (tmp_path / "plain").read_bytes()[:200]


def test_metadata_may_be_null(network, tmp_path):
    """A traceback for a file that other programs read."""
    save_params(tmp_path / "plain", network[0])
    content = (tmp_path / "plain").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length]) | {"__metadata__": None}
    new = json.dumps(header).encode()
    new += b" " * (-len(new) % 8)
    (tmp_path / "null").write_bytes(
        len(new).to_bytes(8, "little") + new + content[8 + length :]
    )
    assert load_network(tmp_path / "null")[1] == "none"


def test_an_unknown_normalization_is_refused(network, tmp_path, capsys):
    """A file of a later version, answered with nonsense."""
    save_params(tmp_path / "params", network[0], "whitening")
    assert main(["evaluate", "--params", str(tmp_path / "params")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: Cannot use ")
    assert "'whitening'" in said
    assert "Install" in said


@pytest.mark.parametrize("kind", ["moments", "both"])
def test_every_command_sees_what_training_saw(
    kind, dataset, tmp_path, capsys, monkeypatch
):
    """Training, evaluation, prediction or export that leaves the standard form out."""
    monkeypatch.chdir(tmp_path)
    options = ["--dataset", "digits", "--normalization", kind, "--epochs", "3"]
    options += ["--members", "2"] if kind == "both" else []
    assert main(["train", "--recipe", "fast", *options]) == 0
    trained = capsys.readouterr().out.splitlines()[-1].split(". ")[0]
    assert main(["evaluate", "--dataset", "digits"]) == 0
    assert trained in capsys.readouterr().out.splitlines()

    Image.fromarray(dataset.test_images[0, ..., 0]).resize((200, 200)).save("digit.png")
    params, _ = load_network("params.safetensors")
    seen = network_inputs(jnp.asarray(as_vectors(read_image("digit.png")[None])), kind)
    (row,) = probabilities(params, seen)
    assert main(["predict", "--show", "digit.png"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"digit.png: {row.argmax()} (probability {row.max():.1%})")
    assert len(lines) == 28 * (2 if kind == "both" else 1)

    assert main(["export", "--format", "stablehlo"]) == 0
    restored = jax.export.deserialize(Path("model.stablehlo").read_bytes())
    images = jnp.asarray(as_vectors(dataset.test_images[:7]))
    expected = probabilities(params, network_inputs(images, kind))
    np.testing.assert_allclose(restored.call(images), expected, atol=1e-5)
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--format", "litert"])
    assert "--format must be stablehlo or savedmodel" in capsys.readouterr().err


def test_a_committee_of_two_kinds_goes_on_where_it_was(tmp_path, monkeypatch):
    """Groups swapped or lost in a checkpoint; a batch divided otherwise for one of them."""
    monkeypatch.chdir(tmp_path)
    run = ["train", "--dataset", "digits", "--recipe", "committee", "--members", "3"]
    run += ["--schedule", "decay", "--distortion", "0", "--batch-size", "144"]
    assert main([*run, "--epochs", "2", "--out", "whole"]) == 0
    assert main([*run, "--epochs", "1", "--checkpoints", "run", "--out", "parts"]) == 0
    again = ["--epochs", "2", "--checkpoints", "run", "--resume", "--out", "parts"]
    assert main([*run, *again]) == 0
    assert Path("parts").read_bytes() == Path("whole").read_bytes()
    assert main([*run, "--epochs", "2", "--devices", "8", "--out", "eight"]) == 0
    one, eight = (load_network(name)[0] for name in ("whole", "eight"))
    assert largest_difference(one, eight) < 1e-3


def test_exports_and_servers_put_images_into_standard_form(network, train, tmp_path):
    """A form that answers about images as they are."""
    params, _ = network
    images = train[0][:7]
    expected = probabilities(params, normalize_batch(images))
    path = export(params, "stablehlo", tmp_path / "hlo", "moments")
    found = jax.export.deserialize(path.read_bytes()).call(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    found = classifier(params, "moments")(np.asarray(images))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(ConfigError, match="stablehlo or savedmodel, not litert8"):
        export(params, "litert8", tmp_path / "lite", "moments")
    assert not (tmp_path / "lite").exists()


def test_a_savedmodel_puts_images_into_standard_form(network, train, tmp_path):
    """A form that answers about images as they are, or only about one number of them."""
    import tensorflow as tf

    params, _ = network
    export(params, "savedmodel", tmp_path / "model", "moments")
    model = tf.saved_model.load(tmp_path / "model")
    for count in (1, 7):
        images = train[0][:count]
        expected = probabilities(params, normalize_batch(images))
        given = tf.constant(np.asarray(images))
        (found,) = model.signatures["serving_default"](given).values()
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_teacher_and_student_must_see_the_same(network, tmp_path, capsys):
    """A student taught by answers about images that its teacher cannot read."""
    save_params(tmp_path / "teacher", network[0], "moments")
    command = ["train", "--recipe", "distilled", "--dataset", "digits"]
    command += ["--normalization", "none", "--teacher", str(tmp_path / "teacher")]
    with pytest.raises(SystemExit, match="2"):
        main([*command, "--out", str(tmp_path / "student")])
    assert "Give --normalization moments, or another teacher" in capsys.readouterr().err
    assert not (tmp_path / "student").exists()
