"""Files written whole or not at all: errors, kills and full disks leave the old one."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys

import pytest

from mnist_code.errors import FileError
from mnist_code.files import check_writable, write_whole


@pytest.fixture
def old(tmp_path):
    """A file that is there already."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def test_a_block_that_ends_well_replaces_the_file(old):
    """A file that is only appended to, or leftovers beside it."""
    with write_whole(old) as file:
        file.write(b"new")
        file.flush()
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


def test_others_may_read_the_file(old):
    """The private mode of temporary files, kept."""
    with write_whole(old) as file:
        file.write(b"new")
    assert stat.S_IMODE(old.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, KeyboardInterrupt, SystemExit, OSError]
)
def test_an_error_leaves_the_old_file(old, error):
    """A half-written file that takes the name, or a temporary one that stays."""
    expected = FileError if error is OSError else error
    with pytest.raises(expected), write_whole(old) as file:  # noqa: PT012  the block is the test
        file.write(b"half")
        raise error
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_a_kill_leaves_the_old_file(old):
    """Bytes that reach the file itself before they are all there."""
    program = (
        "import sys, time; from mnist_code.files import write_whole\n"
        "with write_whole(sys.argv[1]) as file:\n"
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
        "import resource, sys; from mnist_code.files import write_whole\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "with write_whole(sys.argv[1]) as file: file.write(bytes(100_000))"
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
    with pytest.raises(FileError, match="no such file"):
        check_writable(tmp_path / "missing" / "file")
    with pytest.raises(FileError, match="not a directory"):
        check_writable(old / "file")
    check_writable(old)
    check_writable(tmp_path / "fresh")
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]
