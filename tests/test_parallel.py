"""Many devices and many processes: the same parameters, each device its share."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_code import processes
from mnist_code.cli import main
from mnist_code.config import Config
from mnist_code.errors import ProcessError, ConfigError
from mnist_code.parallel import ManyDevices, make_mesh, padded_batches
from mnist_code.recipes import State, recipe_loss, start
from mnist_code.storage import load_params
from mnist_code.learning import loss
from mnist_code.training import OneDevice, epochs

CLASSIC = Config(epochs=2, learning_rate=0.3)
RECIPE = Config(
    epochs=2, batch_size=128, learning_rate=0.1, optimizer="nesterov", schedule="one-cycle",
    initialization="he", averaging=0.9, smoothing=0.1, distortion=1.0,
)  # fmt: skip


def largest_difference(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in pairs)


def on(count):
    return partial(ManyDevices, mesh=make_mesh(count))


# Many devices


@pytest.fixture(scope="module", params=[CLASSIC, RECIPE], ids=["classic", "recipe"])
def alone(request, dataset):
    """A run on one device."""
    return request.param, list(epochs(dataset, request.param))


@pytest.mark.parametrize("count", [1, 3, 8])
def test_many_devices_find_the_parameters_of_one(count, alone, dataset):
    """Gradients summed where a mean was meant, other batches, padding that is learned from.

    A batch of 32, or of 128, does not divide among 3.
    """
    config, expected = alone
    found = list(epochs(dataset, config, on=on(count)))
    for one, many in zip(expected, found, strict=True):
        assert largest_difference(one.state, many.state) < 2e-6  # rounding
        assert many.train_loss == pytest.approx(one.train_loss, abs=1e-5)
        assert many.train_accuracy == pytest.approx(one.train_accuracy, abs=2 / 1440)
        assert many.test_accuracy == pytest.approx(one.test_accuracy, abs=2 / 357)


def test_the_difference_is_rounding(dataset):
    """A difference that float64 does not make smaller is a wrong formula."""
    config = dataclasses.replace(CLASSIC, epochs=1)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        one, eight = (next(iter(epochs(dataset, config, on=on(n)))) for n in (1, 8))
        (plain,) = epochs(dataset, config)
    assert one.params[0][0].dtype == np.float64
    assert 0 < largest_difference(one.params, eight.params) < 1e-13
    assert largest_difference(plain.params, eight.params) < 1e-13


def test_devices_hold_their_share_and_the_parameters_all(dataset):
    """A batch copied to every device: the same result, and nothing gained."""
    device = on(8)(dataset, CLASSIC)
    images, labels = device.train
    assert {part.data.shape for part in images.addressable_shards} == {(180, 784)}
    assert {part.data.shape for part in labels.addressable_shards} == {(180,)}
    (result, *_) = epochs(dataset, CLASSIC, on=on(8))
    for leaf in jax.tree.leaves(result.state):
        assert len(leaf.sharding.device_set) == 8
        assert leaf.sharding.is_fully_replicated


def test_only_gradients_are_sent(dataset):
    """Images gathered from all devices in every step, where sums of gradients suffice."""
    device = on(8)(dataset, CLASSIC)
    state = device.place(start(jax.random.key(0), CLASSIC))
    spec = [
        jax.ShapeDtypeStruct((45, 32, 784), np.float32, sharding=device.cut_batches),
        jax.ShapeDtypeStruct((45, 32), np.int32, sharding=device.cut_batches),
        jax.ShapeDtypeStruct((32,), np.float32, sharding=device.cut),
        np.zeros(2, np.uint32),
        np.float32(0.3),
    ]
    text = device.compiled.lower(state, *spec).compile().as_text()
    assert "all-reduce" in text
    for other in ("all-gather", "all-to-all", "collective-permute"):
        assert other not in text


def test_counting_is_exact_on_any_number_of_devices(dataset, trained):
    """Padding that counts as right, or an image that is left out: 357 is 3 · 7 · 17."""
    one = OneDevice(dataset, CLASSIC)
    expected = one.train_accuracy(trained), one.test_accuracy(trained)
    for count in (1, 2, 5, 8):
        device = on(count)(dataset, CLASSIC)
        params = device.place(State(trained)).params
        found = device.train_accuracy(params), device.test_accuracy(params)
        assert found == expected


@given(st.integers(1, 70), st.integers(1, 40), st.integers(1, 9))
def test_padded_batches_hold_every_image_once(images, size, devices):
    """An image lost or met twice; weights whose mean is not one over the real places."""
    if size > images:
        return
    order = np.random.default_rng(0).permutation(images)
    rows, weights = padded_batches(order, size, devices)
    assert rows.shape[1] % devices == 0
    assert rows.shape[1] - size < devices
    real = weights > 0
    assert rows[:, real].ravel().tolist() == order[: images // size * size].tolist()
    assert weights.mean() == pytest.approx(1)
    assert weights[real].tolist() == [weights[0]] * size


@pytest.mark.parametrize("which", ["classic", "recipe"])
def test_padding_is_no_lesson(which, train, trained):
    """A loss of the padded batch, or a gradient, that is not the real one's."""
    images, labels = train[0][:30], train[1][:30]
    rows, weights = padded_batches(np.arange(30), 30, 8)
    padded, padded_labels = images[rows[0]], labels[rows[0]]
    weights = jnp.asarray(weights)
    if which == "classic":
        hot = partial(jax.nn.one_hot, num_classes=10)
        expected = jax.value_and_grad(loss)(trained, images, hot(labels))
        targets = hot(padded_labels) * weights[:, None]
        found = jax.value_and_grad(loss)(trained, padded, targets)
    else:
        expected = jax.value_and_grad(recipe_loss)(trained, images, labels, 0.1)
        found = jax.value_and_grad(recipe_loss)(
            trained, padded, padded_labels, 0.1, weights
        )
    assert largest_difference(expected, found) < 1e-6


def test_an_epoch_is_compiled_once(dataset):
    """Every epoch compiled anew, since a number or a place is part of its type."""
    devices = []

    def place(*arguments):
        devices.append(on(4)(*arguments))
        return devices[0]

    assert len(list(epochs(dataset, CLASSIC, on=place))) == 2
    assert devices[0].compiled._cache_size() == 1
    assert devices[0].count_right._cache_size() == 2  # training and test images


# The command


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_CODE_DATASET", "digits")


def test_the_command_trains_on_many_devices(capsys, tmp_path):
    """An option that is not passed on."""
    options = ["train", "--epochs=2", "--learning-rate=0.3", "--out"]
    assert main([*options, "one"]) == 0
    one = capsys.readouterr().out
    assert main([*options, "eight", "--devices=8"]) == 0
    eight = capsys.readouterr().out
    assert 0 < largest_difference(load_params("one"), load_params("eight")) < 1e-4
    accuracies = [re.findall(r"test +(\S+)", text) for text in (one, eight)]
    assert accuracies[0] == accuracies[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--devices=0"], "devices must be 1 or more, not 0"),
        (["--devices=9"], "devices must be at most the 8 here, not 9"),
        (["--processes=2"], "need a coordinator"),
        (["--process-id=0"], "need a coordinator"),
        (["--coordinator=localhost:1"], "needs processes and process_id"),
        (["--coordinator=localhost:1", "--processes=2"], "needs processes and"),
        (
            ["--coordinator=localhost:1", "--processes=2", "--process-id=2"],
            "process_id must be from 0 to 1, not 2",
        ),
    ],
)
def test_options_that_do_not_fit_are_told(options, message, capsys):
    """A traceback of JAX's, or a process that waits for others for ever."""
    assert jax.device_count() == 8  # as conftest.py asks; from here on it stays so
    with pytest.raises(SystemExit, match="2"):
        main(["train", *options])
    assert message in capsys.readouterr().err


# Many processes

# The command, in a process that notes which images it reads.
NOTING = """
import dataclasses, json, sys
import numpy as np
from mnist_code import cli, data

class Noted(np.ndarray):
    def __getitem__(self, index):
        if isinstance(index, np.ndarray) and index.ndim == 2:
            read.append(np.asarray(index).ravel().tolist())
        return super().__getitem__(index)

def load(name, load=data.load):
    dataset = load(name)
    return dataclasses.replace(dataset, train_images=dataset.train_images.view(Noted))

read = []
data.load = load
status = cli.main(sys.argv[2:])
json.dump(read, open(sys.argv[1], "w"))
sys.exit(status)
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def start_two(folder, *options):
    """Two processes with two devices each; they train one model."""
    command = [
        "train", "--dataset=digits", "--devices=2", "--processes=2", *options,
        f"--coordinator=127.0.0.1:{free_port()}",
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    return [
        subprocess.Popen(
            [sys.executable, "-c", NOTING, f"read{number}", *command, f"--process-id={number}"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment,
        )
        for number in (0, 1)
    ]  # fmt: skip


@pytest.mark.slow
def test_two_processes_train_one_model_and_survive_a_kill(dataset, tmp_path):
    """Parameters that drift apart, data read twice, a process that waits for a dead one."""
    config = Config(epochs=8, batch_size=128, learning_rate=0.1, optimizer="nesterov")
    options = ["--epochs=8", "--batch-size=128", "--learning-rate=0.1",
               "--optimizer=nesterov", "--resume"]  # fmt: skip

    first, second = start_two(tmp_path, *options)
    kept = tmp_path / "checkpoints"
    limit = time.monotonic() + 60
    while not (kept / "1" / "checksums.json").exists() and time.monotonic() < limit:
        time.sleep(0.01)
    second.send_signal(signal.SIGKILL)
    out, error = first.communicate(timeout=60)  # the end, within bounds
    second.communicate()
    # Ours if a message could not be sent, JAX's if the other was silent for too long.
    assert first.returncode in (1, -signal.SIGABRT), out + error
    assert re.search("error: Another process is gone|another task died", error)
    assert "Traceback" not in error

    both = start_two(tmp_path, *options)
    (out, error), (other_out, other_error) = (p.communicate(timeout=120) for p in both)
    assert [p.returncode for p in both] == [0, 0], error + other_error
    begun = int(re.search(r"Going on after epoch (\d+)", out)[1]) + 1
    assert begun >= 2
    assert len(re.findall("^epoch ", out, re.MULTILINE)) == 8 - begun

    # Identical in both, and what one device finds.
    content = (tmp_path / "params.safetensors").read_bytes()
    assert other_out.splitlines()[-1].endswith(hashlib.sha256(content).hexdigest())
    *_, expected = epochs(dataset, config)
    found = load_params(tmp_path / "params.safetensors")
    assert 0 < largest_difference(found, expected.params) < 1e-4

    # Each has read its half of every epoch's images, and nothing else.
    halves = [json.loads((tmp_path / f"read{number}").read_text()) for number in (0, 1)]
    count = 1440 // 128 * 128
    assert [len(half) for half in halves] == [2 * (8 - begun)] * 2  # two devices each
    for epoch in range(8 - begun):
        shares = [
            {row for part in half[2 * epoch : 2 * epoch + 2] for row in part}
            for half in halves
        ]
        assert [len(share) for share in shares] == [count / 2] * 2
        assert not shares[0] & shares[1]


def test_processes_that_cannot_meet_are_told(python):
    """A traceback of JAX's, or five minutes of silence."""
    program = (
        "import sys; from mnist_code.cli import main\n"
        "try: main(['train', '--processes=2', '--process-id=0', *sys.argv[1:]])\n"
        "except SystemExit: pass"
    )
    with socket.create_server(("0.0.0.0", 0)) as server:
        for coordinator, message in {
            "localhost": "coordinator must be HOST:PORT, or auto",
            "auto": "coordinator must be HOST:PORT, or auto",
            f"127.0.0.1:{server.getsockname()[1]}": "did not find each other",
        }.items():
            result = python("-c", program, f"--coordinator={coordinator}")
            # A line of JAX's own, from C++, may come before it or after.
            assert message in result.stderr
            assert "Traceback" not in result.stderr


def test_a_process_that_stays_alone_ends(python):
    """Five minutes of silence where the others never come; JAX itself ends the process."""
    program = (
        "from mnist_code import cli, processes; processes.JOIN_SECONDS = 2\n"
        f"cli.main(['train', '--coordinator=127.0.0.1:{free_port()}', '--processes=2',"
        " '--process-id=1'])"
    )
    result = python("-c", program, timeout=60)
    assert result.returncode != 0
    assert "Process 1 of 2 waits for the others" in result.stdout
    assert "another task died" in result.stderr


def test_an_error_of_its_own_is_not_taken_for_a_lost_process():
    """A disk or a device that fails, blamed on another machine."""
    with (
        pytest.raises(jax.errors.JaxRuntimeError, match="mine"),
        processes.lost_processes_told(),
    ):
        raise jax.errors.JaxRuntimeError("mine")
    assert issubclass(ProcessError, Exception)
    with pytest.raises(ConfigError):
        processes.divide_cpu(0)
