"""`python -m mnist_code` runs the command line."""

import os
import signal
import sys

from mnist_code.errors import INTERRUPTED

if __name__ == "__main__":
    # Imports take a moment, and some turn Ctrl-C into another error: here it ends all at once.
    usual = signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from mnist_code.cli import main

    try:
        signal.signal(signal.SIGINT, usual)
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
