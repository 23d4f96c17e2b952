"""Everything a run needs to resume after a kill at any instant and end with the same bits.

Orbax writes a checkpoint into a temporary folder and renames it. The last file to be written holds
the checksums of all others. A checkpoint without it was never finished; one that does not match it
is corrupt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.config import Config
from mnist_code.errors import CheckpointError, ConfigError, FileError
from mnist_code.files import atomic_write, cannot_write, is_address
from mnist_code.recipes import State, start
from mnist_code.training import EpochResult

KEEP = 3  # the newest checkpoint, and two to fall back on
CHECKSUMS = "checksums.json"  # of the other files of a checkpoint


class Checkpoint(NamedTuple):
    """What was read back from disk."""

    state: State
    history: list[dict[str, float | None]]  # the metrics of all epochs so far
    corrupt: list[Path]  # newer ones that could not be used


@contextlib.contextmanager
def lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other runs out of a folder of checkpoints. The lock ends with the process that has it.

    Args:
        folder: where the checkpoints are; it is created if it is missing.

    Raises:
        CheckpointError: another run has the lock; the message names its process.
        FileError: the folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    # A file of its own: on Windows a locked file cannot be read
    owner = folder / ".owner"
    held = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=0)
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}")
    except Timeout:
        who = "another process"
        with contextlib.suppress(OSError):
            who = owner.read_text() or who
        raise CheckpointError(
            f"The checkpoints in {folder} are in use: {who} is training with them. "
            "Wait until it ends, or name another folder."
        ) from None
    except NotImplementedError:
        pass  # a file system without locks
    except OSError as error:
        raise cannot_write(f"checkpoints in {folder}", error) from error
    try:
        yield
    finally:
        if held.is_locked:
            owner.unlink(missing_ok=True)
            held.release()


class Checkpoints:
    """The newest checkpoints of one run, in a folder of their own."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        config: Config,
        dataset: str,
        teacher: str | None = None,
    ):
        """Use a folder; create it if it is missing.

        Args:
            folder: holds the checkpoints of this run and nothing else.
            config: the run's settings.
            dataset: the name of the data set that was loaded.
            teacher: the fingerprint of the network that this one learns from, if there is one.

        Raises:
            ConfigError: the folder is in an object store, where nothing can be renamed in one step.
            FileError: the folder cannot be created.
        """
        if is_address(folder):
            raise ConfigError(
                f"Checkpoints need a file system, and {folder} is an address. Give a folder, "
                "such as one where the object store is mounted."
            )
        import orbax.checkpoint as ocp  # takes a second, and only checkpoints need it

        self.folder = Path(folder).absolute()
        self.run = {
            **dataclasses.asdict(config),
            "dataset": dataset,
            "teacher": teacher,
        }
        self.config = config
        self._ocp = ocp
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(
                self.folder,
                options=ocp.CheckpointManagerOptions(
                    preservation_policy=ocp.checkpoint_managers.LatestN(KEEP),
                    enable_async_checkpointing=False,
                    cleanup_tmp_directories=True,  # of a run that was killed
                    create=False,
                    # Of several processes, only the first writes and reads.
                    multiprocessing_options=ocp.options.MultiprocessingOptions(
                        primary_host=0, active_processes={0}
                    ),
                ),
            )
        except OSError as error:
            raise cannot_write(f"checkpoints in {self.folder}", error) from error

    def epochs(self) -> list[int]:
        """The epochs whose finished checkpoints are in the folder, in order."""
        return [
            epoch
            for epoch in sorted(self._manager.all_steps())
            if (self.folder / str(epoch) / CHECKSUMS).exists()
        ]

    def save(self, result: EpochResult, history: list[dict[str, float | None]]) -> None:
        """Write a checkpoint, and delete the oldest if there are more than `KEEP`.

        Args:
            result: of the epoch that has just ended.
            history: the metrics of all epochs so far, this one included.

        Raises:
            FileError: the folder cannot be written, or the disk is full.
        """
        state = jax.tree.map(np.asarray, result.state)
        record = {"run": self.run, "key": self._key(), "history": history}
        folder = self.folder / str(result.epoch)
        try:
            shutil.rmtree(folder, ignore_errors=True)  # a corrupt or unfinished one
            self._manager.reload()
            self._manager.save(
                result.epoch,
                args=self._ocp.args.Composite(
                    state=self._ocp.args.StandardSave(state),
                    record=self._ocp.args.JsonSave(record),
                ),
            )
            checksums = json.dumps(_checksums(folder)).encode()
            with atomic_write(folder / CHECKSUMS) as file:
                file.write(checksums)
        except FileError:
            raise
        except (OSError, ValueError, RuntimeError) as error:  # TensorStore raises these
            raise cannot_write(f"checkpoints in {self.folder}", error) from error

    def newest(self) -> Checkpoint:
        """Read the newest intact checkpoint.

        Raises:
            CheckpointError: there is none, all are corrupt, or they come from a version that stored
                this kind of run differently or from a JAX that generates keys differently.
            ConfigError: they come from a run with other settings, or already hold more epochs.
        """
        corrupt: list[Path] = []
        for epoch in reversed(self.epochs()):
            folder = self.folder / str(epoch)
            try:
                intact = json.loads((folder / CHECKSUMS).read_bytes()) == _checksums(
                    folder
                )
            except (OSError, ValueError):
                intact = False
            if not intact:
                corrupt.append(folder)
                continue
            record = self._read(epoch, record=self._ocp.args.JsonRestore())
            self._check(record)
            expected = self._ocp.args.StandardRestore(self._form())
            try:
                state = self._read(epoch, state=expected)
            except ValueError as error:  # Orbax's, when the tree is another one
                raise CheckpointError(
                    f"The checkpoints in {self.folder} come from a version that stored this "
                    "kind of run differently. Start again in another folder."
                ) from error
            state = jax.tree.map(jnp.asarray, state)
            return Checkpoint(state, record["history"], corrupt)
        names = ", ".join(path.name for path in corrupt)
        why = f"all are corrupt (epoch {names})" if corrupt else "there is none"
        raise CheckpointError(
            f"No checkpoint in {self.folder} can be used: {why}. "
            "Start again in another folder."
        )

    def _check(self, record: dict[str, Any]) -> None:
        """Refuse the checkpoint of a different run. Training longer is allowed where it can be."""
        done = len(record["history"])
        may_differ = {"epochs"} if self.config.schedule == "decay" else set()
        # What an earlier version did not record was what is now the default.
        defaults = dataclasses.asdict(Config())
        for name, ours in json.loads(json.dumps(self.run)).items():
            theirs = record["run"].get(name, defaults.get(name))
            if theirs != ours and name not in may_differ:
                raise ConfigError(
                    f"{name} is {ours}, but it was {theirs} in the run that wrote the "
                    f"checkpoints in {self.folder}; give the same options, or another folder"
                )
        if record["key"] != self._key():
            raise CheckpointError(
                f"The checkpoints in {self.folder} were made by a JAX that generates keys "
                "differently. Use the version and settings of JAX that started the run."
            )
        if done > self.config.epochs:
            raise ConfigError(
                f"epochs must be {done} or more, not {self.config.epochs}, because "
                f"{self.folder} already holds {done}"
            )

    def _read(self, epoch: int, **what: Any) -> Any:
        (name,) = what
        return self._manager.restore(epoch, args=self._ocp.args.Composite(**what))[name]

    def _form(self) -> State:
        """A state of the expected shapes and types; its numbers mean nothing."""
        state = jax.eval_shape(lambda: start(jax.random.key(0), self.config))
        return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), state)

    def _key(self) -> list[int]:
        """The numbers of the key from which all keys of the run are derived."""
        return jax.random.key_data(jax.random.key(self.config.seed)).tolist()


def _checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 checksum of each file of a checkpoint."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CHECKSUMS
    }
