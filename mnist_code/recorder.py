"""Write the results of each epoch to files, and read them back to resume a run."""

from __future__ import annotations

import json
from pathlib import Path

from mnist_code.checkpoint import Checkpoints
from mnist_code.errors import ConfigError
from mnist_code.files import atomic_write, check_writable
from mnist_code.recipes import State
from mnist_code.storage import save_params
from mnist_code.training import EpochResult


class Recorder:
    """The files of one run: its parameters and, if asked for, its metrics and checkpoints."""

    def __init__(
        self,
        params: Path,
        metrics: Path | None = None,
        checkpoints: Checkpoints | None = None,
        normalization: str = "none",
    ):
        """Name the files.

        Args:
            params: where the parameters go, replaced after each epoch.
            metrics: where the metrics go, one line of JSON per epoch.
            checkpoints: where everything needed to resume goes.
            normalization: `Config.normalization`, which goes into the file of the parameters.
        """
        self.params = params
        self.metrics = metrics
        self.checkpoints = checkpoints
        self.normalization = normalization
        self.history: list[dict[str, float | None]] = []
        self.saved_epoch: int | None = None  # the one whose parameters are in the file

    @staticmethod
    def check(params: Path, metrics: Path | None) -> None:
        """Fail before training, not after it, if a file can't be written.

        Raises:
            FileError: one of the two cannot be written.
            ConfigError: both are the same file.
        """
        check_writable(params)
        if metrics is not None:
            check_writable(metrics)
            if metrics.resolve() == params.resolve():
                raise ConfigError("--metrics and --out must name two different files")

    def resume(self) -> tuple[int, State | None, list[Path]]:
        """Read the newest checkpoint, if there is one, and rewrite the other files to match.

        Returns:
            The epoch to begin with (0 without a checkpoint), the state to begin from, and the
            folders of newer checkpoints that are corrupt and were skipped.

        Raises:
            CheckpointError, ConfigError: no checkpoint can be used, as `Checkpoints.newest` says.
            FileError: a file cannot be written, or the disk is full.
        """
        if self.checkpoints is None or not self.checkpoints.epochs():
            return 0, None, []
        found = self.checkpoints.newest()
        self.history = found.history
        self._save(found.state, len(found.history) - 1)
        return len(found.history), found.state, found.corrupt

    def record(self, result: EpochResult) -> None:
        """Write the results of one epoch.

        Raises:
            FileError: a file cannot be written, or the disk is full.
        """
        self.history.append(result.metrics())
        if self.checkpoints is not None:
            self.checkpoints.save(result, self.history)
        self._save(result.state, result.epoch)

    def _save(self, state: State, epoch: int) -> None:
        save_params(self.params, state.network, self.normalization)
        self.saved_epoch = epoch  # only now: Ctrl-C may interrupt the saving
        if self.metrics is not None:
            lines = "".join(json.dumps(line) + "\n" for line in self.history)
            with atomic_write(self.metrics) as file:
                file.write(lines.encode())
