"""Files written whole or not at all: errors, kills and full disks leave the old one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest

from mnist_code.errors import FileError
from mnist_code.files import atomic_write, check_writable


@pytest.fixture
def old(tmp_path):
    """A file that is there already."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def test_a_block_that_ends_well_replaces_the_file(old):
    """A file that is only appended to, or leftovers beside it."""
    with atomic_write(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


def test_the_mode_is_the_old_files_or_the_users_choice(old):
    """A private file made public, or a new one that nobody else may read."""
    old.chmod(0o600)
    fresh = old.with_name("fresh")
    before = os.umask(0o027)
    try:
        for path in (old, fresh):
            with atomic_write(path) as file:
                file.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


def test_a_link_keeps_pointing_to_the_file(old):
    """A link replaced by a file of its own, and the file it led to left stale."""
    link = old.with_name("link")
    link.symlink_to(old)
    check_writable(link)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert old.read_bytes() == b"new"


def test_a_pipe_is_not_replaced(tmp_path):
    """A device such as /dev/null that turns into a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileError, match="not a regular file"):
        check_writable(pipe)
    with pytest.raises(FileError, match="not a regular file"), atomic_write(pipe):
        pass
    assert pipe.is_fifo()


def test_a_name_too_long_is_told_before(tmp_path):
    """A name that fails only once everything is computed."""
    check_writable(tmp_path / ("a" * 250))
    with atomic_write(tmp_path / ("a" * 250)) as file:
        file.write(b"new")
    with pytest.raises(FileError, match="name too long"):
        check_writable(tmp_path / ("a" * 260))


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, KeyboardInterrupt, SystemExit, OSError]
)
def test_an_error_leaves_the_old_file(old, error):
    """A half-written file that takes the name, or a temporary one that stays."""
    expected = FileError if error is OSError else error
    with pytest.raises(expected), atomic_write(old) as file:  # noqa: PT012  the block is the test
        file.write(b"half")
        raise error
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_a_kill_leaves_the_old_file(old):
    """Bytes that reach the file itself before they are all there."""
    program = (
        "import sys, time; from mnist_code.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); print('now', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, old], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    assert old.read_bytes() == b"old"


def test_a_full_disk_is_told_and_leaves_the_old_file(old, python):
    """An OSError that escapes, or a file that ends where the disk did."""
    program = (
        "import resource, sys; from mnist_code.files import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "with atomic_write(sys.argv[1]) as file: file.write(bytes(100_000))"
    )
    result = python("-c", program, old)
    assert "FileError: Cannot write" in result.stderr
    assert "file too large" in result.stderr
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_a_place_that_cannot_be_written_is_told_before(tmp_path, old):
    """An hour of training that ends in an error."""
    with pytest.raises(FileError, match="folder"):
        check_writable(tmp_path)
    with pytest.raises(FileError, match=r"there is no folder .*missing"):
        check_writable(tmp_path / "missing" / "file")
    with pytest.raises(FileError, match="not a directory"):
        check_writable(old / "file")
    check_writable(old)
    check_writable(tmp_path / "fresh")
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]
