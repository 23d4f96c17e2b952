"""The record: measurements that take too long for a notebook, made once by `make bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("record.json")


def load() -> dict[str, Any]:
    """Read the record, which names the machine and has one part for each question.

    Example:
        >>> sorted(load())
        ['machine', 'parts']
    """
    return json.loads(PATH.read_text(encoding="utf-8"))
