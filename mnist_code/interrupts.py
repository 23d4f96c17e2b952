"""Ctrl-C: JAX may lose it in one of its callbacks, and crash when Python shuts down after it."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130  # the exit status that a shell expects after Ctrl-C
_pressed = False


def end(signum: int | None = None, frame: FrameType | None = None) -> None:
    """Exit without Python's shutdown, in which JAX would crash if it is still compiling."""
    os._exit(INTERRUPTED)


def interrupt(signum: int, frame: FrameType | None) -> None:
    """Let the command say what it saved; another Ctrl-C does not wait for that."""
    global _pressed
    _pressed = True
    signal.signal(signal.SIGINT, end)
    raise KeyboardInterrupt


def raise_if_lost() -> None:
    """Raise the KeyboardInterrupt of a Ctrl-C that got lost on its way.

    An exception cannot leave a function that C++ calls, such as JAX's hook into garbage collection.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed, and yet the program went on.
    """
    if _pressed:
        raise KeyboardInterrupt


def report_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Report an error that Python had to drop, but not a Ctrl-C: `raise_if_lost` raises that."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
