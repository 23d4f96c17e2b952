"""Time functions honestly: wait for the result, keep the first call apart, take the median."""

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
    """What calls of a function took, in seconds."""

    first: float  # the first call: of a compiled function, tracing and compilation included
    steady: float  # the median of the later calls

    @property
    def compilation(self) -> float:
        """What the first call took longer than the later ones, at least 0."""
        return max(self.first - self.steady, 0.0)

    def __str__(self) -> str:
        return f"first call {pretty(self.first)}, later calls {pretty(self.steady)}"


def measure(
    function: Callable, *arguments: Any, repeats: int = 20, seconds: float = 2.0
) -> Timing:
    """Time calls of `function(*arguments)`, each until its result is there.

    JAX returns before the device has finished; a time read then is too short. To see compilation,
    pass a function that was not called before, such as a fresh `jax.jit(f)`.

    Args:
        function: what to time; if it donates its arguments, wrap it so that it makes them anew.
        arguments: for the function.
        repeats: later calls at most, 1 or more.
        seconds: no further call is begun after this time.

    Returns:
        The time of the first call, and the median of the later ones (at least one).

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
    """Time several functions on the same arguments, taking turns, so that all meet the same moment.

    Args:
        functions: by name.
        arguments: for every function.
        repeats: rounds of later calls at most, 1 or more.
        seconds: no further round is begun after this time, times the number of functions.

    Returns:
        A timing per name.

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
    """A time with the unit that suits it, to three digits.

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
