"""The record: measurements that take too long for a notebook, made once by `make bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("record.json")


def load() -> dict[str, Any]:
    """Read the record: its parts, one for each question, and the machine that measured each.

    Example:
        >>> record = load()
        >>> sorted(record), sorted(record["parts"]) == sorted(record["machines"])
        (['machines', 'parts'], True)
    """
    return json.loads(PATH.read_text(encoding="utf-8"))
