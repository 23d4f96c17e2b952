"""The record: measurements that take too long for a notebook, made once by `make bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("record.json")


def load(path: Path = PATH) -> dict[str, Any]:
    """Read a record: its parts, one for each question, and the machine that measured each.

    Args:
        path: by default, the record that comes with the book.

    Example:
        >>> record = load()
        >>> sorted(record), sorted(record["parts"]) == sorted(record["machines"])
        (['machines', 'parts'], True)
    """
    return json.loads(path.read_text(encoding="utf-8"))
