"""All that a run needs to go on after a kill at any instant, and end with the same bits.

Orbax writes a checkpoint into a temporary folder and renames it. Last comes a file with the sums of
all others: a checkpoint without it was never finished, and one that differs from it is damaged.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.config import Config
from mnist_code.errors import CheckpointError, FileError, SettingError
from mnist_code.files import write_whole
from mnist_code.recipes import State, start
from mnist_code.training import Epoch

KEEP = 3  # the newest, and two to fall back on
SUMS = "sums.json"  # of the other files of a checkpoint


class Checkpoint(NamedTuple):
    """What was read back."""

    state: State
    history: list[dict[str, float | None]]  # the metrics of all epochs so far
    damaged: list[Path]  # newer ones that could not be used

    @property
    def last(self) -> Epoch:
        """The last epoch before the checkpoint, as `training.epochs` yielded it."""
        return Epoch(params=self.state.best, state=self.state, **self.history[-1])  # type: ignore[arg-type]


class Checkpoints:
    """The newest checkpoints of one run, in a folder of their own."""

    def __init__(self, folder: str | os.PathLike[str], config: Config, dataset: str):
        """Use a folder, which is made if it is missing.

        Args:
            folder: where the checkpoints are, or will be.
            config: of the run.
            dataset: the name of the data set that was loaded.

        Raises:
            FileError: the folder cannot be made.
        """
        import orbax.checkpoint as ocp  # a second, and only who asks for checkpoints needs it

        self.folder = Path(folder).absolute()
        self.run = {**dataclasses.asdict(config), "dataset": dataset}
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
                    # Of several processes, the first alone writes and reads.
                    multiprocessing_options=ocp.options.MultiprocessingOptions(
                        primary_host=0, active_processes={0}
                    ),
                ),
            )
        except OSError as error:
            raise self._cannot_write(error) from error

    def epochs(self) -> list[int]:
        """The epochs after which one was written and is still there."""
        return sorted(self._manager.all_steps())

    def save(self, last: Epoch, history: list[dict[str, float | None]]) -> None:
        """Write a checkpoint, and delete the oldest if there are more than `KEEP`.

        Args:
            last: the epoch that has just ended.
            history: the metrics of all epochs so far, the last epoch's with them.

        Raises:
            FileError: the folder cannot be written, or the disk is full.
        """
        state = jax.tree.map(np.asarray, last.state)
        record = {"run": self.run, "key": self._key(), "history": history}
        folder = self.folder / str(last.epoch)
        try:
            shutil.rmtree(folder, ignore_errors=True)  # a damaged or unfinished one
            self._manager.reload()
            self._manager.save(
                last.epoch,
                args=self._ocp.args.Composite(
                    state=self._ocp.args.StandardSave(state),
                    record=self._ocp.args.JsonSave(record),
                ),
            )
            sums = json.dumps(_sums(folder)).encode()
            with write_whole(folder / SUMS) as file:
                file.write(sums)
        except FileError:
            raise
        except (OSError, ValueError, RuntimeError) as error:  # TensorStore's are these
            raise self._cannot_write(error) from error

    def newest(self) -> Checkpoint:
        """Read the newest checkpoint that is whole.

        Raises:
            CheckpointError: there is none, or they belong to other random keys.
            SettingError: they are of a run with other settings.
        """
        damaged: list[Path] = []
        for epoch in reversed(self.epochs()):
            folder = self.folder / str(epoch)
            try:
                whole = json.loads((folder / SUMS).read_bytes()) == _sums(folder)
            except FileNotFoundError:
                continue  # killed before it was finished
            except (OSError, ValueError):
                whole = False
            if not whole:
                damaged.append(folder)
                continue
            record = self._read(epoch, record=self._ocp.args.JsonRestore())
            self._check(record)
            expected = self._ocp.args.StandardRestore(self._form())
            state = self._read(epoch, state=expected)
            state = jax.tree.map(jnp.asarray, state)
            return Checkpoint(state, record["history"], damaged)
        names = ", ".join(path.name for path in damaged)
        reason = f"epochs {names} are damaged" if damaged else "there is none"
        raise CheckpointError(
            f"No checkpoint in {self.folder} can be used: {reason}. "
            "Begin anew in another folder, or without --resume."
        )

    def _check(self, record: dict[str, Any]) -> None:
        """Refuse the checkpoint of another run; to train longer is no other, if it can be."""
        done = len(record["history"])
        may_differ = {"epochs"} if self.config.schedule == "decay" else set()
        for name, ours in json.loads(json.dumps(self.run)).items():
            theirs = record["run"].get(name)
            if theirs != ours and name not in may_differ:
                raise SettingError(
                    f"{name} is {ours}, but {theirs} in the run that left the checkpoints in "
                    f"{self.folder}; give the same options, or another folder"
                )
        if record["key"] != self._key():
            raise CheckpointError(
                f"The checkpoints in {self.folder} come from a JAX with other random keys. "
                "Use the version and the settings of JAX that began the run."
            )
        if done > self.config.epochs:
            raise SettingError(
                f"epochs must be {done} or more, since {self.folder} holds as many, "
                f"not {self.config.epochs}"
            )

    def _read(self, epoch: int, **what: Any) -> Any:
        (name,) = what
        return self._manager.restore(epoch, args=self._ocp.args.Composite(**what))[name]

    def _form(self) -> State:
        """A state of the shapes and types that are expected; its numbers mean nothing."""
        state = jax.eval_shape(lambda: start(jax.random.key(0), self.config))
        return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), state)

    def _key(self) -> list[int]:
        """The numbers of the key from which all keys of the run are made."""
        return jax.random.key_data(jax.random.key(self.config.seed)).tolist()

    def _cannot_write(self, error: Exception) -> FileError:
        reason = getattr(error, "strerror", None) or str(error).strip().split("\n")[0]
        return FileError(
            f"Cannot write checkpoints in {self.folder}: {reason[:200].lower()}. "
            "Free some space, or choose another place."
        )


def _sums(folder: Path) -> dict[str, str]:
    """The SHA-256 sum of each file of a checkpoint."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != SUMS
    }
