"""Many devices and many processes: the same parameters, each device its share."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import signal
import socket
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from helpers import free_port, largest_difference, without_proxy

from mnist_code import evaluation, processes
from mnist_code.cli import main
from mnist_code.config import Config
from mnist_code.data import on_device
from mnist_code.errors import ConfigError, ProcessError
from mnist_code.model import init_network_params
from mnist_code.parallel import accuracy, make_mesh, replicate
from mnist_code.recipes import recipe_epoch, start
from mnist_code.storage import load_params
from mnist_code.training import epochs

pytestmark = pytest.mark.usefixtures("own_folder")
CLASSIC = Config(epochs=2, learning_rate=0.1)
RECIPE = Config(
    epochs=2, batch_size=128, learning_rate=0.1, optimizer="nesterov", schedule="one-cycle",
    initialization="he", label_smoothing=0.1, distortion=1.0,
)  # fmt: skip


# Many devices


@pytest.fixture(scope="module", params=[CLASSIC, RECIPE], ids=["classic", "recipe"])
def alone(request, dataset):
    """A run on one device."""
    return request.param, list(epochs(dataset, request.param))


@pytest.mark.parametrize("count", [1, 3, 8])
def test_many_devices_find_the_parameters_of_one(count, alone, dataset):
    """Gradients summed instead of averaged, different batches, a part of a batch left out.

    Neither 32 nor 128 images divide evenly among 3 devices.
    """
    config, expected = alone
    found = list(epochs(dataset, config, mesh=make_mesh(count)))
    for one, many in zip(expected, found, strict=True):
        assert largest_difference(one.state, many.state) < 1e-6  # rounding
        assert many.train_loss == pytest.approx(one.train_loss, abs=1e-5)
        assert many.train_accuracy == pytest.approx(one.train_accuracy, abs=2 / 1440)
        assert many.test_accuracy == pytest.approx(one.test_accuracy, abs=2 / 357)


def test_a_student_on_many_devices_has_the_teacher_on_each(dataset):
    """A teacher that stays on one device, or that sees another share of the batch."""
    config = dataclasses.replace(RECIPE, epochs=1, label_smoothing=0.0, temperature=2.0)
    teacher = init_network_params(jax.random.key(1), scale=0.05)
    (one,) = epochs(dataset, config, teacher=teacher)
    (many,) = epochs(dataset, config, mesh=make_mesh(3), teacher=teacher)
    assert largest_difference(one.params, many.params) < 1e-6
    assert many.train_loss == pytest.approx(one.train_loss, abs=1e-5)


def test_the_difference_is_rounding(dataset):
    """A wrong formula: float64 would not make its error smaller."""
    config = dataclasses.replace(CLASSIC, epochs=1, learning_rate=0.3)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        (one,) = epochs(dataset, config)
        others = [next(epochs(dataset, config, mesh=make_mesh(n))) for n in (3, 8)]
    assert one.params[0][0].dtype == np.float64
    for many in others:
        assert 0 < largest_difference(one.params, many.params) < 1e-11


def test_every_device_holds_all_parameters(dataset):
    """A state that stays on one device, and is sent to the others in every epoch."""
    (result, *_) = epochs(dataset, CLASSIC, mesh=make_mesh(8))
    for leaf in jax.tree.leaves(result.state):
        assert len(leaf.sharding.device_set) == 8
        assert leaf.sharding.is_fully_replicated


def compiled_epoch(dataset, config, count):
    """The text of the compiled epoch on a mesh."""
    mesh = make_mesh(count)
    images, labels, *_ = replicate(on_device(dataset), mesh)
    state, key = replicate((start(jax.random.key(0), config), jax.random.key(1)), mesh)
    lowered = recipe_epoch.lower(
        state, images, labels, key, 0.3, config=config, mesh=mesh
    )
    return lowered.compile().as_text()


@pytest.mark.parametrize("count", [3, 8])
@pytest.mark.parametrize("config", [CLASSIC, RECIPE], ids=["classic", "recipe"])
def test_one_sum_of_the_gradients_is_all_that_is_sent(config, count, dataset):
    """Images gathered from all devices in every step, or a message for each parameter."""
    text = compiled_epoch(dataset, config, count)
    assert len(re.findall(r"\ball-reduce(?:-start)?\(", text)) == 1
    for other in ("all-gather", "all-to-all", "collective-permute", "reduce-scatter"):
        assert other not in text


def test_every_device_computes_with_its_share_of_the_batch(dataset):
    """A batch that every device computes whole: the same result, and nothing gained."""
    text = compiled_epoch(dataset, CLASSIC, 8)
    assert "f32[4,784]" in text
    assert "f32[32,784]" not in text


def test_counting_is_exact_on_any_number_of_devices(dataset, trained):
    """An image counted twice or left out: 357 is 3 · 7 · 17."""
    *_, images, labels = on_device(dataset)
    expected = accuracy(trained, images, labels)
    assert expected == evaluation.accuracy(trained, images, labels)
    for count in (1, 2, 5, 8):
        mesh = make_mesh(count)
        arrays = replicate((trained, images, labels), mesh)
        assert accuracy(*arrays, mesh) == expected


def test_an_epoch_is_compiled_once(dataset):
    """Every epoch compiled again, because a number or a place is part of its type."""
    recipe_epoch.clear_cache()
    assert len(list(epochs(dataset, CLASSIC, mesh=make_mesh(4)))) == 2
    assert recipe_epoch._cache_size() == 1


# The command


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
        (["--devices=9"], "devices must be at most 8, the number here, not 9"),
        (["--processes=2"], "need a --coordinator"),
        (["--process-id=0"], "need a --coordinator"),
        (["--coordinator=localhost:1"], "needs --processes and --process-id"),
        (["--coordinator=localhost:1", "--processes=2"], "needs --processes and"),
        (
            ["--coordinator=localhost:1", "--processes=2", "--process-id=2"],
            "--process-id must be from 0 to 1, not 2",
        ),
    ],
)
def test_options_that_do_not_fit_are_told(options, message, capsys):
    """A traceback of JAX's, or a process that waits for others forever."""
    assert jax.device_count() == 8  # as conftest.py asks; from here on it stays so
    with pytest.raises(SystemExit, match="2"):
        main(["train", *options])
    assert message in capsys.readouterr().err


# Many processes


def start_two(folder, *options):
    """Two processes with two devices each; they train one model."""
    command = [
        "train", "--dataset=digits", "--devices=2", "--processes=2", *options,
        f"--coordinator=127.0.0.1:{free_port()}",
    ]  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, "-m", "mnist_code", *command, f"--process-id={number}"],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=without_proxy(),
        )
        for number in (0, 1)
    ]  # fmt: skip


@pytest.mark.slow
def test_two_processes_train_one_model_and_survive_a_kill(dataset, tmp_path):
    """Parameters that drift apart, or a process that waits for a dead one."""
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
    begun = int(re.search(r"Resuming after epoch (\d+)", out)[1]) + 1
    assert begun >= 2
    assert len(re.findall("^epoch ", out, re.MULTILINE)) == 8 - begun

    # Identical in both, and what one device finds.
    content = (tmp_path / "params.safetensors").read_bytes()
    assert other_out.splitlines()[-1].endswith(hashlib.sha256(content).hexdigest())
    *_, expected = epochs(dataset, config)
    found = load_params(tmp_path / "params.safetensors")
    assert 0 < largest_difference(found, expected.params) < 1e-4


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
        "from mnist_code import cli, processes; processes.CONNECT_SECONDS = 2\n"
        f"cli.main(['train', '--coordinator=127.0.0.1:{free_port()}', '--processes=2',"
        " '--process-id=1'])"
    )
    result = python("-c", program, timeout=60)
    assert result.returncode != 0
    assert "Process 1 of 2 is waiting for the others" in result.stdout
    assert "another task died" in result.stderr


def test_an_error_of_its_own_is_not_taken_for_a_lost_process():
    """A disk or a device that fails, blamed on another machine."""
    with (
        pytest.raises(jax.errors.JaxRuntimeError, match="mine"),
        processes.report_lost_process(),
    ):
        raise jax.errors.JaxRuntimeError("mine")


def test_the_loss_of_a_process_is_told(monkeypatch):
    """JAX's error about a connection, shown as it is."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with (
        pytest.raises(ProcessError, match=r"gone \(Connection reset\)\. Start all"),
        processes.report_lost_process(),
    ):
        raise jax.errors.JaxRuntimeError("Connection reset.\nframes")


def test_fewer_than_one_device_is_refused():
    """A CPU split into nothing."""
    with pytest.raises(ConfigError, match="devices must be 1 or more, not 0"):
        processes.split_cpu(0)
