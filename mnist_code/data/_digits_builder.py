"""The embedded digits as a TensorFlow Datasets builder, with the features of `mnist`.

Importing this module registers the name: afterwards `tfds.load("digits")` works.
"""

from __future__ import annotations

import tensorflow_datasets as tfds

from mnist_code.config import NUM_CLASSES, SIDE
from mnist_code.data._digits import VERSION, embedded_digits


class Digits(tfds.core.GeneratorBasedBuilder):
    """1,797 handwritten digits from scikit-learn, in MNIST's form."""

    VERSION = tfds.core.Version(VERSION)

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description="1,797 handwritten digits (UCI optdigits, by way of scikit-learn), "
            "enlarged from 8 × 8 pixels to MNIST's form.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIDE, SIDE, 1)),
                    "label": tfds.features.ClassLabel(num_classes=NUM_CLASSES),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            disable_shuffling=True,  # the arrays are already in random order
        )

    def _split_generators(self, dl_manager):
        arrays = embedded_digits()
        return {
            split: self._generate_examples(arrays, split) for split in ("train", "test")
        }

    def _generate_examples(self, arrays, split):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield index, {"image": image, "label": int(label)}
