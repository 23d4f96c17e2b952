"""The exported network: loaded by others, without this package, it answers as JAX does."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mnist_code import export as module
from mnist_code.cli import main
from mnist_code.config import EXPORT_FILES
from mnist_code.data import as_vectors
from mnist_code.errors import FileError, MissingDependencyError
from mnist_code.export import export, size_of
from mnist_code.model import probabilities
from mnist_code.storage import load_params, save_params

# Programs of somebody else: each forbids itself what it must not need.
LOADERS = {
    "stablehlo": (
        ("mnist_code", "tensorflow", "flax"),
        "from jax import export\n"
        "exported = export.deserialize(open('stablehlo', 'rb').read())\n"
        "classify = exported.call\n",
    ),
    "savedmodel": (
        ("mnist_code", "jax", "jaxlib"),
        "import tensorflow as tf\n"
        "model = tf.saved_model.load('savedmodel').signatures['serving_default']\n"
        "classify = lambda x: model(images=tf.constant(x))['probabilities'].numpy()\n",
    ),
    "litert": (
        ("mnist_code", "jax", "tensorflow"),
        "from ai_edge_litert.interpreter import Interpreter\n"
        "runner = Interpreter(model_path='litert').get_signature_runner()\n"
        "classify = lambda x: runner(images=x)['probabilities']\n",
    ),
}
LOADERS["litert8"] = (
    LOADERS["litert"][0],
    LOADERS["litert"][1].replace("='litert", "='litert8"),
)
PROGRAM = """
import sys
for name in {forbidden}: sys.modules[name] = None
import numpy as np
{load}
images = np.load('images.npy')
np.savez('{format}.npz', one=classify(images[:1]), seven=classify(images[:7]), all=classify(images))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, trained, dataset):
    """All formats, as the command writes them, beside the test images."""
    folder = tmp_path_factory.mktemp("exported")
    save_params(folder / "params", trained)
    np.save(folder / "images.npy", as_vectors(dataset.test_images))
    for name in EXPORT_FILES:
        options = ["--params", folder / "params", "--out", folder / name]
        assert main(["export", "--format", name, *map(str, options)]) == 0
    return folder


@pytest.mark.parametrize("name", EXPORT_FILES)
def test_a_fresh_process_without_the_package_answers_alike(
    name, folder, python, trained
):
    """A form that needs our code, fixes the batch size, or computes something else."""
    forbidden, load = LOADERS[name]
    program = PROGRAM.format(forbidden=forbidden, load=load, format=name)
    result = python("-c", program, cwd=folder)
    assert result.returncode == 0, result.stderr
    images = np.load(folder / "images.npy")
    with np.load(folder / f"{name}.npz") as found:
        for batch, count in (("one", 1), ("seven", 7), ("all", len(images))):
            expected = probabilities(trained, jnp.asarray(images[:count]))
            near = 0.1 if name == "litert8" else 1e-4  # weights of 8 bits are coarse
            np.testing.assert_allclose(found[batch], expected, rtol=0, atol=near)
    # It is sure of some, so the comparison says something
    assert np.ptp(expected) > 0.5


def test_stablehlo_is_for_every_platform(trained):
    """A form that only the machine it was written on can run."""
    exported = jax.export.deserialize(module.to_stablehlo(trained))
    assert set(exported.platforms) == {"cpu", "cuda", "rocm", "tpu"}


def test_the_command_tells_what_it_wrote(folder, capsys, tmp_path):
    """A size that is not the file's; noise of a converter's among what a person reads."""
    options = ["--params", str(folder / "params"), "--out", str(tmp_path / "model")]
    assert main(["export", "--format", "stablehlo", *options]) == 0
    captured = capsys.readouterr()
    size = (tmp_path / "model").stat().st_size
    assert captured.out == (
        f"{tmp_path / 'model'}: {size:,} bytes of stablehlo, any number of images\n"
    )
    assert captured.err == ""


def test_sizes_are_about_those_of_the_parameters(folder):
    """Parameters written twice, or left out; a folder counted as its entry."""
    for name in EXPORT_FILES:
        bits = 1 if name == "litert8" else 4
        assert bits * 407_050 < size_of(folder / name) < 1.1 * bits * 407_050


def test_a_savedmodel_has_the_calling_convention_that_older_servers_read(folder):
    """A model that TensorFlow before 2.20 refuses, and a setting of JAX's left changed."""
    import tensorflow as tf

    model = tf.saved_model.load(folder / "savedmodel")
    graph = model.signatures["serving_default"].graph.as_graph_def()
    nodes = [node for function in graph.library.function for node in function.node_def]
    versions = [n.attr["version"].i for n in nodes if n.op == "XlaCallModule"]
    assert versions == [module.CALLING_CONVENTION] == [9]
    assert jax.config.jax_export_calling_convention_version == 10


def test_the_default_place_tells_the_format(trained, tmp_path, monkeypatch):
    """A file whose name does not say what it is."""
    monkeypatch.chdir(tmp_path)
    assert export(trained, "stablehlo").name == "model.stablehlo"
    assert (tmp_path / "model.stablehlo").exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_there_already_is_not_replaced_by_a_folder(kind, trained, tmp_path):
    """A model that a server is reading, deleted while it is being read; another's folder lost."""
    place = tmp_path / "model"
    place.write_text("old") if kind == "file" else place.mkdir()
    with pytest.raises(FileError, match="already exists"):
        export(trained, "savedmodel", place)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["stablehlo", "savedmodel"])
def test_a_full_disk_leaves_nothing(name, folder, python, tmp_path):
    """Half a model, or a traceback of TensorFlow's."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from mnist_code.cli import main\n"
        f"sys.exit(main(['export', '--format', '{name}', '--params', {str(folder / 'params')!r},"
        " '--out', 'model']))"
    )
    result = python("-c", program)
    assert result.returncode == 1
    assert result.stderr.startswith("error: Cannot write model: ")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_tensorflow_it_says_what_to_install(trained, tmp_path, monkeypatch):
    """A traceback where an optional package is missing."""

    def missing():
        raise ModuleNotFoundError("No module named 'tensorflow'")

    monkeypatch.setattr(module, "import_tensorflow", missing)
    with pytest.raises(
        MissingDependencyError, match=r"which is not installed\. Install it: pip"
    ):
        export(trained, "litert", tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_bad_parameters_and_formats_are_refused(capsys, tmp_path):
    """An export of nonsense."""
    missing = str(tmp_path / "missing")
    assert main(["export", "--format", "litert", "--params", missing]) == 1
    assert capsys.readouterr().err.startswith(f"error: Cannot use {missing}: ")
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--format", "onnx"])
    assert "stablehlo" in capsys.readouterr().err


def test_a_wider_network_is_exported_too(tmp_path):
    """Sizes of layers that are written into the export."""
    from mnist_code.model import init_network_params

    params = init_network_params(jax.random.key(0), (784, 32, 16, 10))
    save_params(tmp_path / "params", params)
    exported = jax.export.deserialize(
        module.to_stablehlo(load_params(tmp_path / "params"))
    )
    images = jnp.ones((2, 784))
    np.testing.assert_allclose(
        exported.call(images), probabilities(params, images), atol=1e-6
    )
