"""Write the embedded digits as a script, for the page `train`: `make digits`.

They travel as scikit-learn has them, 8 × 8 pixels from 0 to 16, a letter for each. The page
enlarges them to MNIST's form as `mnist_code.data` does.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mnist_code.data._digits import split_digits
from mnist_code.errors import MnistCodeError
from mnist_code.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
LETTERS = "abcdefghijklmnopq"  # 0 to 16


def script() -> str:
    """A classic script that defines `DIGITS`: pixels and labels, in the package's order."""
    pictures, labels, parts = split_digits()
    packed = {
        name: {
            "labels": "".join(map(str, labels[places])),
            "pixels": "".join(LETTERS[int(p)] for p in pictures[places].ravel()),
        }
        for name, places in parts.items()
    }
    text = json.dumps(packed, separators=(",", ":"))
    return f"// Made by `make digits`; tools/train_digits.py says how.\nconst DIGITS = {text};\n"


def main(arguments: list[str] | None = None) -> int:
    """Pack and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "_static" / "train" / "digits.js",
        metavar="FILE",
    )
    options = parser.parse_args(arguments)
    text = script()
    try:
        with atomic_write(options.out) as file:
            file.write(text.encode())
    except MnistCodeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {len(text.encode()):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
