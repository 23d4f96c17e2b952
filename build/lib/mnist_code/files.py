"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mnist_code.errors import FileError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _cannot_write(path: str | os.PathLike[str], error: OSError) -> FileError:
    reason = (error.strerror or str(error)).lower()
    advice = "Free some space" if error.errno in FULL else "Choose another place"
    return FileError(f"Cannot write {path}: {reason}. {advice}.")


def _target(path: str | os.PathLike[str]) -> Path:
    """The file behind a chain of links; never a folder, a device or a pipe."""
    target = Path(os.path.realpath(path))
    try:
        os.lstat(target)
    except FileNotFoundError:
        return target
    except OSError as error:
        raise _cannot_write(path, error) from error
    if not target.is_file():
        kind = "a folder" if target.is_dir() else "no regular file"
        raise FileError(f"Cannot write {path}: it is {kind}. Give the name of a file.")
    return target


@contextlib.contextmanager
def write_whole(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open `path` for binary writing; it appears, complete, only when the block ends well.

    The bytes go to a temporary file beside it, reach the disk, and take the name in one step
    (`os.replace`). After an error or a kill at any instant the old file, if any, is untouched.
    A kill can leave the temporary file, `.….part`.

    Raises:
        FileError: the folder is missing or read-only, the disk is full, or `path` is a folder or a
            device.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with write_whole(folder / "answer") as file:
        ...     _ = file.write(b"42")
        >>> (folder / "answer").read_bytes()
        b'42'
    """
    target = _target(path)
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
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
            raise _cannot_write(path, error) from error
        raise


@contextlib.contextmanager
def write_whole_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder to fill; it takes its place at `path` only when the block ends well.

    The folders above it are made. What is there already is never replaced. A kill can leave the
    temporary folder, `.….part`.

    Raises:
        FileError: `path` exists, or its place cannot be written, or the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp(), "model")
        >>> with write_whole_folder(folder) as new:
        ...     _ = (new / "answer").write_text("42")
        >>> [file.name for file in folder.iterdir()]
        ['answer']
    """
    target = Path(path)
    if os.path.lexists(target):
        raise FileError(
            f"Cannot write {path}: it exists already. Choose another name, or delete it."
        )
    temporary = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(target)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Fail now, not after an hour of training, if `path` could not be written at the end.

    Raises:
        FileError: as `write_whole`.
    """
    temporary = _target(path).with_name(f".{uuid.uuid4().hex}.part")
    try:
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise _cannot_write(path, error) from error
