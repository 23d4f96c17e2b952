"""`python -m mnist_code` runs the command line, and ends at once after Ctrl-C."""

import os
import signal
import sys

from mnist_code.errors import INTERRUPTED


def _end(*_) -> None:
    """End without Python's shutdown, during which JAX may still compile, and would crash."""
    os._exit(INTERRUPTED)


def _interrupt(*_) -> None:
    """Let the command say what it saved; another Ctrl-C does not wait for that."""
    signal.signal(signal.SIGINT, _end)
    raise KeyboardInterrupt


if __name__ == "__main__":
    # Imports take a moment, and some turn Ctrl-C into another error: here it ends all at once.
    signal.signal(signal.SIGINT, _end)
    from mnist_code.cli import main

    try:
        signal.signal(signal.SIGINT, _interrupt)
        status = main()
    except KeyboardInterrupt:
        status = INTERRUPTED
    signal.signal(signal.SIGINT, _end)
    if status == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        _end()
    sys.exit(status)
