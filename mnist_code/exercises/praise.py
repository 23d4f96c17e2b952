"""What a check says when it found nothing wrong."""

from __future__ import annotations


def praise(name: str) -> None:
    """Say that the check of this name is passed."""
    print(f"Right: {name} found nothing wrong.")
