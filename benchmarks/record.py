"""The record: one file of JSON with each part's figures, and the machine that measured them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from mnist_code.book.record import PATH, load
from mnist_code.errors import MnistCodeError
from mnist_code.files import atomic_write


class RecordError(MnistCodeError):
    """A record that cannot be read, or a part of it that belongs to another machine."""


class Record:
    """Figures by part and name. Each is on disk once it is set, so an interrupted run can continue.

    A part belongs to one machine, with the versions of what ran on it. Its figures are compared
    with each other, so those of two machines never mix.
    """

    def __init__(self, path: Path = PATH, again: bool = False):
        self.path, self.again = path, again
        self.parts: dict[str, dict[str, Any]] = {}
        self.machines: dict[str, dict[str, Any]] = {}
        if path.exists():
            try:
                stored = load(path)
                self.parts, self.machines = stored["parts"], stored["machines"]
                missing = set(self.parts) - set(self.machines)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise RecordError(
                    f"Cannot read {path}: {error}. Give another file with --record."
                ) from error
            if missing:
                raise RecordError(
                    f"{path} does not name the machine of {', '.join(sorted(missing))}. "
                    "Give another file with --record."
                )

    def wants(self, part: str, name: str) -> bool:
        """Whether a figure is still to be measured.

        Raises:
            RecordError: it is, and the part's other figures are those of another machine.
        """
        if self.again:
            return True
        if name in self.parts.get(part, {}):
            return False
        if self.machines.get(part, describe()) != describe():
            raise RecordError(
                f"The figures of {part} in {self.path} are of another machine or of other "
                "versions. Measure all of them with --again, or give another file with --record."
            )
        return True

    def set(self, part: str, name: str, figures: Any) -> None:
        """Keep the figures, on disk too. Figures of another machine are dropped from the part."""
        if self.machines.get(part) != describe():
            self.machines[part], self.parts[part] = describe(), {}
        self.parts[part][name] = figures
        text = json.dumps({"machines": self.machines, "parts": self.parts}, indent=1)
        with atomic_write(self.path) as file:
            file.write(text.encode() + b"\n")
