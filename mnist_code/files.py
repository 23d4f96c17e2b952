"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mnist_code.errors import FileError


def _cannot_write(path: Path, error: OSError) -> FileError:
    reason = (error.strerror or str(error)).lower()
    return FileError(
        f"Cannot write {path}: {reason}. Free some space or choose another place."
    )


@contextlib.contextmanager
def write_whole(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open `path` for binary writing; it appears, complete, only when the block ends well.

    The bytes go to a temporary file beside it, reach the disk, and take the name in one step
    (`os.replace`). After an error or a kill at any instant the old file, if any, is untouched.

    Raises:
        FileError: the folder is missing or read-only, or the disk is full.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with write_whole(folder / "answer") as file:
        ...     _ = file.write(b"42")
        >>> (folder / "answer").read_bytes()
        b'42'
    """
    path = Path(path)
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # temporary files are private
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


def check_writable(path: str | os.PathLike[str]) -> None:
    """Fail now, not after an hour of training, if `path` could not be written at the end.

    Raises:
        FileError: `path` is a folder, or the folder it would stand in cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise FileError(
            f"Cannot write {path}: it is a folder. Give the name of a file."
        )
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _cannot_write(path, error) from error
