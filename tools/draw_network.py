"""Train the network that the page `draw` runs, and write it as a script: `make network`.

It is the program of chapter 9 as it stands: 25 epochs on MNIST, seed 0. It takes half a minute.
Weights of pixels that are dark in every training image were never trained; they are set to zero.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from mnist_code import browser, data
from mnist_code.config import DATASETS, Config
from mnist_code.errors import MnistCodeError
from mnist_code.evaluation import accuracy
from mnist_code.files import atomic_write, check_writable
from mnist_code.training import epochs

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Train, round to 8 bits, count what is right before and after, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dataset", choices=DATASETS, default="mnist", help="default: %(default)s"
    )
    parser.add_argument(
        "--epochs", type=int, default=Config.epochs, help="default: %(default)s"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "_static" / "network.js", metavar="FILE"
    )
    options = parser.parse_args(arguments)
    try:
        check_writable(options.out)
        config = Config(epochs=options.epochs)
        dataset = data.load(options.dataset)
        for epoch in tqdm(
            epochs(dataset, config), total=config.epochs, unit="epoch", disable=None
        ):
            params = epoch.params
        (weights, biases), *others = params
        inked = (dataset.train_images > 0).any(axis=0).ravel()
        kept = [(weights * inked, biases), *others]
        rounded = []
        for weights, biases in kept:
            integers, steps = browser.quantize(np.asarray(weights))
            rounded.append((jnp.asarray(integers * steps[:, None]), biases))
        images = jnp.asarray(data.as_vectors(dataset.test_images))
        labels = jnp.asarray(dataset.test_labels)
        count = len(labels)
        facts: dict[str, int | str] = {
            "dataset": dataset.name,
            "images": count,
            "right": round(accuracy(params, images, labels) * count),
            "right_in_8_bits": round(accuracy(rounded, images, labels) * count),
        }
        # The first test image of each digit.
        first = np.array(
            [np.argmax(dataset.test_labels == digit) for digit in range(10)]
        )
        text = browser.script(
            kept, dataset.test_images[first], dataset.test_labels[first], facts
        )
        with atomic_write(options.out) as file:
            file.write(text.encode())
    except MnistCodeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {len(text.encode()):,} bytes, {facts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
