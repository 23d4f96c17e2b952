"""How close an epoch comes to the speed of its matrix products alone, and where the rest goes.

The ceiling is the best rate at which XLA multiplies float32 matrices of an update's shapes on this
machine. The processor's peak may be higher, and so may other libraries or types. The profile is
XLA's own: the time of each operation of a compiled epoch.
"""

from __future__ import annotations

import re
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_code.learning import train_epoch
from mnist_code.model import init_network_params

PIXELS, HIDDEN, CLASSES = 784, 512, 10


def operations(images: int) -> int:
    """Multiplications and additions in the products of an epoch: forward, and backward.

    For each image, a weight takes part in one multiply-add on the way forward and in one for its
    own gradient. Weights of the last layer take part in another, for the gradient of their inputs.
    """
    return images * 2 * (2 * PIXELS * HIDDEN + 3 * HIDDEN * CLASSES)


def products(x, batch_size: int, rounds: int = 5) -> dict[str, float]:
    """The best rate, in GFLOP/s, of each large product of an update, at its own shapes.

    The products run one after another in one compiled call, as in an epoch, so that no time is
    spent on calls.
    """
    count = min(len(x), 200 * batch_size) // batch_size
    batches = x[: count * batch_size].reshape(count, batch_size, PIXELS)
    (weights, _), _ = init_network_params(jax.random.key(0))
    d_hidden = jax.random.normal(jax.random.key(1), (batch_size, HIDDEN))
    work = {
        "forward": lambda batch: batch @ weights.T,
        "gradient": lambda batch: d_hidden.T @ batch,
    }
    done = 2 * count * batch_size * PIXELS * HIDDEN
    rates = {}
    for name, product in work.items():
        start = jnp.zeros(jax.eval_shape(product, batches[0]).shape)

        @jax.jit
        def one_by_one(start, batches, product=product):
            def step(_, batch):
                return product(batch), None

            return jax.lax.scan(step, start, batches)[0]

        times = []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            jax.block_until_ready(one_by_one(start, batches))
            times.append(time.perf_counter() - begin)
        rates[name] = done / min(times) / 1e9
    return rates


def measure(x, y, batch_size: int, repeats: int = 5) -> dict[str, Any]:
    """The rate of a compiled epoch beside the best rate of its products: GFLOP/s.

    The ceiling is the faster of the two products. Rounds of both take turns.
    """
    params = init_network_params(jax.random.key(0))
    times, rates = [], []
    for _ in range(repeats + 1):  # the first compiles
        copy = jax.block_until_ready(jax.tree.map(jnp.copy, params))
        start = time.perf_counter()
        jax.block_until_ready(
            train_epoch(copy, x, y, jax.random.key(1), 0.1, batch_size)
        )
        times.append(time.perf_counter() - start)
        rates.append(products(x, batch_size, rounds=1))
    seconds = float(np.median(times[1:]))
    rate = operations(len(x) // batch_size * batch_size) / seconds / 1e9
    best = {name: max(each[name] for each in rates) for name in rates[0]}
    return {
        "epoch_seconds": seconds,
        "epoch_gflops": rate,
        "forward_gflops": best["forward"],
        "gradient_gflops": best["gradient"],
        "share": rate / max(best.values()),
    }


KINDS = {  # what XLA's names for operations mean here; the first that fits
    "dot|ynn|matmul": "matrix products",
    "gather": "picking the batch",
    "sort|xor|shift|iota|reduce-window": "drawing the order",
    "multiply_subtract": "changing the parameters",
    "": "swish, softmax and the rest",
}


def profile(x, y, batch_size: int) -> dict[str, float]:
    """The seconds of a compiled epoch that go to each kind of operation, by XLA's own clock."""
    params = init_network_params(jax.random.key(0))
    arguments = x, y, jax.random.key(1), 0.1, batch_size
    params, _ = jax.block_until_ready(train_epoch(params, *arguments))
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(train_epoch(params, *arguments))
        (file,) = Path(folder).rglob("*.xplane.pb")
        data = jax.profiler.ProfileData.from_file(str(file))
    seconds = dict.fromkeys(KINDS.values(), 0.0)
    for plane in data.planes:
        for line in plane.lines:
            for event in line.events:
                # "while" and "call" contain the others.
                if event.name.startswith(("while", "call")):
                    continue
                if any(name == "hlo_op" for name, _ in event.stats):
                    kind = next(k for k in KINDS if re.search(k, event.name))
                    seconds[KINDS[kind]] += event.duration_ns / 1e9
    return seconds
