"""The record: figures measured once by `make bench`, because they take too long for a notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("record.json")


def load() -> dict[str, Any]:
    """Read the record: the machine it was made on, and one part per question.

    Example:
        >>> sorted(load())
        ['machine', 'parts']
    """
    return json.loads(PATH.read_text(encoding="utf-8"))
