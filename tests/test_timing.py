"""Times that a reader can trust."""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import pytest

from mnist_code.book.timing import Timing, compare, measure, pretty


class Result:
    """Stands for an array whose device is still computing."""

    def __init__(self, seconds):
        self.seconds = seconds

    def block_until_ready(self):
        time.sleep(self.seconds)


def test_waits_for_the_result(monkeypatch):
    """A time read before the device has finished: the fault of the published program."""
    waited = []
    monkeypatch.setattr(jax, "block_until_ready", lambda r: waited.append(r))
    measure(lambda: "result", repeats=3)
    assert waited == ["result"] * 4


def test_includes_the_wait():
    """Waiting outside of what is timed."""
    timing = measure(lambda: Result(0.02), repeats=3)
    assert timing.first >= 0.02
    assert timing.steady >= 0.02


def test_keeps_the_first_call_apart():
    """Compilation, or another first cost, mixed into the median."""
    calls = []

    def slow_at_first():
        time.sleep(0 if calls else 0.05)
        calls.append(1)

    timing = measure(slow_at_first, repeats=5)
    assert len(calls) == 6
    assert timing.first >= 0.05
    assert timing.steady < 0.05
    assert timing.compilation == timing.first - timing.steady


def test_takes_the_median():
    """One slow call, as when another program gets its turn, that shifts the result."""
    pauses = iter([0, 0, 0.05, 0, 0, 0])
    assert measure(lambda: time.sleep(next(pauses)), repeats=5).steady < 0.02


def test_compiles_once():
    """A jitted function that is traced in the calls that count as steady."""
    traces = []

    @jax.jit
    def double(x):
        traces.append(x)
        return 2 * x

    measure(double, jnp.ones(3), repeats=4)
    assert len(traces) == 1


def test_functions_take_turns():
    """One function timed in a quiet minute and its rival in a busy one."""
    calls = []
    compare({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3)
    assert calls == ["a", "b"] * 4


def test_stops_when_its_time_is_up():
    """Twenty repeats of a call that takes a minute."""
    calls = []
    measure(lambda: calls.append(time.sleep(0.03)), repeats=20, seconds=0.05)
    assert 2 <= len(calls) <= 4


def test_needs_a_repeat():
    """A median of nothing."""
    with pytest.raises(ValueError, match="repeats must be 1 or more, not 0"):
        measure(lambda: None, repeats=0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(125.4, "125 s"), (9.996, "10.0 s"), (0.5, "500 ms"), (1e-6, "1.00 µs"), (0, "0.00 ns")],
)  # fmt: skip
def test_pretty(seconds, text):
    """A unit off by a thousand."""
    assert pretty(seconds) == text


def test_prints_both_times():
    """A timing that hides which part was compilation."""
    assert str(Timing(0.5, 0.002)) == "first call 500 ms, later calls 2.00 ms"
