"""Atomic writes: a file appears complete, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mnist_code.errors import FileError, reason

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def is_address(name: str | os.PathLike[str]) -> bool:
    """Whether a name is an address on the web or in an object store, such as gs://bucket/run."""
    return re.match(r"[a-z0-9]+://", str(name)) is not None


def cannot_write(path: str | os.PathLike[str], error: BaseException) -> FileError:
    """The error to raise where `path` could not be written, with advice."""
    name = getattr(error, "filename", None)
    if isinstance(error, FileNotFoundError) and name:
        folder = os.path.dirname(os.path.abspath(name))
        if not os.path.exists(folder):
            return FileError(
                f"Cannot write {path}: there is no folder {folder}. Create it, or choose "
                "another place."
            )
    full = getattr(error, "errno", None) in DISK_FULL
    advice = "Free some space" if full else "Choose another place"
    return FileError(f"Cannot write {path}: {reason(error)}. {advice}.")


def _target(path: str | os.PathLike[str]) -> Path:
    """The file at the end of a chain of links. Refuses folders, devices and pipes."""
    target = Path(os.path.realpath(path))
    try:
        os.lstat(target)
    except FileNotFoundError:
        return target
    except OSError as error:
        raise cannot_write(path, error) from error
    if not target.is_file():
        kind = "a folder" if target.is_dir() else "not a regular file"
        raise FileError(f"Cannot write {path}: it is {kind}. Give the name of a file.")
    return target


def _temporary(target: Path) -> Path:
    return target.with_name(f".{uuid.uuid4().hex}.part")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open `path` for binary writing. The file appears, complete, when the block ends.

    The bytes go to a temporary file in the same folder, are flushed to disk, and take the name in
    one step (`os.replace`). If the block raises, or the process is killed, the old file is intact.
    A kill can leave the temporary file, `.….part`, behind.

    Raises:
        FileError: the folder is missing or read-only, the disk is full, or `path` is a folder or a
            device.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "answer") as file:
        ...     _ = file.write(b"42")
        >>> (folder / "answer").read_bytes()
        b'42'
    """
    target = _target(path)
    temporary = _temporary(target)
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Provide an empty folder to fill. It moves to `path` when the block ends.

    Parent folders are created. An existing `path` is never replaced. A kill can leave the
    temporary folder, `.….part`, behind.

    Raises:
        FileError: `path` exists, its parent cannot be written, or the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp(), "model")
        >>> with atomic_folder(folder) as new:
        ...     _ = (new / "answer").write_text("42")
        >>> [file.name for file in folder.iterdir()]
        ['answer']
    """
    target = Path(path)
    if os.path.lexists(target):
        raise FileError(
            f"Cannot write {path}: it already exists. Choose another name, or delete it."
        )
    temporary = _temporary(target)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(target)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Fail now, not after an hour of training, if `path` can't be written.

    Raises:
        FileError: as for `atomic_write`.
    """
    temporary = _temporary(_target(path))
    try:
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error
