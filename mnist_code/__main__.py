import sys

from mnist_code.cli import main

if __name__ == "__main__":
    sys.exit(main())
