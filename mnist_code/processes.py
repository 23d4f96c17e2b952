"""Several processes that train one model, on one machine or many: start-up, agreement, shutdown.

Each process runs the same program on its own devices. `jax.distributed` makes all devices visible
to every process. Only process 0 reads checkpoints and writes files.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mnist_code.config import Config
from mnist_code.errors import ConfigError, DeviceError, ProcessError, reason
from mnist_code.parallel import AXIS, make_mesh
from mnist_code.quiet import suppress_output
from mnist_code.recipes import State, start

LOST_SECONDS = 20  # a process that has been silent for this long counts as lost
CONNECT_SECONDS = 120  # for all processes to start


def choose_mesh(
    devices: int | None = None,
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
) -> Mesh | None:
    """The mesh to train on, from the options of the command line. Call it before JAX computes.

    Args:
        devices: how many devices this process uses, into which a CPU is divided; by default one.
            With a coordinator, it is always all that JAX gives this process. Under Slurm and Open
            MPI that is one GPU, so start one task per GPU, or list them in JAX_LOCAL_DEVICE_IDS.
        coordinator: the address of process 0, as for `connect`.
        processes: as for `connect`.
        process_id: as for `connect`.

    Returns:
        What `training.epochs` takes: a mesh, or None for a single device.

    Raises:
        ConfigError: there are fewer devices, or the options do not fit together.
        ProcessError: as for `connect`.
        DeviceError: JAX cannot use the devices that it was told to use.
    """
    if devices is not None:
        split_cpu(devices)
    if coordinator is not None:
        connect(coordinator, processes, process_id)
    elif processes is not None or process_id is not None:
        raise ConfigError("--processes and --process-id need a --coordinator")
    check_backend()
    if coordinator is not None:
        report_devices()
    if devices is None and coordinator is None:
        found = jax.local_device_count()
        if found > 1 and jax.default_backend() != "cpu":
            print(
                f"1 of {found} devices is used; --devices {found} uses all of them.",
                file=sys.stderr,
            )
        return None
    if devices is not None and (found := jax.local_device_count()) < devices:
        raise ConfigError(
            f"devices must be at most {found}, the number here, not {devices}"
        )
    if coordinator is not None and devices not in (None, jax.local_device_count()):
        raise ConfigError(
            f"devices must be {jax.local_device_count()}, all that this process has, when there "
            f"is a coordinator, not {devices}. To use fewer, list them in JAX_LOCAL_DEVICE_IDS"
        )
    cores = os.cpu_count() or 1
    if devices is not None and devices > cores and jax.default_backend() == "cpu":
        print(
            f"{devices} devices share the {cores} cores of this machine; with fewer, training "
            "is faster.",
            file=sys.stderr,
        )
    return make_mesh(None if coordinator is not None else devices)


def split_cpu(count: int) -> None:
    """Make the CPU appear as `count` devices. Has no effect once JAX has computed something.

    Raises:
        ConfigError: `count` is below 1.
    """
    if count < 1:
        raise ConfigError(f"devices must be 1 or more, not {count}")
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", count)


def check_backend() -> None:
    """Let JAX start, and say what to do if it cannot.

    Raises:
        DeviceError: JAX_PLATFORMS names devices that JAX cannot use here.
        ProcessError: this machine's host name cannot be resolved, and several processes need it.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        # Gloo looks up the name at which the others will find this process
        if "gloo" in str(error):
            raise ProcessError(
                f"This machine cannot look up its own name, {socket.gethostname()}, at which "
                "the other processes would find it. Add that name to /etc/hosts, or change it."
            ) from error
        if not (asked := os.environ.get("JAX_PLATFORMS")):
            raise DeviceError(
                f"JAX cannot start: {reason(error)}. To use the CPU, set JAX_PLATFORMS=cpu."
            ) from error
        raise DeviceError(
            f"JAX_PLATFORMS is {asked}, which the JAX installed here cannot use. Unset "
            "JAX_PLATFORMS to use what there is, or install JAX for that kind of device."
        ) from error


def connect(
    coordinator: str, processes: int | None = None, process_id: int | None = None
) -> None:
    """Make this process one of several that train together. Call it before JAX computes.

    Args:
        coordinator: host and port on which process 0 listens; "auto" asks the cluster (Slurm,
            Open MPI, Kubernetes, Cloud TPU), which then knows the rest, too.
        processes: how many there are.
        process_id: which of them this is, from 0.

    Raises:
        ConfigError: the options do not fit together, or no cluster is found.
        ProcessError: the others did not connect in time, the port is taken, or a host name cannot
            be resolved.
        DeviceError: JAX cannot use the devices that it was told to use.
    """
    ask_cluster = coordinator == "auto"
    if not ask_cluster:
        if processes is None or process_id is None:
            raise ConfigError(
                "--coordinator needs --processes and --process-id as well"
            )
        if processes < 1:
            raise ConfigError(f"processes must be 1 or more, not {processes}")
        if not 0 <= process_id < processes:
            raise ConfigError(
                f"process_id must be from 0 to {processes - 1}, not {process_id}"
            )
        print(
            f"Process {process_id} of {processes} is waiting for the others at {coordinator}",
            flush=True,
        )
    try:
        if not ask_cluster:
            _wait_for_name(coordinator.rpartition(":")[0].strip("[]"))
        if process_id == 0 and not ask_cluster:
            _check_port(coordinator)
        jax.distributed.initialize(
            None if ask_cluster else coordinator,
            processes,
            process_id,
            initialization_timeout=CONNECT_SECONDS,
            heartbeat_timeout_seconds=LOST_SECONDS,
            shutdown_timeout_seconds=LOST_SECONDS,
        )
    except (ValueError, IndexError) as error:
        raise ConfigError(
            "coordinator must be HOST:PORT, or auto where JAX can ask a cluster (Slurm, Open MPI, "
            f"Kubernetes, Cloud TPU); {coordinator} gave: {error}"
        ) from error
    except RuntimeError as error:
        raise ProcessError(
            f"The processes did not find each other at {coordinator}: {reason(error)}. "
            f"Start all of them within {CONNECT_SECONDS} seconds with the same --coordinator and a "
            "free port."
        ) from error
    check_backend()
    with suppress_output(1):  # Gloo reports each group of devices that connects
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("start")
        every = NamedSharding(make_mesh(), P(AXIS))
        ones = jax.make_array_from_callback(
            (jax.device_count(),), every, lambda index: np.ones(1, np.float32)
        )
        assert int(jnp.sum(ones)) == jax.device_count()


def report_devices() -> None:
    """Say how many devices this process got; warn if no process got some GPUs of its machine."""
    from jax.experimental.multihost_utils import process_allgather

    number, here = jax.process_index(), jax.local_device_count()
    print(
        f"Process {number} of {jax.process_count()} has {here} of {jax.device_count()} "
        f"devices ({jax.default_backend()})",
        flush=True,
    )
    machine = zlib.crc32(socket.gethostname().encode()) & 0x7FFFFFFF  # fits an int32
    with suppress_output(1):
        rows = process_allgather(np.array([machine, here, visible_gpus()], np.int32))
    rows = np.reshape(rows, (-1, 3))
    mine = rows[:, 0] == machine
    used, there = rows[mine, 1].sum(), rows[mine, 2].max()
    if used < there and number == np.flatnonzero(mine)[0]:  # one warning per machine
        print(
            f"Only {used} of the {there} GPUs of {socket.gethostname()} are used. Start one "
            "process per GPU (Slurm: --ntasks-per-node), or list the GPUs of this process in "
            "JAX_LOCAL_DEVICE_IDS, as in 0,1,2,3.",
            file=sys.stderr,
        )


def visible_gpus() -> int:
    """How many NVIDIA GPUs this process may see, whether or not JAX took them; 0 without any."""
    if jax.default_backend() != "gpu":
        return 0
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return len([name for name in allowed.split(",") if name.strip()])
    return len([*Path("/dev").glob("nvidia[0-9]*")])


def process_number() -> int:
    """The number of this process, 0 for the first or only one. JAX need not have started."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def broadcast_start(
    start_epoch: int, state: State | None, config: Config
) -> tuple[int, State | None]:
    """Tell every process where process 0 begins: with which epoch, and from which state.

    Args:
        start_epoch: the epoch to begin with.
        state: the state after the epoch before, or None to start afresh. Only process 0 knows it.
        config: the run's settings.

    Returns:
        The start epoch and the state that process 0 passed in.
    """
    if not jax.distributed.is_initialized():
        return start_epoch, state
    from jax.experimental.multihost_utils import broadcast_one_to_all

    start_epoch = int(broadcast_one_to_all(np.int32(start_epoch)))
    if start_epoch == 0:
        return 0, None
    arrays = jax.tree.map(np.asarray, state or start(jax.random.key(0), config))
    return start_epoch, broadcast_one_to_all(arrays)


def exit_without_waiting() -> None:
    """End a process of several at once: an orderly shutdown would wait for the others."""
    if jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


@contextlib.contextmanager
def report_lost_process() -> Iterator[None]:
    """Turn JAX's error after the loss of another process into one that says what to do.

    Raises:
        ProcessError: another process is gone.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        raise ProcessError(
            f"Another process is gone ({reason(error)}). Start all of them again; with --resume "
            "they continue from the last checkpoint."
        ) from error


def _wait_for_name(host: str) -> None:
    """Wait until a host's name can be looked up: a cluster may still be starting that machine.

    Raises:
        ProcessError: it cannot be looked up for as long as `connect` waits.
    """
    end = time.monotonic() + CONNECT_SECONDS
    told = False
    while host:  # without one, JAX says what is wrong
        try:
            socket.getaddrinfo(host, None)
            return
        except OSError as error:
            if time.monotonic() > end:
                raise ProcessError(
                    f"Cannot find the host {host}: {reason(error)}. Give --coordinator a name "
                    "or an address at which all machines reach process 0."
                ) from error
            if not told:
                print(
                    f"Cannot find the host {host} yet ({reason(error)}); trying again "
                    f"for {CONNECT_SECONDS} seconds",
                    file=sys.stderr,
                )
            told = True
            time.sleep(1)


def _check_port(coordinator: str) -> None:
    """Raise RuntimeError if the port is taken: JAX would crash, without a Python error."""
    port = coordinator.rpartition(":")[2]
    if port.isdigit():
        try:
            socket.create_server(("", int(port))).close()
        except (OSError, OverflowError) as error:
            raise RuntimeError(reason(error)) from error
