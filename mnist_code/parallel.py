"""Training on many devices, of one machine or of several: the same update, each on its share.

A mesh names the devices; every batch is cut along it, every parameter copied to all of them. XLA
adds what has to be sent: the sum of the gradients.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int, Key, UInt32

from mnist_code.config import Config
from mnist_code.data import Dataset
from mnist_code.errors import ProcessError, SettingError
from mnist_code.evaluation import predicted_labels
from mnist_code.model import Params
from mnist_code.recipes import State, recipe_update, shuffled, start
from mnist_code.training import NUM_CLASSES, OneDevice, update

AXIS = "batch"  # the only axis of our meshes
LOST_SECONDS = 20  # after which a process that is silent counts as lost
JOIN_SECONDS = 120  # for all processes to start


def make_mesh(count: int | None = None) -> Mesh:
    """A row of devices, with one axis that is called "batch".

    Args:
        count: how many of JAX's devices; without it, all of them, those of other processes too.

    Example:
        >>> dict(make_mesh(1).shape)
        {'batch': 1}
    """
    devices = jax.devices()[:count]
    return jax.make_mesh((len(devices),), (AXIS,), (AxisType.Auto,), devices=devices)


def padded_batches(
    order: Int[np.ndarray, " n"], batch_size: int, devices: int
) -> tuple[Int[np.ndarray, "batches padded"], Float[np.ndarray, " padded"]]:
    """Cut an order of images into batches that divide among the devices.

    Args:
        order: the images' numbers. The last `n % batch_size` sit this epoch out.
        batch_size: images in one update.
        devices: among which each batch is divided.

    Returns:
        The numbers, each batch padded with zeros, and a weight for each place: 0 for padding, and
        for the others what makes a mean over all places one over the real ones.

    Example:
        >>> rows, weights = padded_batches(np.arange(7), batch_size=3, devices=2)
        >>> rows.tolist()
        [[0, 1, 2, 0], [3, 4, 5, 0]]
        >>> [round(float(weight), 2) for weight in weights]
        [1.33, 1.33, 1.33, 0.0]
    """
    count = len(order) // batch_size
    padding = -batch_size % devices
    padded = batch_size + padding
    rows = order[: count * batch_size].reshape(count, batch_size)
    weights = np.full(batch_size, padded / batch_size, np.float32)
    return np.pad(rows, ((0, 0), (0, padding))), np.pad(weights, (0, padding))


class ManyDevices(OneDevice):
    """Where a run computes: on the devices of a mesh, to be passed to `training.epochs`.

    Each epoch, each process reads only those rows of the images that its own devices compute with.
    """

    def __init__(self, dataset: Dataset, config: Config, mesh: Mesh):
        self.config = config
        self.mesh = mesh
        self.images = dataset.train_images.reshape(-1, 784)
        self.labels = dataset.train_labels
        self.copied = NamedSharding(mesh, P())  # all of it on every device
        self.cut = NamedSharding(mesh, P(AXIS))  # the first axis among the devices
        self.cut_batches = NamedSharding(mesh, P(None, AXIS))  # the second
        self.sizes = len(dataset.train_labels), len(dataset.test_labels)
        self.train = self._cut_once(self.images, self.labels)
        self.test = self._cut_once(
            dataset.test_images.reshape(-1, 784), dataset.test_labels
        )
        self.compiled = jax.jit(
            partial(sharded_epoch, config=config),
            out_shardings=self.copied,
            donate_argnums=0,
        )
        # Here each device is told what to do, and the sum of what they found is asked for by name.
        self.count_right = jax.jit(
            jax.shard_map(
                _count_right, mesh=mesh, in_specs=(P(), P(AXIS), P(AXIS)), out_specs=P()
            )
        )

    def place(self, state: State) -> State:
        """A copy of the state on every device."""
        return jax.device_put(state, self.copied)

    def epoch(
        self, state: State, key: Key[Array, ""], number: int
    ) -> tuple[State, Float[Array, ""]]:
        """Train for one epoch, with the batches that one device would have."""
        if self.config.is_classic:
            order = jax.random.permutation(key, len(self.labels))
            distort_key = key  # of no use
        else:
            order_key, distort_key = jax.random.split(key)
            order = shuffled(order_key, len(self.labels))
        rows, weights = padded_batches(
            np.asarray(order), self.config.batch_size, self.mesh.size
        )
        return self.compiled(
            jax.tree.map(jnp.copy, state),  # given away; the caller may still hold it
            _read(self.cut_batches, (*rows.shape, 784), lambda at: _vectors(self.images[rows[at]])),
            _read(self.cut_batches, rows.shape, lambda at: self.labels[rows[at]]),
            _read(self.cut, weights.shape, lambda at: weights[at]),
            # NumPy arrays are the same in all processes, and go to all devices.
            np.asarray(jax.random.key_data(distort_key)),
            np.asarray(self.rate(number), jnp.result_type(float)),
        )  # fmt: skip

    def train_accuracy(self, params: Params) -> float:
        """Of the training images: each device counts on its own part."""
        return int(self.count_right(params, *self.train)) / self.sizes[0]

    def test_accuracy(self, params: Params) -> float:
        """Of the test images: each device counts on its own part."""
        return int(self.count_right(params, *self.test)) / self.sizes[1]

    def _cut_once(self, images, labels):
        """Images and labels in equal parts; the label -1 of padding is never right."""
        size = len(labels) + -len(labels) % self.mesh.size
        padded = np.pad(np.arange(len(labels)), (0, size - len(labels)))
        real = np.arange(size) < len(labels)
        return (
            _read(self.cut, (size, 784), lambda at: _vectors(images[padded[at]])),
            _read(self.cut, (size,), lambda at: np.where(real[at], labels[padded[at]], -1)),
        )  # fmt: skip


def _vectors(images):
    """As `data.as_vectors`, for images that are flat already."""
    return images.astype(np.float32) / 255


def _read(sharding, shape, read):
    """An array of which each process reads only the parts of its own devices."""

    def part(index):
        return read(index[: len(sharding.spec)])

    return jax.make_array_from_callback(shape, sharding, part)


def sharded_epoch(
    state: State,
    images: Float[Array, "batches batch 784"],
    labels: Int[Array, "batches batch"],
    weights: Float[Array, " batch"],
    key_data: UInt32[Array, " words"],
    learning_rate: Float[Array, ""],
    config: Config,
) -> tuple[State, Float[Array, ""]]:
    """Visit batches one after the other: the function that is compiled for the whole mesh.

    Nothing in it knows of devices. The classic program goes through `training.update`, other
    recipes through `recipes.recipe_update`.

    Args:
        state: what the last epoch left.
        images: float32 from 0 to 1; the axis "batch" is the one that is cut.
        labels: 0 to 9.
        weights: 0 for padding, as `padded_batches` has it.
        key_data: the numbers of a key, for the distortions.
        learning_rate: step size of the classic program.
        config: the recipe.

    Returns:
        The new state, and the mean loss (nats) of the batches as they were met.
    """
    count = len(images)

    def step(state, batch):
        images, labels, key = batch
        if config.is_classic:
            # A target of zeros costs nothing and has no gradient: padding is no lesson.
            targets = one_hot(labels, NUM_CLASSES) * weights[:, None]
            params, loss = update(state.params, images, targets, learning_rate)
            return State(params), loss
        return recipe_update(state, images, labels, key, config, count, weights)

    keys = jax.random.split(jax.random.wrap_key_data(key_data), count)
    state, losses = jax.lax.scan(step, state, (images, labels, keys))
    return state, jnp.mean(losses)


def _count_right(params, images, labels):
    return jax.lax.psum(jnp.sum(predicted_labels(params, images) == labels), AXIS)


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
    with _silent_stdout():  # Gloo tells there about each group of devices that connects
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("start")
        every = NamedSharding(make_mesh(), P(AXIS))
        ones = jax.make_array_from_callback(
            (jax.device_count(),), every, lambda index: np.ones(1, np.float32)
        )
        assert int(jnp.sum(ones)) == jax.device_count()


def process() -> int:
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


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")[:200]


@contextlib.contextmanager
def _silent_stdout():
    sys.stdout.flush()
    saved = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
