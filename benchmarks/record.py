"""The record: one file of JSON with the machine, the versions, and each part's figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from mnist_code.book.record import PATH
from mnist_code.errors import MnistCodeError
from mnist_code.files import atomic_write

DEFAULT = PATH  # inside the package, so that a chapter finds it wherever it runs


class RecordError(MnistCodeError):
    """A record that cannot be read, or that belongs to another machine."""


class Record:
    """Figures by part and name. Each is on disk as soon as it is set, so that a run can go on."""

    def __init__(
        self, path: Path = DEFAULT, again: bool = False, reading: bool = False
    ):
        self.path, self.again = path, again
        self.machine = describe()
        self.parts: dict[str, dict[str, Any]] = {}
        if path.exists():
            try:
                stored = json.loads(path.read_text(encoding="utf-8"))
                self.parts = stored["parts"]
                same = stored["machine"] == self.machine
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise RecordError(
                    f"Cannot read {path}: {error}. Give another file with --record."
                ) from error
            if reading:
                self.machine = stored["machine"]
            elif not same and self.parts:
                raise RecordError(
                    f"{path} is of another machine or of other versions. Figures of two must "
                    "not mix: give a file of your own with --record."
                )

    def wants(self, part: str, name: str) -> bool:
        """Whether a figure is still to be measured."""
        return self.again or name not in self.parts.get(part, {})

    def set(self, part: str, name: str, figures: Any) -> None:
        """Keep the figures, on disk too."""
        self.parts.setdefault(part, {})[name] = figures
        text = json.dumps({"machine": self.machine, "parts": self.parts}, indent=1)
        with atomic_write(self.path) as file:
            file.write(text.encode() + b"\n")


def read(path: Path = DEFAULT) -> dict[str, Any]:
    """The record as it is stored: {"machine": …, "parts": {part: {name: figures}}}."""
    return json.loads(path.read_text(encoding="utf-8"))
