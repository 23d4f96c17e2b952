"""`python -m benchmarks [PART …]`: measure what the record lacks, and print its tables."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.parts import LONG, PARTS
from benchmarks.record import Record
from benchmarks.tables import TABLES, heading
from mnist_code.book.record import PATH
from mnist_code.config import DATASETS
from mnist_code.errors import MnistCodeError
from mnist_code.interrupts import INTERRUPTED


def main(arguments: list[str] | None = None) -> int:
    """Run the named parts, or all that take minutes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure this program, alone and beside its peers. What the record already "
        "holds is not measured again, so an interrupted run continues where it stopped.",
        epilog="\n".join(f"{name:10}{part.__doc__}" for name, part in PARTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"which to run (default: all but {' and '.join(LONG)})",
    )
    parser.add_argument(
        "--record",
        type=Path,
        default=PATH,
        metavar="FILE",
        help="where the measurements are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--dataset", choices=DATASETS, default="mnist", help="default: %(default)s"
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="measure again what the record already holds",
    )
    parser.add_argument(
        "--show", action="store_true", help="print the tables and measure nothing"
    )
    options = parser.parse_args(arguments)
    default = [name for name in PARTS if options.show or name not in LONG]
    names = options.parts or default
    if unknown := set(names) - set(PARTS):
        parser.error(
            f"no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}"
        )
    try:
        record = Record(options.record, options.again)
        machine = None
        for name in names:
            if not options.show:
                PARTS[name](record, options.dataset)
            if name not in record.parts:
                continue
            if machine != record.machines[name]:
                machine = record.machines[name]
                print("\n" + heading(machine))
            print("\n" + TABLES[name](record.parts[name]), flush=True)
    except MnistCodeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the record keeps what was measured", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
