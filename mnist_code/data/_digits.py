"""The embedded data set: real handwritten digits, available without a network.

scikit-learn comes with 1,797 digits of 8 × 8 pixels, the test part of the "Optical Recognition of
Handwritten Digits" data set of the UCI repository (E. Alpaydin and C. Kaynak, 1998). This
module gives them the form of MNIST, so any code that works with MNIST works with them.
"""

from __future__ import annotations

import numpy as np

from mnist_code.images import fit_box

VERSION = "1.0.0"  # raise it when the arrays change: copies are kept by version
# Leaves 1,440 = 45 · 32 for training; like MNIST's 10,000, not a multiple of 32.
TEST_EXAMPLES = 357


def embedded_digits() -> dict[str, np.ndarray]:
    """Build the arrays of the embedded digits; they are always the same.

    Returns:
        `train_images` (1440, 28, 28, 1) and `test_images` (357, 28, 28, 1), uint8, with
        `train_labels` and `test_labels`, int32. Each digit has about the same share of both parts.

    Example:
        >>> arrays = embedded_digits()
        >>> arrays["train_images"].shape, arrays["test_labels"].dtype.name
        ((1440, 28, 28, 1), 'int32')
    """
    pictures, labels, parts = split_digits()
    images = np.stack([fit_box(picture) for picture in pictures])[..., None]
    arrays = {}
    for name, places in parts.items():
        arrays[f"{name}_images"] = images[places]
        arrays[f"{name}_labels"] = labels[places].astype(np.int32)
    return arrays


def split_digits() -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """scikit-learn's digits, and which of them are for training and for testing.

    Returns:
        The pictures, (1797, 8, 8), 0 to 16; their labels; and for "train" and "test", the places of
        the examples, in random order.

    Example:
        >>> pictures, labels, parts = split_digits()
        >>> pictures.shape, {name: len(places) for name, places in parts.items()}
        ((1797, 8, 8), {'train': 1440, 'test': 357})
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    train, test = train_test_split(
        np.arange(len(digits.target)),
        test_size=TEST_EXAMPLES,
        stratify=digits.target,
        random_state=0,
    )
    return digits.images, digits.target, {"train": train, "test": test}
