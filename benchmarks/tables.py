"""The record as text: a function for each part, used by the command and by the book."""

from __future__ import annotations

import statistics
from typing import Any

Part = dict[str, Any]


def heading(machine: Part) -> str:
    """The machine and the versions, two lines."""
    versions = ", ".join(f"{name} {v}" for name, v in machine["versions"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}\nPython {machine['python']}, {versions}"
    )


def epoch(part: Part) -> str:
    """Seconds of an epoch and of an evaluation, and what was right after the last."""
    lines = [
        f"{'an epoch of batches of 32':26}{'train':>8}{'evaluate':>10}{'right':>8}"
    ]
    for name, run in sorted(part.items(), key=lambda item: total(item[1])):
        lines.append(
            f"{name:26}{run['train_seconds']:6.2f} s{run['evaluate_seconds']:8.2f} s"
            f"{run['test_right']:8,}"
        )
    return "\n".join(lines)


def total(run: Part) -> float:
    """Seconds of training and evaluation together."""
    return run["train_seconds"] + run["evaluate_seconds"]


def ceiling(part: Part) -> str:
    """Rates, and where an epoch's time goes."""
    lines = []
    for batch_size, run in part.items():
        lines.append(
            f"batch {batch_size}: an epoch runs at {run['epoch_gflops']:.0f} GFLOP/s; its matrix "
            f"products alone at {run['forward_gflops']:.0f} (forward) and "
            f"{run['gradient_gflops']:.0f} (gradient): {run['share']:.0%} of the best"
        )
        whole = sum(run["profile"].values())
        for kind, seconds in sorted(run["profile"].items(), key=lambda item: -item[1]):
            lines.append(f"  {kind:30}{seconds / whole:6.1%}")
    return "\n".join(lines)


def recipe(part: Part) -> str:
    """Seeds, seconds from process start, and accuracies."""
    runs = list(part.values())
    seconds = sorted(run["seconds"] for run in runs)
    right = sorted(run["test_accuracy"] for run in runs)
    return (
        f"{len(runs)} seed{'s' * (len(runs) > 1)} of {runs[0]['epochs']} epochs: median "
        f"{statistics.median(seconds):.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f}); "
        f"right {statistics.mean(right):.2%} (from {right[0]:.2%} to {right[-1]:.2%})"
    )


def committee(part: Part) -> str:
    """The committee, and its members alone, by what they see."""
    lines = [recipe(part)]
    for run in part.values():
        for name, members in run["members"].items():
            lines.append(
                f"{len(members)} with normalization {name}, alone: right "
                f"{statistics.mean(members):.2%} "
                f"(from {min(members):.2%} to {max(members):.2%})"
            )
    return "\n".join(lines)


def startup(part: Part) -> str:
    """Seconds of each stage."""
    run = part["seconds"]
    stages = [
        f"  {name.replace('_', ' '):20}{seconds:6.2f} s"
        for name, seconds in run.items()
        if name != "peak_mb"
    ]
    return "\n".join(
        ["up to the first update", *stages, f"  peak memory {run['peak_mb']:.0f} MB"]
    )


def growth(part: Part) -> str:
    """A line for each batch size and width."""
    lines = [f"{'':26}{'epoch':>9}{'compile':>10}{'memory':>10}{'right after 3':>15}"]
    for name, run in part.items():
        lines.append(
            f"{name:26}{run['train_seconds']:7.2f} s{run['compile_seconds']:8.2f} s"
            f"{run['peak_mb']:7.0f} MB{run['test_accuracy']:15.2%}"
        )
    return "\n".join(lines)


def serving(part: Part) -> str:
    """A line for each server and number of clients."""
    lines = [f"{'':12}{'clients':>8}{'requests/s':>12}{'median':>11}{'99 %':>11}"]
    for server, rows in part.items():
        for clients, row in rows.items():
            lines.append(
                f"{server:12}{clients:>8}{row['requests_per_second']:12,.0f}"
                f"{row['median_ms']:8.1f} ms{row['slow_ms']:8.1f} ms"
            )
    return "\n".join(lines)


TABLES = {
    "epoch": epoch, "ceiling": ceiling, "fast": recipe, "accurate": recipe,
    "startup": startup, "growth": growth, "serving": serving, "committee": committee,
    "distilled": recipe,
}  # fmt: skip
