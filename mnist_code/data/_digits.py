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
        `train_labels` and `test_labels`, int32. Both parts contain every digit in equal proportion.

    Example:
        >>> arrays = embedded_digits()
        >>> arrays["train_images"].shape, arrays["test_labels"].dtype.name
        ((1440, 28, 28, 1), 'int32')
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.stack([fit_box(image) for image in digits.images])[..., None]
    train_images, test_images, train_labels, test_labels = train_test_split(
        images,
        digits.target.astype(np.int32),
        test_size=TEST_EXAMPLES,
        stratify=digits.target,
        random_state=0,
    )
    return {
        "train_images": train_images,
        "train_labels": train_labels,
        "test_images": test_images,
        "test_labels": test_labels,
    }
