"""Data: the embedded digits, the one door, what is kept, the pipeline, and everything missing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from scipy import ndimage

from mnist_code import data
from mnist_code.data import Dataset, as_vectors, load, pipeline, prepare
from mnist_code.data._digits import embedded_digits
from mnist_code.data._prepare import (
    MNIST_URL,
    VERSIONS,
    host_reachable,
    import_tfds,
    read_arrays,
)
from mnist_code.errors import DataError, FileError

ARCHIVES = [f"{part}-ubyte.gz" for part in (
    "train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1",
)]  # fmt: skip
LOAD = "from mnist_code import data; data.load({!r})"


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty data folder, no archives, no choice made, and no network."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("MNIST_CODE_ARCHIVES", raising=False)
    monkeypatch.delenv("MNIST_CODE_DATASET", raising=False)
    return tmp_path / "data"


def leftovers(folder):
    """What a later load could take for whole: prepared folders and kept arrays."""
    return [
        path for path in folder.rglob("*")
        if path.suffix == ".npz" or (path.name == "dataset_info.json" and "incomplete" not in
                                     str(path))
    ]  # fmt: skip


def same(one, other):
    names = ("train_images", "train_labels", "test_images", "test_labels")
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in names
    )


# The embedded digits


def test_digits_have_the_form_of_mnist(dataset):
    """A shape, dtype or range that works for one data set only."""
    for part, count in (("train", 1440), ("test", 357)):
        images, labels = (
            getattr(dataset, f"{part}_images"),
            getattr(dataset, f"{part}_labels"),
        )
        assert (images.shape, images.dtype) == ((count, 28, 28, 1), np.uint8)
        assert (labels.shape, labels.dtype) == ((count,), np.int32)
        assert set(labels.tolist()) == set(range(10))
        assert (images.max((1, 2, 3)) == 255).all()
        assert (images.min((1, 2, 3)) == 0).all()


def test_digits_are_split_in_equal_proportion(dataset):
    """A split by position, where writers and digits differ between the parts."""
    train, test = (np.bincount(x) for x in (dataset.train_labels, dataset.test_labels))
    np.testing.assert_allclose(test / (train + test), 357 / 1797, atol=0.005)


def test_no_image_is_both_learned_and_tested(dataset):
    """Test images among the training images: an accuracy that flatters."""
    train, test = ({image.tobytes() for image in x} for x in (dataset.train_images,
                                                               dataset.test_images))  # fmt: skip
    assert len(train) + len(test) == 1797
    assert not train & test


def test_digits_are_those_of_scikit_learn(dataset):
    """Labels out of step with images: each image, made small again, is one of scikit-learn's."""
    from sklearn.datasets import load_digits

    originals = load_digits()
    flat = originals.data / np.linalg.norm(originals.data, axis=1, keepdims=True)
    right = 0
    for image, label in zip(
        dataset.test_images[..., 0], dataset.test_labels, strict=True
    ):
        rows, columns = np.nonzero(image)
        tight = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        height = 8
        width = max(1, round(8 * tight.shape[1] / tight.shape[0]))
        small = ndimage.zoom(
            tight.astype(float), (height / len(tight), width / tight.shape[1])
        )
        square = np.zeros((8, 8))
        start = max(0, (8 - small.shape[1]) // 2)
        square[:, start : start + small.shape[1]] = small[:8, :8]
        right += originals.target[(flat @ square.ravel()).argmax()] == label
    assert right / len(dataset.test_labels) > 0.9


def test_digits_fit_the_box_of_mnist(dataset):
    """Digits that fill 28 × 28, or sit in a corner."""
    for image in dataset.train_images[..., 0]:
        rows, columns = np.nonzero(image)
        # Fit to 20 pixels; a faint first row may round to black.
        assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        center = ndimage.center_of_mass(image)
        assert max(abs(place - 13.5) for place in center) <= 1


def test_digits_are_always_the_same(dataset):
    """A split drawn anew each time."""
    arrays = embedded_digits()
    assert same(dataset, Dataset("digits", **arrays))


def test_wrong_shapes_are_no_dataset(dataset):
    """Images and labels of different number."""
    with pytest.raises(TypeCheckError):
        Dataset("digits", dataset.train_images, dataset.test_labels, dataset.test_images,
                dataset.test_labels)  # fmt: skip


def test_vectors_are_rows_from_0_to_1(dataset):
    """Columns for rows, or a scale of 256."""
    vectors = as_vectors(dataset.test_images)
    assert (vectors.shape, vectors.dtype) == ((357, 784), np.float32)
    assert (vectors.min(), vectors.max()) == (0, 1)
    assert vectors[5, 28 * 13 + 14] == np.float32(
        dataset.test_images[5, 13, 14, 0] / 255
    )


# The door


def test_loading_says_in_one_line_what_it_found(capsys):
    """Silence, or the chatter of libraries."""
    load("digits")
    captured = capsys.readouterr()
    assert captured.out == "Data: digits, 1,440 images for training, 357 for testing\n"
    assert captured.err == ""


def test_loading_what_is_kept_is_quick_and_without_tensorflow(python, tmp_path, fresh):
    """Seconds of TensorFlow in every chapter."""
    for _ in range(2):
        result = python(
            "-c",
            "import sys, time; from mnist_code import data; start = time.perf_counter()\n"
            "data.load('digits'); seconds = time.perf_counter() - start\n"
            "print('tensorflow' in sys.modules, 'sklearn' in sys.modules, seconds)",
        )
        assert result.stderr == ""
    tensorflow, sklearn, seconds = result.stdout.split("\n")[1].split()
    assert (tensorflow, sklearn) == ("False", "False")
    assert float(seconds) < 1


@pytest.mark.parametrize("name", ["", "MNIST", "fashion_mnist"])
def test_an_unknown_name_is_refused(name, fresh, monkeypatch):
    """A misspelled name that means the default."""
    if name:
        for door in (load, prepare):
            with pytest.raises(ValueError, match="must be one of auto, mnist, digits"):
                door(name)
    monkeypatch.setenv("MNIST_CODE_DATASET", name or "digit")
    with pytest.raises(ValueError, match="must be one of auto, mnist, digits"):
        load()


def test_the_environment_chooses_and_the_argument_wins(fresh, monkeypatch):
    """MNIST_CODE_DATASET ignored, or stronger than what the code says."""
    monkeypatch.setenv("MNIST_CODE_DATASET", "digits")
    assert load().name == "digits"
    monkeypatch.setenv("MNIST_CODE_DATASET", "mnist")
    assert load("digits").name == "digits"
    with pytest.raises(DataError):
        load()


def test_without_a_network_auto_means_the_digits(fresh, capsys):
    """An error where an answer is embedded, or a silent replacement."""
    assert load("auto").name == "digits"
    assert (
        "(embedded: MNIST is not prepared here and its host cannot"
        in capsys.readouterr().out
    )
    with pytest.raises(
        DataError, match=r"MNIST_CODE_ARCHIVES.*MNIST_CODE_DATASET=digits"
    ):
        load("mnist")
    assert not (fresh / "mnist").exists()


def test_a_corrupt_copy_of_mnist_does_not_count_as_mnist(fresh):
    """An error where, without a network, the embedded digits would do."""
    kept = fresh / "mnist_code" / f"mnist-{VERSIONS['mnist']}.npz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"the beginning of a copy")
    assert load("auto").name == "digits"


def test_a_folder_that_cannot_be_written_is_told(fresh, monkeypatch, dataset):
    """A traceback of pathlib's or of the lock's; arrays refused that need no disk."""
    fresh.write_text("a file, where a folder should be")
    monkeypatch.setenv("MNIST_CODE_ARCHIVES", str(fresh))
    for place in (fresh, fresh / "below"):
        monkeypatch.setenv("TFDS_DATA_DIR", str(place))
        assert same(load("digits"), dataset)
        for name, door in (("digits", prepare), ("mnist", prepare), ("mnist", load)):
            with pytest.raises(
                FileError, match=r"Cannot write to .*data.*Set TFDS_DATA_DIR"
            ):
                door(name)


READ_ONLY = """if True:
    import sys
    from mnist_code import data
    loaded = data.load(sys.argv[1])
    assert data.prepare(sys.argv[1]) == loaded.name
    images, labels = next(iter(data.pipeline(loaded.name, "train", 4)))
    print(loaded.train_images.shape, images.shape)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="these permissions are Unix's")
def test_a_shared_folder_that_is_read_only_will_do(fresh):
    """A lab's prepared data refused, because no lock file can be created beside them."""
    command = [sys.executable, "-c", READ_ONLY, "digits"]
    if os.geteuid() == 0:  # root may write everywhere, unless it gives that right up
        if not shutil.which("setpriv"):
            pytest.skip("as root, this test needs the command setpriv")
        command = ["setpriv", "--bounding-set", "-dac_override", *command]
    load("digits")
    prepare("digits")
    everything = [fresh, *fresh.rglob("*")]
    try:
        for keep in (True, False):
            if not keep:  # prepared by TensorFlow Datasets, and never loaded by us
                shutil.rmtree(fresh / "mnist_code")
            for path in filter(Path.exists, everything):
                path.chmod(0o555 if path.is_dir() else 0o444)
            result = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd=fresh.parent
            )
            assert result.returncode == 0, result.stderr
            assert result.stdout.endswith("(1440, 28, 28, 1) (4, 28, 28, 1)\n")
            for path in filter(Path.exists, everything):
                path.chmod(0o755)
    finally:
        for path in filter(Path.exists, everything):
            path.chmod(0o755)


# What is kept


def test_what_is_kept_is_read_not_made_again(fresh, monkeypatch):
    """A file that is written and never used."""
    first = load("digits")
    monkeypatch.setattr(
        data._load, "embedded_digits", lambda: pytest.fail("made again")
    )
    assert same(first, load("digits"))


def damaged(content, kind):
    if kind == "empty":
        return b""
    if kind == "truncated":
        return content[: len(content) // 2]
    if kind == "short by a byte":
        return content[:-1]
    if kind == "text":
        return b"not arrays"
    if kind == "npy":
        return b"\x93NUMPY\x01\x00"
    flipped = bytearray(content)
    place = {
        "a pixel": len(content) // 3,
        # In the header of an array: fewer images, in a file that is whole for zip.
        "the shape": content.index(b"(1440, 28") + 2,
        # In the directory at the end: an unknown compression, a file that wants a password.
        "the compression": content.rindex(b"PK\x01\x02") + 10,
        "the flags": content.rindex(b"PK\x01\x02") + 8,
    }[kind]
    flipped[place] ^= {"the flags": 1}.get(kind, 4)
    return bytes(flipped)


KINDS = [
    "empty", "truncated", "short by a byte", "text", "npy", "a pixel", "the shape",
    "the compression", "the flags",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_made_anew(kind, dataset, fresh):
    """Damage that is believed, or that stops the program for good."""
    load("digits")
    (kept,) = fresh.glob("mnist_code/*.npz")
    kept.write_bytes(damaged(kept.read_bytes(), kind))
    assert same(load("digits"), dataset)
    with np.load(kept) as file:
        assert {name: len(file[name]) for name in file.files} == {
            "train_images": 1440, "train_labels": 1440, "test_images": 357, "test_labels": 357,
        }  # fmt: skip


def prepare_twice_at_once(name, environment):
    """Prepare and load in two processes that start together; both must say the same."""
    program = (
        f"from mnist_code import data; data.prepare({name!r}); data.load({name!r})"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[0] == outputs[1]
    assert outputs[0][1] == ""
    return outputs[0][0].splitlines()


def test_processes_that_prepare_at_once_all_succeed(fresh):
    """Two processes that write the same file, or clear away each other's."""
    said = prepare_twice_at_once("digits", None)
    assert said == 2 * ["Data: digits, 1,440 images for training, 357 for testing"]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.1, 0.4, 1.0])
def test_a_killed_preparation_is_done_again(seconds, fresh, dataset, python):
    """Half a data set that a later load takes for whole."""
    program = "from mnist_code import data; import mnist_code.data._prepare as p; p.import_tfds()\n"
    program += "print('now', flush=True); data.prepare('digits'); data.load('digits')"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"now\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    result = python("-c", "from mnist_code import data; data.prepare('digits')")
    assert (result.returncode, result.stderr) == (0, "")
    assert same(load("digits"), dataset)
    assert same(Dataset("digits", **read_arrays("digits", fresh)), dataset)


def test_leftovers_of_a_kill_do_not_matter(fresh, dataset):
    """A folder or file of an interrupted preparation taken for a whole one."""
    (fresh / "digits" / "1.0.0.incompleteABC").mkdir(parents=True)
    (fresh / "digits" / "1.0.0.incompleteABC" / "dataset_info.json").write_text("{}")
    (fresh / "mnist" / "3.0.1.incompleteABC").mkdir(parents=True)
    (fresh / "mnist" / "3.0.1.incompleteABC" / "dataset_info.json").write_text("{}")
    (fresh / "mnist_code").mkdir()
    (fresh / "mnist_code" / ".digits-1.0.0.npz.abc.part").write_bytes(b"half")
    (fresh / "mnist_code" / ".mnist-3.0.1.npz.abc.part").write_bytes(b"half")
    (fresh / "mnist_code" / "lock").write_bytes(b"")
    assert load("auto").name == "digits"
    prepare("digits")
    assert same(load("digits"), dataset)
    assert not (fresh / "digits" / "1.0.0.incompleteABC").exists()


# TensorFlow Datasets and the pipeline


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The digits prepared for TensorFlow Datasets, in a folder of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("prepared")
        patch.setenv("TFDS_DATA_DIR", str(folder))
        prepare("digits")
        yield folder


def test_the_builder_gives_the_same_images_in_the_same_order(prepared, dataset):
    """A shuffle between the arrays and the chapters' tf.data."""
    assert same(Dataset("digits", **read_arrays("digits", prepared)), dataset)


def test_the_builder_has_the_features_of_mnist(prepared):
    """A line written for MNIST that fails for the digits."""
    tfds = import_tfds()
    ours, theirs = (
        tfds.builder("digits", data_dir=prepared).info,
        tfds.builder("mnist").info,
    )
    assert repr(ours.features) == repr(theirs.features)
    assert ours.supervised_keys == theirs.supervised_keys
    assert {name: split.num_examples for name, split in ours.splits.items()} == {
        "train": 1440, "test": 357,
    }  # fmt: skip


@pytest.mark.parametrize("batch_size", [32, 100, 357, 1000])
def test_the_pipeline_gives_the_arrays_in_order(prepared, dataset, batch_size):
    """A dropped or padded last batch, another scale, a shuffle that was not asked for."""
    batches = list(pipeline("digits", "test", batch_size))
    full, rest = divmod(357, batch_size)
    assert [len(labels) for _, labels in batches] == [batch_size] * full + [rest] * (
        rest > 0
    )
    images = np.concatenate([images for images, _ in batches])
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, dataset.test_images / 255, atol=1e-7)
    np.testing.assert_array_equal(
        np.concatenate([x for _, x in batches]), dataset.test_labels
    )


def order_of(batches, dataset):
    """The places in the data set of a pass's images, each of which is unlike all others."""
    places = {
        image.tobytes(): place for place, image in enumerate(dataset.train_images)
    }
    images = np.concatenate([images for images, _ in batches])
    return [places[image.tobytes()] for image in np.rint(images * 255).astype(np.uint8)]


def test_a_seed_decides_the_order_of_every_pass(prepared, dataset):
    """Examples met twice in a pass, the same order in each, or another one in each run."""
    passes = pipeline("digits", "train", seed=1)
    first, second = order_of(passes, dataset), order_of(passes, dataset)
    assert sorted(first) == sorted(second) == list(range(1440))
    assert first != second
    assert first != list(range(1440))
    again = pipeline("digits", "train", seed=1)
    assert [order_of(again, dataset), order_of(again, dataset)] == [first, second]
    assert order_of(pipeline("digits", "train", seed=2), dataset) != first


def test_shuffled_labels_stay_with_their_images(prepared, dataset):
    """Images and labels shuffled apart."""
    batches = list(pipeline("digits", "train", seed=1))
    order = order_of(batches, dataset)
    np.testing.assert_array_equal(
        np.concatenate([labels for _, labels in batches]), dataset.train_labels[order]
    )


def test_parts_of_a_split(prepared):
    """A validation set that overlaps with what is learned."""
    parts = [pipeline("digits", f"train{part}") for part in ("[:90%]", "[90%:]")]
    images = [np.concatenate([images for images, _ in part]) for part in parts]
    assert [len(part) for part in images] == [1296, 144]
    train, validation = ({image.tobytes() for image in part} for part in images)
    assert not train & validation


# MNIST's archives


@pytest.mark.parametrize(
    "content", [None, b"", b"garbage"], ids=["missing", "empty", "garbage"]
)
@pytest.mark.parametrize("dataset_name", ["mnist", "auto"])
def test_bad_archives_are_refused_by_name(
    content, dataset_name, fresh, tmp_path, monkeypatch
):
    """Archives believed unseen; digits in silence where MNIST's archives were named."""
    folder = tmp_path / "archives"
    folder.mkdir()
    if content is not None:
        for name in ARCHIVES:
            (folder / name).write_bytes(content)
    monkeypatch.setenv("MNIST_CODE_ARCHIVES", str(folder))
    with pytest.raises(DataError, match=r"archives/.*-ubyte\.gz"):
        load(dataset_name)
    assert leftovers(fresh) == []
    assert not (fresh / "mnist").exists()


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_one_bad_archive_is_refused_by_name(
    name, damage, archives, fresh, tmp_path, monkeypatch
):
    """A bit of damage that is found late, or never, or blamed on another file."""
    folder = tmp_path / "archives"
    folder.mkdir()
    for other in ARCHIVES:
        (folder / other).symlink_to(Path(archives).resolve() / other)
    content = bytearray((folder / name).read_bytes())
    (folder / name).unlink()
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    if damage != "missing":
        (folder / name).write_bytes(content[: -10 if damage == "truncated" else None])
    monkeypatch.setenv("MNIST_CODE_ARCHIVES", str(folder))
    with pytest.raises(DataError, match=rf"archives/{name}"):
        load("auto")
    assert leftovers(fresh) == []
    assert not (fresh / "mnist").exists()


@pytest.mark.slow
def test_mnist_is_prepared_from_its_archives(archives, fresh, python):
    """Images out of step with labels; processes in each other's way; TensorFlow imported again."""
    environment = {**os.environ, "MNIST_CODE_ARCHIVES": archives}
    line = "Data: mnist, 60,000 images for training, 10,000 for testing"
    assert prepare_twice_at_once("auto", environment) == [line, line]
    program = "import sys; from mnist_code import data; data.load()\n"
    result = python("-c", program + "print('tensorflow' in sys.modules)")
    assert (result.stdout.splitlines(), result.stderr) == ([line, "False"], "")

    import gzip

    arrays = load("mnist")
    for part, name in (("train", "train"), ("test", "t10k")):
        raw = gzip.decompress(
            Path(archives, f"{name}-images-idx3-ubyte.gz").read_bytes()
        )
        images = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28, 1)
        raw = gzip.decompress(
            Path(archives, f"{name}-labels-idx1-ubyte.gz").read_bytes()
        )
        labels = np.frombuffer(raw, np.uint8, offset=8)
        ours = (getattr(arrays, f"{part}_images"), getattr(arrays, f"{part}_labels"))
        # TensorFlow Datasets keeps an order of its own: compare as multisets.
        assert sorted(
            (image.tobytes(), int(label)) for image, label in zip(*ours, strict=True)
        ) == sorted((image.tobytes(), int(label)) for image, label in zip(images, labels,
                                                                          strict=True))  # fmt: skip


@pytest.mark.slow
def test_mnist_is_downloaded_when_its_host_answers(archives, fresh, python, tmp_path):
    """A download that no machine without a network has ever tried."""
    (tmp_path / "sitecustomize.py").write_text(
        f"""
import io, pathlib, requests
def send(self, request, **options):
    response = requests.Response()
    response.status_code, response.url, response.request = 200, request.url, request
    path = pathlib.Path({archives!r}, request.url.rsplit("/", 1)[1])
    content = path.read_bytes() if path.is_file() else b""
    response.raw = io.BytesIO(content)
    response.headers["content-length"] = str(len(content))
    return response
requests.adapters.HTTPAdapter.send = send
"""
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}
    result = python("-c", LOAD.format("auto"), env=environment)
    assert (
        result.stdout == "Data: mnist, 60,000 images for training, 10,000 for testing\n"
    )
    assert result.returncode == 0


def test_a_host_that_hangs_is_given_up_soon(fresh, monkeypatch):
    """205 seconds of retries: a proxy here takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")
        start = time.perf_counter()
        assert not host_reachable()
        assert time.perf_counter() - start < 4


def test_the_host_that_is_asked_is_the_one_that_downloads_use():
    """A probe of another host than the one that TensorFlow Datasets needs."""
    assert {url.rsplit("/", 1)[0] + "/" for url in import_tfds().builder_cls(
        "mnist").url_infos} == {MNIST_URL}  # fmt: skip


def test_a_full_disk_stops_nobody_who_has_the_arrays(fresh, python, tmp_path):
    """Digits refused because they cannot be kept, or half a file that is kept."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from mnist_code import data; print(data.load('digits').train_images.shape)"
    )
    result = python("-c", program)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("(1440, 28, 28, 1)\n")
    assert leftovers(fresh) == []
    assert not list(fresh.rglob("*.part"))


def test_the_data_folder_is_that_of_tfds(monkeypatch, tmp_path):
    """A folder of our own beside the one that TensorFlow Datasets fills."""
    monkeypatch.setenv("TFDS_DATA_DIR", "~/somewhere")
    assert data.data_dir() == Path.home() / "somewhere"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert data.data_dir() == Path.home() / "tensorflow_datasets"


@pytest.fixture(autouse=True)
def no_copies(tmp_path):
    """55 MB of MNIST a test are not left for pytest to keep."""
    yield
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
