"""Standard output and error on any console, even one that lacks some of our characters."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from collections.abc import Iterator

from mnist_code.errors import OutputError, reason

PLAIN = {"–": "-", "−": "-", "·": ".", "×": "x", "…": "...", "’": "'"}


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What to print instead of characters that the console's encoding lacks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    escaped = (c.encode("ascii", "backslashreplace").decode() for c in missing)
    return "".join(map(PLAIN.get, missing, escaped)), error.end


codecs.register_error("mnist_code.plain", _plain)


class _Output:
    """Standard output that remembers its own error, to tell it apart from that of a file."""

    def __init__(self, stream):
        self._stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        with self._remembering():
            return self._stream.write(text)

    def flush(self):
        with self._remembering():
            self._stream.flush()

    @contextlib.contextmanager
    def _remembering(self):
        try:
            yield
        except OSError as error:
            self.error = error
            raise


@contextlib.contextmanager
def checked_output() -> Iterator[None]:
    """Let the block print, and tell an error of standard output apart from all others.

    Raises:
        OutputError: standard output is closed, or what it goes to is full or gone.
        SystemExit: the reader of standard output has stopped, as `head` does; the code is 1.
    """
    # It was closed; print() and tqdm would fall back on standard output
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        raise OutputError(
            "Cannot print: standard output is closed. Send it to a file, or to /dev/null."
        )
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="mnist_code.plain")
    output = _Output(sys.stdout)
    try:
        with contextlib.redirect_stdout(output):
            yield
            output.flush()
    except OSError as error:
        if error is not output.error:
            raise
        # Python flushes standard output once more as it exits; that must not fail as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # `head` has read enough
            raise SystemExit(1) from None
        raise OutputError(
            f"Cannot print: {reason(error)}. Free some space, or send the output elsewhere."
        ) from error
