"""`python -m mnist_code` runs the command line."""

import os
import signal
import sys

if __name__ == "__main__":
    # Imports take a moment. Ctrl-C then ends the program at once, as it does later in `main`.
    usual = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from mnist_code.cli import main

    signal.signal(signal.SIGINT, usual)
    sys.exit(main())
