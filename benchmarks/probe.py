"""One fresh process that looks at its own clock and memory, and prints a line of JSON.

Without arguments: what it costs to import, to load, to take the first step. With a batch size and a
width: three epochs of the classic program with these.
"""

from __future__ import annotations

import json
import resource
import sys
import time

start = time.perf_counter()


def since() -> float:
    """Seconds since the last call."""
    global start
    now = time.perf_counter()
    seconds, start = now - start, now
    return seconds


def peak_mb() -> float:
    """The largest memory that this process has had, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def first_step() -> dict[str, float]:
    """Seconds of each stage up to the first compiled update, and the memory at the end."""
    import jax

    figures = {"import_jax": since()}
    from mnist_code import data, learning, model

    figures["import_mnist_code"] = since()
    dataset = data.load()
    figures["load"] = since()
    images = jax.numpy.asarray(data.as_vectors(dataset.train_images[:32]))
    targets = jax.nn.one_hot(dataset.train_labels[:32], 10)
    params = jax.block_until_ready(model.init_network_params(jax.random.key(0)))
    figures["first_parameters"] = since()
    jax.block_until_ready(jax.jit(learning.update)(params, images, targets, 1.0))
    figures["first_step"] = since()
    return {**figures, "peak_mb": peak_mb()}


def three_epochs(batch_size: int, width: int) -> dict[str, float]:
    """Seconds of the faster of the last two epochs and of compilation, memory, and accuracy."""
    from mnist_code import data
    from mnist_code.config import Config
    from mnist_code.training import epochs

    config = Config(epochs=3, batch_size=batch_size, layer_sizes=(784, width, 10))
    history = list(epochs(data.load(), config))
    first, *later = (result.train_seconds for result in history)
    return {
        "train_seconds": min(later),
        "compile_seconds": max(first - min(later), 0.0),
        "peak_mb": peak_mb(),
        "test_accuracy": history[-1].test_accuracy or 0.0,
    }


if __name__ == "__main__":
    answers, sys.stdout = sys.stdout, sys.stderr
    arguments = [int(argument) for argument in sys.argv[1:]]
    figures = three_epochs(*arguments) if arguments else first_step()
    print(json.dumps(figures), file=answers)
