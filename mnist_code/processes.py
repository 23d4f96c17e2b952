"""Several processes that train one model, on one machine or on many: how they meet and part.

Each runs the same program on its own devices. `jax.distributed` makes the devices of all visible to
each; process 0 alone reads checkpoints and writes files.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from mnist_code.config import Config
from mnist_code.data import Dataset
from mnist_code.errors import ProcessError, SettingError
from mnist_code.parallel import AXIS, ManyDevices, make_mesh
from mnist_code.preparation import silent
from mnist_code.recipes import State, start
from mnist_code.training import OneDevice

LOST_SECONDS = 20  # after which a process that is silent counts as lost
JOIN_SECONDS = 120  # for all processes to start


def place(
    devices: int | None = None,
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
) -> Callable[[Dataset, Config], OneDevice]:
    """Where to train, from what was asked for; call it before JAX computes.

    Args:
        devices: of this process; without it, one, or with a coordinator all that JAX finds.
        coordinator: where several processes meet, as for `join`.
        processes: as for `join`.
        process_id: as for `join`.

    Returns:
        What `training.epochs` takes as `on`.

    Raises:
        As `join`; SettingError if there are fewer devices.
    """
    if devices is not None:
        divide_cpu(devices)
    if coordinator is not None:
        join(coordinator, processes, process_id)
    elif processes is not None or process_id is not None:
        raise SettingError("processes and process_id need a coordinator")
    elif devices is None:
        return OneDevice
    if devices is not None and (found := jax.local_device_count()) < devices:
        raise SettingError(f"devices must be at most the {found} here, not {devices}")
    every = None if coordinator is not None else devices
    return partial(ManyDevices, mesh=make_mesh(every))


def divide_cpu(count: int) -> None:
    """Make a CPU appear as `count` devices; without effect if JAX has computed already.

    Raises:
        SettingError: `count` is below 1.
    """
    if count < 1:
        raise SettingError(f"devices must be 1 or more, not {count}")
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", count)


def join(
    coordinator: str, processes: int | None = None, process_id: int | None = None
) -> None:
    """Make this process one of several that train together; call it before JAX computes.

    Args:
        coordinator: host and port on which process 0 listens; "auto" asks the cluster (Slurm,
            Open MPI, Kubernetes, Cloud TPU), which then knows the rest, too.
        processes: how many there are.
        process_id: which of them this is, from 0.

    Raises:
        SettingError: the options do not fit together, or no cluster is found.
        ProcessError: the others did not come in time.
    """
    found = coordinator == "auto"
    if not found and (processes is None or process_id is None):
        raise SettingError("coordinator needs processes and process_id as well")
    if not found and not 0 <= process_id < processes:  # type: ignore[operator]
        raise SettingError(
            f"process_id must be from 0 to {processes - 1}, not {process_id}"  # type: ignore[operator]
        )
    if not found:
        print(
            f"Process {process_id} of {processes} waits for the others at {coordinator}",
            flush=True,
        )
    try:
        if process_id == 0 and not found:
            _check_port(coordinator)
        jax.distributed.initialize(
            None if found else coordinator,
            processes,
            process_id,
            initialization_timeout=JOIN_SECONDS,
            heartbeat_timeout_seconds=LOST_SECONDS,
            shutdown_timeout_seconds=LOST_SECONDS,
        )
    except (ValueError, IndexError) as error:
        raise SettingError(
            "coordinator must be HOST:PORT, or auto where JAX can ask a cluster (Slurm, Open MPI, "
            f"Kubernetes, Cloud TPU); {coordinator} gave: {error}"
        ) from error
    except RuntimeError as error:
        raise ProcessError(
            f"The processes did not find each other at {coordinator}: {_first_line(error)}. "
            "Start all of them within two minutes with the same --coordinator, a free port."
        ) from error
    with silent(1):  # Gloo tells there about each group of devices that connects
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("start")
        every = NamedSharding(make_mesh(), P(AXIS))
        ones = jax.make_array_from_callback(
            (jax.device_count(),), every, lambda index: np.ones(1, np.float32)
        )
        assert int(jnp.sum(ones)) == jax.device_count()


def number() -> int:
    """The number of this process, 0 for the first or only one; JAX need not have started."""
    return jax.process_index() if jax.distributed.is_initialized() else 0


def agree(first: int, state: State | None, config: Config) -> tuple[int, State | None]:
    """What process 0 knows about where to begin, for all processes.

    Args:
        first: the epoch to begin with.
        state: what the epoch before left, if there is one; others than process 0 know none.
        config: of the run.
    """
    if not jax.distributed.is_initialized():
        return first, state
    from jax.experimental.multihost_utils import broadcast_one_to_all

    first = int(broadcast_one_to_all(np.int32(first)))
    if first == 0:
        return 0, None
    form = jax.tree.map(np.asarray, state or start(jax.random.key(0), config))
    return first, broadcast_one_to_all(form)


def leave() -> None:
    """End at once if this is one of several processes: an orderly end would wait for the rest."""
    if jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


@contextlib.contextmanager
def lost_processes_told() -> Iterator[None]:
    """Turn the error that follows the loss of another process into one that says what to do.

    Raises:
        ProcessError: another process is gone.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        raise ProcessError(
            f"Another process is gone ({_first_line(error)}). Start all of them again; with "
            "--resume they go on from the last checkpoint."
        ) from error


def _check_port(coordinator: str) -> None:
    """Raise RuntimeError if the port is taken: JAX may crash then, without a word of Python's."""
    port = coordinator.rpartition(":")[2]
    if port.isdigit():
        try:
            socket.create_server(("", int(port))).close()
        except (OSError, OverflowError) as error:
            raise RuntimeError(getattr(error, "strerror", None) or error) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")[:200]
