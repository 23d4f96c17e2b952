"""`python -m mnist_code` runs the command line, and ends at once after Ctrl-C."""

import signal
import sys

from mnist_code.interrupts import INTERRUPTED, end, interrupt, report_unraisable

if __name__ == "__main__":
    # Imports take a moment, and in some of them Ctrl-C would surface as another error.
    signal.signal(signal.SIGINT, end)
    from mnist_code.cli import main

    sys.unraisablehook = report_unraisable
    try:
        signal.signal(signal.SIGINT, interrupt)
        status = main()
    except KeyboardInterrupt:
        status = INTERRUPTED
    signal.signal(signal.SIGINT, end)
    if status == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        end()
    sys.exit(status)
