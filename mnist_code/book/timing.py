"""Timing that doesn't fool you: wait for results, separate the first call, report the median."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


@dataclass(frozen=True)
class Timing:
    """How long calls of a function took, in seconds."""

    first: float  # the first call, which traces and compiles if the function is jitted
    steady: float  # the median of the later calls

    @property
    def compilation(self) -> float:
        """How much longer the first call took than the later ones, and never less than 0."""
        return max(self.first - self.steady, 0.0)

    def __str__(self) -> str:
        return f"first call {pretty(self.first)}, later calls {pretty(self.steady)}"


def measure(
    function: Callable, *arguments: Any, repeats: int = 20, seconds: float = 2.0
) -> Timing:
    """Time calls of `function(*arguments)`, and wait for the result of each.

    JAX returns before the device has finished, so stopping the clock right away would report too
    little. To see how long compiling takes, pass a function that hasn't been called yet, such as
    a new `jax.jit(f)`.

    Args:
        function: the function to time. If it donates its arguments, wrap it in a function that
            copies them first.
        arguments: what to pass to the function.
        repeats: the maximum number of calls after the first, at least 1.
        seconds: the time after which no new call is started.

    Returns:
        The time of the first call, and the median of the later ones, of which there's at least one.

    Example:
        >>> timing = measure(jax.jit(lambda x: x + 1), 1.0, repeats=3)
        >>> timing.first > timing.steady > 0
        True
    """
    return compare({"it": function}, *arguments, repeats=repeats, seconds=seconds)["it"]


def compare(
    functions: Mapping[str, Callable],
    *arguments: Any,
    repeats: int = 20,
    seconds: float = 2.0,
) -> dict[str, Timing]:
    """Time several functions on the same arguments.

    The functions take turns, so whatever slows the machine down slows all of them down.

    Args:
        functions: the functions to time, by name.
        arguments: what to pass to each function.
        repeats: the maximum number of rounds after the first, at least 1.
        seconds: the time per function after which no new round is started.

    Returns:
        The timing of each function, by name.

    Example:
        >>> timings = compare({"sum": sum, "sorted": sorted}, range(1000), repeats=3)
        >>> list(timings)
        ['sum', 'sorted']
    """
    if repeats < 1:
        raise ValueError(f"repeats must be 1 or more, not {repeats}")
    first = {name: _seconds(f, arguments) for name, f in functions.items()}
    later: dict[str, list[float]] = {name: [] for name in functions}
    start = time.perf_counter()
    for _ in range(repeats):
        for name, function in functions.items():
            later[name].append(_seconds(function, arguments))
        if time.perf_counter() - start > seconds * len(functions):
            break
    return {
        name: Timing(first[name], statistics.median(later[name])) for name in functions
    }


def pretty(seconds: float) -> str:
    """Format a time with three significant digits and a suitable unit.

    Example:
        >>> pretty(0.0123456), pretty(73.21), pretty(2e-7)
        ('12.3 ms', '73.2 s', '200 ns')
    """
    unit, size = next((u for u in UNITS if seconds >= u[1]), UNITS[-1])
    value = seconds / size
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{digits}f} {unit}"


def _seconds(function: Callable, arguments: tuple) -> float:
    start = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start
