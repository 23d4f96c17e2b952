"""What is measured: a function for each part, which keeps each figure as soon as it has it.

Measurements that need a fresh start run in a process of their own, without a compilation cache.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from benchmarks import machine
from benchmarks.peers import PROGRAMS
from benchmarks.record import Record
from benchmarks.serving import SERVERS, measure
from mnist_code import data
from mnist_code.errors import MnistCodeError

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 4  # epochs of each program; the first compiles, and the others' median counts
SEEDS = {"fast": 10, "accurate": 3, "committee": 1, "distilled": 3}
LONG = ("committee", "distilled")  # these run only when they are named
RUNS = ROOT / "benchmarks" / "runs"  # what the long runs need to go on where they were
BATCH_SIZES = (32, 128, 512, 2048, 4096)
WIDTHS = (128, 512, 2048, 4096)


class PartError(MnistCodeError):
    """A program of the benchmark ended with an error."""


def environment(dataset: str) -> dict[str, str]:
    """This process's, with JAX's compilation cache off, TensorFlow quiet, and GPUs hidden."""
    known = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION")}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    quiet["PYTHONPATH"] = os.pathsep.join(paths)
    return {**known, **quiet, "MNIST_CODE_DATASET": dataset}


def run(arguments: Iterable[object], dataset: str) -> tuple[float, str]:
    """Run Python to its end; return the wall-clock seconds and what it printed."""
    command = [sys.executable, *map(str, arguments)]
    start = time.perf_counter()
    result = subprocess.run(
        command, env=environment(dataset), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if result.returncode:
        raise PartError(
            f"{' '.join(command[1:])} failed:\n{result.stderr.strip()[-2000:]}"
        )
    return seconds, result.stdout


def epoch(record: Record, dataset: str) -> None:
    """An epoch of the same network by several programs, taking turns."""
    names = list(PROGRAMS)
    if machine.version("torch") is None:
        names = [name for name in names if "PyTorch" not in name]
        print("PyTorch is not installed: left out (pip install torch)")
    if not any(record.wants("epoch", name) for name in names):
        return
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with _workers(names, dataset) as workers:
        turns = [name for _ in range(ROUNDS) for name in names]
        for name in tqdm(turns, desc="epochs", disable=None, leave=False):
            # The others are stopped: threads of some libraries spin while they wait.
            process = psutil.Process(workers[name].pid)
            process.resume()
            print("go", file=workers[name].stdin, flush=True)
            answers[name].append(json.loads(_answer(name, workers[name])))
            process.suspend()
    for name, (first, *later) in answers.items():
        kinds = ("train_seconds", "evaluate_seconds")
        record.set("epoch", name, {
            **{k: statistics.median(answer[k] for answer in later) for k in kinds},
            **{f"first_{k}": first[k] for k in kinds},
            "epochs": ROUNDS,
            "train_right": later[-1]["train_right"],
            "test_right": later[-1]["test_right"],
        })  # fmt: skip


@contextlib.contextmanager
def _workers(names: list[str], dataset: str) -> Iterator[dict[str, subprocess.Popen]]:
    """A process for each program, ready and stopped; none is left behind."""
    workers: dict[str, subprocess.Popen] = {}
    try:
        for name in tqdm(names, desc="starting", disable=None, leave=False):
            workers[name] = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.peers", name], cwd=ROOT, text=True,
                env=environment(dataset), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            _answer(name, workers[name])  # it is ready
            psutil.Process(workers[name].pid).suspend()
        yield workers
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()


def _answer(name: str, worker: subprocess.Popen) -> str:
    line = worker.stdout.readline() if worker.stdout else ""
    if not line:
        raise PartError(f"{name} ended. See why: python -m benchmarks.peers {name!r}")
    return line


def ceiling(record: Record, dataset: str) -> None:
    """The rate of an epoch beside that of its matrix products, and where the rest goes."""
    import jax.numpy as jnp

    from benchmarks.ceiling import measure, profile

    digits = data.load(dataset)
    x = jnp.asarray(data.as_vectors(digits.train_images))
    y = jnp.asarray(digits.train_labels)
    for batch_size in (32, 128):
        if record.wants("ceiling", str(batch_size)):
            figures = measure(x, y, batch_size)
            figures["profile"] = profile(x, y, batch_size)
            record.set("ceiling", str(batch_size), figures)


def _train(recipe: str, seed: int, dataset: str) -> dict[str, float]:
    """`train --recipe …` as anybody would type it, from process start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        metrics = Path(folder) / "metrics"
        command = (
            "-m", "mnist_code", "train", "--recipe", recipe, "--seed", seed,
            "--out", Path(folder) / "params", "--metrics", metrics,
        )  # fmt: skip
        seconds, _ = run(command, dataset)
        lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    return {
        "seconds": seconds,
        "train_seconds": sum(line["train_seconds"] for line in lines),
        "test_accuracy": lines[-1]["test_accuracy"],
        "epochs": len(lines),
    }


def _recipe(recipe: str, record: Record, dataset: str) -> None:
    data.load(dataset)  # on disk before the clock starts
    seeds = [s for s in range(SEEDS[recipe]) if record.wants(recipe, str(s))]
    for seed in tqdm(seeds, desc=recipe, unit="seed", disable=None, leave=False):
        record.set(recipe, str(seed), _train(recipe, seed, dataset))


def fast(record: Record, dataset: str) -> None:
    """The quickest honest way to 98.12%: ten seeds, each a fresh process."""
    _recipe("fast", record, dataset)


def accurate(record: Record, dataset: str) -> None:
    """The same network at its best: three seeds, each a fresh process."""
    _recipe("accurate", record, dataset)


def _train_long(
    recipe: str, seed: int, dataset: str, *options: object
) -> dict[str, Any]:
    """`train --recipe …` with checkpoints: interrupted, it goes on after the last whole epoch.

    The seconds are those of the quickest epoch times the number of epochs, because an hour is
    rarely without a pause or other work.
    """
    folder = RUNS / f"{dataset}-{recipe}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    metrics = folder / "metrics"
    run(
        ["-m", "mnist_code", "train", "--recipe", recipe, "--seed", seed,
         "--checkpoints", folder / "checkpoints", "--resume",
         "--out", folder / "params.safetensors", "--metrics", metrics, *options],
        dataset,
    )  # fmt: skip
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    trained = len(lines) * min(line["train_seconds"] for line in lines)
    return {
        "seconds": trained + sum(line["evaluate_seconds"] for line in lines),
        "train_seconds": trained,
        "test_accuracy": lines[-1]["test_accuracy"],
        "epochs": len(lines),
    }


def committee(record: Record, dataset: str) -> None:
    """Many of these networks, trained side by side and averaged: half an hour, only if named."""
    import jax

    from mnist_code.checkpoint import Checkpoints
    from mnist_code.evaluation import accuracy
    from mnist_code.normalize import network_inputs
    from mnist_code.recipes import recipe_for

    digits = data.load(dataset)
    _, _, images, labels = data.on_device(digits)
    for seed in range(SEEDS["committee"]):
        if not record.wants("committee", str(seed)):
            continue
        figures = _train_long("committee", seed, dataset)
        config = dataclasses.replace(recipe_for("committee", digits.name), seed=seed)
        folder = RUNS / f"{dataset}-committee-{seed}" / "checkpoints"
        params = Checkpoints(folder, config, digits.name).newest().state.params
        figures["members"] = {}
        for name, members in params.items():
            seen = network_inputs(images, name)
            figures["members"][name] = [
                accuracy(jax.tree.map(lambda leaf, k=k: leaf[k], members), seen, labels)
                for k in range(len(members[0][0]))
            ]
        record.set("committee", str(seed), figures)


def distilled(record: Record, dataset: str) -> None:
    """One network that learns from that committee: three seeds, half an hour, only if named."""
    seeds = [s for s in range(SEEDS["distilled"]) if record.wants("distilled", str(s))]
    if not seeds:
        return
    teacher = RUNS / f"{dataset}-committee-0" / "params.safetensors"
    if "0" not in record.parts.get("committee", {}) or not teacher.exists():
        _train_long("committee", 0, dataset)
    for seed in tqdm(seeds, desc="distilled", unit="seed", disable=None, leave=False):
        figures = _train_long("distilled", seed, dataset, "--teacher", teacher)
        record.set("distilled", str(seed), figures)


def startup(record: Record, dataset: str) -> None:
    """What a run costs before it learns: imports, data, the first step; and memory."""
    if not record.wants("startup", "seconds"):
        return
    data.load(dataset)
    runs = [json.loads(run(["-m", "benchmarks.probe"], dataset)[1]) for _ in range(5)]
    medians = {name: statistics.median(r[name] for r in runs) for name in runs[0]}
    record.set("startup", "seconds", medians)


def growth(record: Record, dataset: str) -> None:
    """Time, memory and accuracy as the batch, and as the hidden layer, grows."""
    points = [(size, 512) for size in BATCH_SIZES]
    points += [(32, width) for width in WIDTHS if width != 512]
    data.load(dataset)
    for batch_size, width in tqdm(points, desc="growth", disable=None, leave=False):
        name = f"batch {batch_size}, width {width}"
        if record.wants("growth", name):
            probe = ("-m", "benchmarks.probe", batch_size, width)
            figures = json.loads(run(probe, dataset)[1])
            record.set("growth", name, figures)


def serving(record: Record, dataset: str) -> None:
    """What the server answers, by the number of its clients and how long it waits for others."""
    servers = [name for name in SERVERS if record.wants("serving", name)]
    for name in tqdm(servers, desc="serving", unit="server", disable=None, leave=False):
        record.set("serving", name, measure(SERVERS[name], environment(dataset)))


PARTS = {
    part.__name__: part
    for part in (
        epoch, ceiling, fast, accurate, startup, growth, serving, committee, distilled,
    )
}  # fmt: skip
