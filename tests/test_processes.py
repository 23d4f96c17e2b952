"""Several processes: what can be missing on the machines they run on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from helpers import free_port, without_proxy

from mnist_code import processes
from mnist_code.errors import ConfigError, ProcessError


@pytest.mark.parametrize("platform", ["cuda", "gpu", "tpu", "nonsense"])
def test_a_platform_that_is_not_installed_is_told(platform, python):
    """A bare AssertionError, or a message about another platform."""
    if platform in ("gpu", "cuda") and os.path.exists("/dev/nvidia0"):
        pytest.skip("there is a GPU here")
    environment = {**os.environ, "JAX_PLATFORMS": platform}
    for command in (["train", "--dataset", "digits"], ["evaluate"]):
        result = python("-m", "mnist_code", *command, env=environment)
        assert result.returncode == 1
        assert result.stderr.startswith(f"error: JAX_PLATFORMS is {platform}, which")
        assert "Unset JAX_PLATFORMS" in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_host_without_an_address_is_told(monkeypatch, capsys):
    """Two minutes of silence, and then a crash in C++."""
    monkeypatch.setattr(processes, "CONNECT_SECONDS", 0.1)
    with pytest.raises(
        ProcessError, match=r"the host nowhere\.invalid: .*\. Give --coord"
    ):
        processes.connect("nowhere.invalid:1234", 2, 1)
    assert "Cannot find the host nowhere.invalid yet" in capsys.readouterr().err


def test_a_host_that_gets_an_address_later_is_waited_for(monkeypatch):
    """A cluster's machine that is started a second after this one."""
    answers = [socket.gaierror(-2, "Name or service not known"), None]

    def look_up(*_):
        if answer := answers.pop(0):
            raise answer

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    processes._wait_for_name("late")
    assert answers == []


@pytest.mark.slow
def test_a_machine_that_does_not_know_its_own_name_is_told(tmp_path):
    """A traceback that ends in Gloo's source."""
    rename = ["unshare", "--uts", "--map-root-user", "sh", "-c"]
    script = 'hostname name-without-address && exec "$@"'
    if subprocess.run([*rename, script, "-", "true"], capture_output=True).returncode:
        pytest.skip("a host cannot be renamed here")
    options = ["--dataset=digits", "--epochs=1", "--processes=2"]
    options.append(f"--coordinator=127.0.0.1:{free_port()}")
    command = [sys.executable, "-m", "mnist_code", "train", *options]
    both = [
        subprocess.Popen(
            [*rename, script, "-", *command, f"--process-id={number}"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=without_proxy(),
        )
        for number in (0, 1)
    ]  # fmt: skip
    for process in both:
        _, error = process.communicate(timeout=100)
        assert process.returncode == 1
        assert error.startswith(
            "error: This machine cannot look up its own name, name-"
        )
        assert "Traceback" not in error


def test_a_process_says_how_many_devices_it_got(monkeypatch, capsys):
    """Seven of eight GPUs left idle, and nobody told."""
    from jax.experimental import multihost_utils

    monkeypatch.setattr(multihost_utils, "process_allgather", lambda row: row[None])
    processes.report_devices()
    out, error = capsys.readouterr()
    assert out == "Process 0 of 1 has 8 of 8 devices (cpu)\n"
    assert error == ""

    monkeypatch.setattr(processes, "visible_gpus", lambda: 16)
    processes.report_devices()
    error = capsys.readouterr().err
    assert error.startswith("Only 8 of the 16 GPUs of ")
    assert "JAX_LOCAL_DEVICE_IDS" in error


def test_devices_that_a_coordinator_cannot_give_are_refused(monkeypatch):
    """`--devices 2` that is accepted and ignored: a mesh of processes takes every device."""
    monkeypatch.setattr(processes, "connect", lambda *_: None)
    monkeypatch.setattr(processes, "report_devices", lambda: None)
    with pytest.raises(ConfigError, match=r"devices must be 8, all that .*, not 2\."):
        processes.choose_mesh(2, "here:1234", 2, 0)
    assert processes.choose_mesh(8, "here:1234", 2, 0).size == 8


def test_no_processes_are_refused():
    """A range that is empty: "from 0 to -1"."""
    with pytest.raises(ConfigError, match="processes must be 1 or more, not 0"):
        processes.connect("here:1234", 0, 0)


@pytest.mark.parametrize(
    ("allowed", "count"), [("0,1,2,3", 4), ("", 0), ("GPU-8932f937", 1)]
)
def test_gpus_that_a_process_may_see_are_counted(allowed, count, monkeypatch):
    """GPUs counted that a scheduler has given to another job."""
    assert processes.visible_gpus() == 0  # on a CPU, whatever is set
    monkeypatch.setattr(processes.jax, "default_backend", lambda: "gpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert processes.visible_gpus() == count
