"""Checkpoints: a run that was killed at any instant ends with the bits of one that was not."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest
from helpers import same_bits

from mnist_code import cli
from mnist_code.checkpoint import KEEP, Checkpoints, lock
from mnist_code.cli import main
from mnist_code.config import Config
from mnist_code.errors import CheckpointError, ConfigError, FileError
from mnist_code.training import epochs

CLASSIC = Config(epochs=5, learning_rate=0.3)
RECIPE = Config(
    epochs=5, batch_size=128, learning_rate=0.1, optimizer="nesterov", schedule="one-cycle",
    distortion=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def classic(dataset):
    """What the epochs of the classic program yielded."""
    return list(epochs(dataset, CLASSIC))


@pytest.fixture(scope="module", params=[CLASSIC, RECIPE], ids=["classic", "recipe"])
def run(request, dataset):
    """A run and all that its epochs yielded."""
    return request.param, list(epochs(dataset, request.param))


def saved(folder, config, results):
    """Checkpoints of these epochs, written in turn."""
    checkpoints = Checkpoints(folder, config, "digits")
    for last in range(len(results)):
        history = [result.metrics() for result in results[: last + 1]]
        checkpoints.save(results[last], history)
    return checkpoints


def test_a_committee_stored_in_another_way_is_refused(dataset, tmp_path):
    """A traceback of Orbax's about trees."""
    config = dataclasses.replace(RECIPE, epochs=1, members=2)
    (result,) = epochs(dataset, config)
    old = type(result.state)(
        result.state.params["none"], result.state.optimizer["none"]
    )
    checkpoints = saved(tmp_path, config, [result._replace(state=old)])
    with pytest.raises(CheckpointError, match="stored this kind of run differently"):
        checkpoints.newest()


def test_a_run_that_goes_on_ends_with_the_same_bits(run, dataset, tmp_path):
    """A part of the state that is not saved, or comes back rounded."""
    config, results = run
    saved(tmp_path, config, results[:3])
    found = Checkpoints(tmp_path, config, "digits").newest()
    assert same_bits(found.state, results[2].state)
    assert found.history == [result.metrics() for result in results[:3]]
    rest = list(epochs(dataset, config, found.state, start_epoch=len(found.history)))
    assert [result.epoch for result in rest] == [3, 4]
    assert same_bits(rest[-1].state, results[-1].state)


def test_the_last_few_are_kept(run, tmp_path):
    """A disk that fills up, or nothing to fall back on."""
    config, results = run
    checkpoints = saved(tmp_path, config, results)
    assert checkpoints.epochs() == [2, 3, 4]
    assert len(checkpoints.epochs()) == KEEP
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "4"]


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
    "a bit flipped": flip_a_bit,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_newest_one_is_named_and_the_one_before_used(damage, run, tmp_path):
    """Parameters with a wrong bit, a traceback of the storage's, or a run begun anew."""
    config, results = run
    saved(tmp_path, config, results[:3])
    files = [path for path in (tmp_path / "2").rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    for path in (largest, tmp_path / "2" / "record" / "metadata"):
        content = path.read_bytes()
        damage(path)
        found = Checkpoints(tmp_path, config, "digits").newest()
        assert found.corrupt == [tmp_path / "2"]
        assert same_bits(found.state, results[1].state)
        assert len(found.history) == 2
        path.write_bytes(content)
    damage(largest)  # and the next save of that epoch replaces it
    checkpoints = Checkpoints(tmp_path, config, "digits")
    checkpoints.save(results[2], [result.metrics() for result in results[:3]])
    found = checkpoints.newest()
    assert found.corrupt == []
    assert same_bits(found.state, results[2].state)


def test_one_that_was_not_finished_does_not_count(run, tmp_path):
    """A kill between Orbax's work and ours, reported as damage."""
    config, results = run
    saved(tmp_path, config, results[:3])
    (tmp_path / "2" / "checksums.json").unlink()
    found = Checkpoints(tmp_path, config, "digits").newest()
    assert (found.corrupt, len(found.history)) == ([], 2)


def test_all_damaged_is_told(run, tmp_path):
    """A run that begins anew over an hour's work, or an IndexError."""
    config, results = run
    checkpoints = saved(tmp_path, config, results[:2])
    for epoch in "01":
        flip_a_bit(tmp_path / epoch / "record" / "metadata")
    with pytest.raises(CheckpointError, match=r"all are corrupt \(epoch 1, 0\)"):
        checkpoints.newest()


def test_nothing_to_go_on_from_is_told(tmp_path):
    """An IndexError, or a run that starts without a word."""
    with pytest.raises(CheckpointError, match=r"there is none\. Start again"):
        Checkpoints(tmp_path / "new", CLASSIC, "digits").newest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "seed is 1, but it was 0 in the run"),
        ({"batch_size": 64}, "batch_size is 64, but it was 32"),
        ({"layer_sizes": (784, 8, 10)}, "layer_sizes is"),
        ({"optimizer": "adam"}, "optimizer is adam"),
        ({"epochs": 2}, "epochs must be 3 or more"),
    ],
)
def test_another_run_is_refused(change, message, classic, tmp_path):
    """Half of one run glued to half of another."""
    saved(tmp_path, CLASSIC, classic[:3])
    config = dataclasses.replace(CLASSIC, **change)
    with pytest.raises(ConfigError, match=message):
        Checkpoints(tmp_path, config, "digits").newest()
    with pytest.raises(ConfigError, match="dataset is mnist, but it was digits"):
        Checkpoints(tmp_path, CLASSIC, "mnist").newest()


def test_a_run_may_become_longer_where_its_schedule_allows(run, tmp_path):
    """A one-cycle schedule that is stretched half-way; a plain run that cannot go on."""
    config, results = run
    saved(tmp_path, config, results)
    longer = Checkpoints(tmp_path, dataclasses.replace(config, epochs=9), "digits")
    if config.is_classic:
        assert len(longer.newest().history) == 5
    else:
        with pytest.raises(ConfigError, match="epochs is 9, but it was 5"):
            longer.newest()


def test_other_random_keys_are_refused(run, tmp_path):
    """A run that goes on with shuffles that it would not have had."""
    config, results = run
    checkpoints = saved(tmp_path, config, results[:1])
    with (
        jax.default_prng_impl("rbg"),
        pytest.raises(CheckpointError, match="generates keys differently"),
    ):
        checkpoints.newest()


def test_a_place_that_cannot_be_written_is_told(run, tmp_path):
    """A traceback; a place below a file cannot be written even by root."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Cannot write checkpoints in"):
        Checkpoints(tmp_path / "file" / "below", run[0], "digits")


def test_a_full_disk_keeps_the_last_whole_one(python, tmp_path):
    """A traceback of the storage's, or a checkpoint that ends where the disk did."""
    command = "'train', '--dataset', 'digits', '--learning-rate', '0.3', '--resume', '--epochs'"
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    program = (
        f"import resource; from mnist_code.cli import main; main([{command}, '1'])\n"
        f"{limit}; print(main([{command}, '2']))"
    )
    result = python("-c", program)
    assert result.stdout.endswith("\n1\n")
    error = result.stderr.splitlines()
    assert len(error) == 1
    assert error[0].startswith("error: Cannot write ")
    assert [path.name for path in (tmp_path / "checkpoints").glob("[!.]*")] == ["0"]


# The command


@pytest.fixture
def train(tmp_path, monkeypatch, capsys):
    """`train`, in a folder of its own; returns status, output and error."""
    monkeypatch.chdir(tmp_path)

    def run(*options):
        command = ["train", "--dataset", "digits", "--learning-rate", "0.3", *options]
        try:
            status = main(command)
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_the_command_goes_on_and_forgets_nothing(train, tmp_path):
    """Metrics of the first part lost, or parameters of another epoch than the checkpoint's."""
    assert train("--epochs=4", "--out=whole", "--metrics=whole.json")[0] == 0
    options = ["--metrics=metrics", "--resume"]
    assert train("--epochs=2", *options)[0] == 0
    (tmp_path / "params.safetensors").unlink()  # as if killed before it was written
    status, out, error = train("--epochs=4", *options)
    assert (status, error) == (0, "")
    assert "Resuming after epoch 1\nepoch  2 " in out
    whole, parts = (
        [
            json.loads(line)["test_accuracy"]
            for line in (tmp_path / name).read_text().splitlines()
        ]
        for name in ("whole.json", "metrics")
    )
    assert whole == parts
    files = [tmp_path / name for name in ("whole", "params.safetensors")]
    assert files[0].read_bytes() == files[1].read_bytes()
    # All is done: to say it again changes nothing.
    status, out, error = train("--epochs=4", *options)
    assert (status, error) == (0, "")
    assert "Resuming after epoch 3\n" in out
    assert "loss" not in out  # no epoch was run
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_command_names_a_damaged_checkpoint(train, tmp_path):
    """A silent step back."""
    assert train("--epochs=3", "--checkpoints=kept")[0] == 0
    whole = (tmp_path / "params.safetensors").read_bytes()
    flip_a_bit(tmp_path / "kept" / "2" / "record" / "metadata")
    status, out, error = train("--epochs=3", "--checkpoints=kept", "--resume")
    assert status == 0
    assert error == f"{tmp_path / 'kept' / '2'} is corrupt and was skipped.\n"
    assert "Resuming after epoch 1" in out
    assert (tmp_path / "params.safetensors").read_bytes() == whole


def test_the_command_does_not_mix_runs(train, tmp_path):
    """Checkpoints of an hour ago, overwritten by a run that forgot --resume."""
    assert train("--epochs=1", "--checkpoints=kept")[0] == 0
    status, _, error = train("--epochs=2", "--checkpoints=kept")
    assert status == 2
    assert "kept already holds some; add --resume" in error


def test_resuming_without_checkpoints_replaces_nothing(train, tmp_path):
    """The parameters of an hour ago, replaced by those of a run that starts over."""
    assert train("--epochs=2")[0] == 0
    before = (tmp_path / "params.safetensors").read_bytes()
    status, out, error = train("--epochs=1", "--resume")
    assert status == 2
    assert "there are no checkpoints in checkpoints to resume from" in error
    assert "params.safetensors would be replaced" in error
    assert "epoch  0" not in out
    assert (tmp_path / "params.safetensors").read_bytes() == before
    status, out, _ = train("--epochs=1", "--resume", "--out=other")
    assert status == 0
    assert "No checkpoints in checkpoints yet: starting with epoch 0" in out


def test_a_run_killed_before_its_first_checkpoint_was_whole_can_start_again(train):
    """A folder from which nothing can be resumed, and in which nothing can be started."""
    assert train("--epochs=1", "--checkpoints=kept")[0] == 0
    Path("kept/0/checksums.json").unlink()
    Path("params.safetensors").unlink()
    status, out, error = train("--epochs=1", "--checkpoints=kept", "--resume")
    assert (status, error) == (0, "")
    assert "starting with epoch 0" in out
    assert Path("kept/0/checksums.json").exists()


def test_ctrl_c_names_the_way_to_resume(train, monkeypatch):
    """Someone who stops a run and does not learn how to continue it."""

    def interrupted(*arguments):
        yield next(epochs(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "epochs", interrupted)
    status, _, error = train("--checkpoints=kept")
    assert status == 130
    assert "The same command with --resume continues from there." in error
    status, _, error = train()
    assert status == 130
    assert "start it with --checkpoints FOLDER" in error


def test_two_runs_do_not_share_a_folder(train, python):
    """Two runs that delete each other's half-written checkpoints."""
    with lock("kept"):
        result = python(
            "-m", "mnist_code", "train", "--dataset=digits", "--checkpoints=kept"
        )
        assert result.returncode == 1
        assert result.stderr == (
            f"error: The checkpoints in kept are in use: process {os.getpid()} on "
            f"{socket.gethostname()} is training with them. Wait until it ends, or name "
            "another folder.\n"
        )
    assert train("--epochs=1", "--checkpoints=kept")[0] == 0  # it is free again


# Killed

# The imports are paid once: each attempt is a fork of a process that has them, and has not
# computed yet.
ZYGOTE = """
import os, sys, warnings
warnings.simplefilter("ignore")
import jax, orbax.checkpoint
from mnist_code import cli
for line in sys.stdin:
    if pid := os.fork():
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    else:
        log = os.open("log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.dup2(log, 1), os.dup2(log, 2)
        sys.stdout.reconfigure(line_buffering=True)
        status = cli.main(line.split())
        sys.stdout.flush()
        os._exit(status)
"""


class Zygote:
    """Starts `train` many times over, and can kill it."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        # A quick compilation; the same for all, so that bits can be compared.
        flags = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
        self.process = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "XLA_FLAGS": flags},
        )  # fmt: skip

    def start(self, options):
        """The number of the new process."""
        command = f"train --dataset digits --checkpoints kept --resume {options}\n"
        self.process.stdin.write(command)
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def status(self):
        """The exit status of the last process, when it has ended."""
        return int(self.process.stdout.readline())

    def is_writing(self):
        """Whether a checkpoint is being written, or was when the process was killed."""
        kept = self.folder / "kept"
        return kept.exists() and any("tmp" in path.name for path in kept.iterdir())

    def wait_until(self, writing):
        """Wait until it writes, or does not."""
        end = time.monotonic() + 30
        while self.is_writing() != writing:
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.001)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def killed_again_and_again(folder, options, kills, chance):
    """Kill a run at random moments, and let it end; how many kills met a half-written one."""
    zygote = Zygote(folder)
    while_writing = 0
    for kill in range(kills):
        pid = zygote.start(options)
        if kill % 4 == 0:  # while it starts
            time.sleep(chance.uniform(0, 2))
        else:  # while it writes its first, second or third checkpoint, or trains after that
            for _ in range(chance.randint(1, 3)):
                zygote.wait_until(False)  # one may be left of the last kill
                zygote.wait_until(True)
            time.sleep(chance.uniform(0, 0.15 if kill % 4 == 3 else 0.02))
        os.kill(pid, signal.SIGKILL)
        status = zygote.status()
        assert status == -signal.SIGKILL, (folder / "log").read_text()
        while_writing += zygote.is_writing()
    zygote.start(options)
    status = zygote.status()
    zygote.close()
    assert status == 0, (folder / "log").read_text()
    return while_writing


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_bits(tmp_path, nightly):
    """An instant at which a kill loses an epoch, repeats one, or leaves what cannot be read."""
    kills = 10 if nightly else 4  # of each of two runs
    chance = random.Random(0)
    runs = {
        "classic": "--epochs 16 --learning-rate 0.3",
        "recipe": "--epochs 16 --batch-size 128 --learning-rate 0.01 --optimizer adam",
    }
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        killed = {
            name: pool.submit(
                killed_again_and_again, tmp_path / name, options, kills, chance
            )
            for name, options in runs.items()
        }
        while_writing = [future.result() for future in killed.values()]
    assert sum(while_writing) >= 2 * kills // 5
    for name, options in runs.items():
        zygote = Zygote(tmp_path / f"{name} whole")
        zygote.start(options)
        assert zygote.status() == 0
        zygote.close()
        files = [
            (folder / "params.safetensors").read_bytes()
            for folder in (tmp_path / name, tmp_path / f"{name} whole")
        ]
        assert files[0] == files[1]
        log = (tmp_path / name / "log").read_text()
        assert "corrupt" not in log
        assert len(set(re.findall("Resuming after epoch .*", log))) >= kills // 3


def test_an_object_store_is_not_taken_for_a_folder(tmp_path, monkeypatch, capsys):
    """Checkpoints in a local folder called gs:, lost with the machine."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--checkpoints", "gs://bucket/run"])
    assert "gs://bucket/run is an address" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="gs://bucket/run is an address"):
        Checkpoints("gs://bucket/run", CLASSIC, "digits")
    assert not [*tmp_path.iterdir()]
