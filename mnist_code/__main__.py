"""`python -m mnist_code` runs the command line."""

import sys

from mnist_code.cli import main

if __name__ == "__main__":
    sys.exit(main())
