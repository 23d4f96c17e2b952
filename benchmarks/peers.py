"""The same network, trained by several programs: each in a process of its own.

`python -m benchmarks.peers NAME` reads "go" from standard input, trains for one epoch, counts what
is right, waits for the results, and answers with a line of JSON; at the end of its input it ends.

All take batches of 32 of the same 60,000 images, scaled to 0..1, at a learning rate of 1.0, and
start from normal noise of scale 0.01. All shuffle again for each epoch, and keep the images ready
in the form that suits their library best. The published program runs as published: it is fed by
tf.data, does not shuffle, and lowers its learning rate a little in every epoch.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_code import data

BATCH, RATE, HIDDEN, SCALE = 32, 1.0, 512, 0.01
Program = tuple[Callable[[], None], Callable[[], tuple[int, int]]]  # train, count right


def vectors() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, test images and labels."""
    dataset = data.load()
    return (
        data.as_vectors(dataset.train_images), dataset.train_labels,
        data.as_vectors(dataset.test_images), dataset.test_labels,
    )  # fmt: skip


def ours() -> Program:
    """`train_epoch` and `accuracy` of this package."""
    import jax
    import jax.numpy as jnp

    from mnist_code.evaluation import predicted_labels
    from mnist_code.learning import train_epoch
    from mnist_code.model import init_network_params

    x, y, test_x, test_y = map(jnp.asarray, vectors())
    state: dict[str, Any] = {
        "params": init_network_params(jax.random.key(0)),
        "epoch": 0,
    }

    def train():
        key = jax.random.fold_in(jax.random.key(1), state["epoch"])
        state["params"], _ = train_epoch(state["params"], x, y, key, RATE, BATCH)
        state["epoch"] += 1
        jax.block_until_ready(state["params"])

    def right(images, labels):
        return int(jnp.sum(predicted_labels(state["params"], images) == labels))

    return train, lambda: (right(x, y), right(test_x, test_y))


def published(compiled: bool) -> Program:
    """The program of chapter 2 of "Deep Learning with JAX", from its description."""
    import jax
    import jax.numpy as jnp
    from jax.nn import one_hot, swish
    from jax.scipy.special import logsumexp

    name = data.prepare()
    sets = [data.pipeline(name, split, BATCH) for split in ("train", "test")]

    def init(key, sizes=(784, HIDDEN, 10)):
        keys = jax.random.split(key, 3)
        params = []
        for layer_key, fan_in, fan_out in zip(keys, sizes, sizes[1:], strict=False):
            w, b = jax.random.split(layer_key)
            params.append(
                (
                    SCALE * jax.random.normal(w, (fan_out, fan_in)),
                    SCALE * jax.random.normal(b, (fan_out,)),
                )
            )
        return params

    def predict(params, image):
        *hidden, (weights, biases) = params
        for w, b in hidden:
            image = swish(w @ image + b)
        logits = weights @ image + biases
        return logits

    batched = jax.vmap(predict, in_axes=(None, 0))

    def loss(params, images, targets):
        logits = batched(params, images)
        return -jnp.mean(targets * (logits - logsumexp(logits)))

    def update(params, x, y, epoch):
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        rate = RATE * 0.95 ** (epoch / 5)
        new = [
            (w - rate * dw, b - rate * db)
            for (w, b), (dw, db) in zip(params, gradients, strict=True)
        ]
        return new, value

    def batch_accuracy(params, images, targets):
        predicted = jnp.argmax(batched(params, images), axis=1)
        return jnp.mean(predicted == jnp.argmax(targets, axis=1))

    if compiled:
        update, batch_accuracy = jax.jit(update), jax.jit(batch_accuracy)
    state = {"params": init(jax.random.key(0)), "epoch": 0}

    def train():
        params = state["params"]
        for images, labels in sets[0]:
            x = jnp.reshape(images, (len(images), 784))
            params, _ = update(params, x, one_hot(labels, 10), state["epoch"])
        state["params"] = jax.block_until_ready(params)
        state["epoch"] += 1

    def right(batches):
        total = 0.0
        for images, labels in batches:
            x = jnp.reshape(images, (len(images), 784))
            part = batch_accuracy(state["params"], x, one_hot(labels, 10))
            total += float(part) * len(labels)
        return round(total)

    return train, lambda: (right(sets[0]), right(sets[1]))


def numpy() -> Program:
    """Forward and backward pass by hand."""
    x, y, test_x, test_y = vectors()
    rng = np.random.default_rng(0)
    w1, b1, w2, b2 = (
        rng.normal(0, SCALE, shape).astype(np.float32)
        for shape in ((784, HIDDEN), (HIDDEN,), (HIDDEN, 10), (10,))
    )
    targets = np.eye(10, dtype=np.float32)[y]
    rate = np.float32(RATE)

    def train():
        order = rng.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            image = x[rows]
            z = image @ w1 + b1
            gate = 1 / (1 + np.exp(-z))
            hidden = z * gate
            logits = hidden @ w2 + b2
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            d_logits = (p - targets[rows]) / BATCH
            d_z = d_logits @ w2.T * (gate + hidden * (1 - gate))
            w2[...] -= rate * (hidden.T @ d_logits)
            b2[...] -= rate * d_logits.sum(0)
            w1[...] -= rate * (image.T @ d_z)
            b1[...] -= rate * d_z.sum(0)

    def right(images, labels):
        total = 0
        for start in range(0, len(images), 1000):
            z = images[start : start + 1000] @ w1 + b1
            logits = z / (1 + np.exp(-z)) @ w2 + b2
            total += int((logits.argmax(1) == labels[start : start + 1000]).sum())
        return total

    return train, lambda: (right(x, y), right(test_x, test_y))


def pytorch(compiled: bool) -> Program:
    """A `Sequential`, cross-entropy and SGD; tensors stay in memory, no loader between."""
    import torch

    torch.manual_seed(0)
    x, y, test_x, test_y = map(torch.from_numpy, vectors())
    y, test_y = y.long(), test_y.long()
    model = torch.nn.Sequential(
        torch.nn.Linear(784, HIDDEN), torch.nn.SiLU(), torch.nn.Linear(HIDDEN, 10)
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=SCALE)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    cross_entropy = torch.nn.CrossEntropyLoss()

    def step(images, labels):
        optimizer.zero_grad(set_to_none=True)
        value = cross_entropy(model(images), labels)
        value.backward()
        optimizer.step()

    if compiled:
        step = torch.compile(step)

    def train():
        order = torch.randperm(len(x))
        for rows in order[: len(x) // BATCH * BATCH].view(-1, BATCH):
            step(x[rows], y[rows])

    def right(images, labels):
        with torch.inference_mode():
            parts = zip(images.split(1000), labels.split(1000), strict=True)
            return sum(int((model(a).argmax(1) == b).sum()) for a, b in parts)

    return train, lambda: (right(x, y), right(test_x, test_y))


def keras() -> Program:
    """`fit` and `predict` of Keras, on the backend that KERAS_BACKEND names."""
    import keras

    keras.utils.set_random_seed(0)
    x, y, test_x, test_y = vectors()
    noise = keras.initializers.RandomNormal(stddev=SCALE, seed=0)
    layers = [
        keras.layers.Dense(units, kernel_initializer=noise, bias_initializer=noise)
        for units in (HIDDEN, 10)
    ]
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers[0],
            keras.layers.Activation("swish"),
            layers[1],
        ]
    )
    model.compile(
        optimizer=keras.optimizers.SGD(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )

    def train():
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)

    def right(images, labels):
        logits = model.predict(images, batch_size=1000, verbose=0)
        return int((logits.argmax(1) == labels).sum())

    return train, lambda: (right(x, y), right(test_x, test_y))


def flax() -> Program:
    """Flax NNX with Optax: a module, a compiled step, arrays on the device."""
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    x, y, test_x, test_y = map(jnp.asarray, vectors())
    noise = nnx.initializers.normal(SCALE)

    class Network(nnx.Module):
        def __init__(self, rngs):
            options = {"kernel_init": noise, "bias_init": noise, "rngs": rngs}
            self.hidden = nnx.Linear(784, HIDDEN, **options)
            self.output = nnx.Linear(HIDDEN, 10, **options)

        def __call__(self, images):
            return self.output(nnx.swish(self.hidden(images)))

    network = Network(nnx.Rngs(0))
    optimizer = nnx.Optimizer(network, optax.sgd(RATE), wrt=nnx.Param)
    rng = np.random.default_rng(0)

    def loss(network, images, labels):
        return optax.softmax_cross_entropy_with_integer_labels(
            network(images), labels
        ).mean()

    @nnx.jit
    def step(network, optimizer, images, labels, rows):
        value, gradients = nnx.value_and_grad(loss)(network, images[rows], labels[rows])
        optimizer.update(network, gradients)
        return value

    @nnx.jit
    def count(network, images, labels):
        return jnp.sum(network(images).argmax(1) == labels)

    cached = nnx.cached_partial(step, network, optimizer)

    def train():
        order = rng.permutation(len(x))[: len(x) // BATCH * BATCH]
        for rows in order.reshape(-1, BATCH):
            cached(x, y, rows)
        jax.block_until_ready(nnx.state(network))

    def right(images, labels):
        starts = range(0, len(images), 1000)
        return sum(
            int(count(network, images[i : i + 1000], labels[i : i + 1000]))
            for i in starts
        )

    return train, lambda: (right(x, y), right(test_x, test_y))


PROGRAMS: dict[str, Callable[[], Program]] = {
    "this book": ours,
    "published, not compiled": lambda: published(compiled=False),
    "published, compiled": lambda: published(compiled=True),
    "NumPy": numpy,
    "PyTorch": lambda: pytorch(compiled=False),
    "PyTorch, compiled": lambda: pytorch(compiled=True),
    "Keras on TensorFlow": keras,
    "Keras on JAX": keras,
    "Flax NNX": flax,
}
BACKENDS = {"Keras on TensorFlow": "tensorflow", "Keras on JAX": "jax"}


def serve(name: str) -> None:
    """Run one epoch and one evaluation for each line of standard input."""
    if name in BACKENDS:
        os.environ["KERAS_BACKEND"] = BACKENDS[name]
    # Libraries print what they like; only the answers may reach the real standard output.
    answers, sys.stdout = sys.stdout, sys.stderr
    train, count = PROGRAMS[name]()
    print("ready", file=answers, flush=True)  # the images are loaded
    for _ in sys.stdin:
        start = time.perf_counter()
        train()
        trained = time.perf_counter()
        train_right, test_right = count()
        answer = {
            "train_seconds": trained - start,
            "evaluate_seconds": time.perf_counter() - trained,
            "train_right": train_right,
            "test_right": test_right,
        }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
