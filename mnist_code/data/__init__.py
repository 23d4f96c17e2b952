"""Where digits come from: `load` for arrays, `pipeline` for batches from `tf.data`.

`load` looks for digits in this order: MNIST prepared earlier; MNIST prepared from the archives in
`MNIST_CODE_ARCHIVES`; MNIST downloaded, if its host can be reached; the digits that come with
scikit-learn.
"""

from mnist_code.data._arrays import Arrays, as_vectors, on_device
from mnist_code.data._load import Dataset, data_dir, load, prepare
from mnist_code.data._pipeline import pipeline

__all__ = [
    "Arrays",
    "Dataset",
    "as_vectors",
    "data_dir",
    "load",
    "on_device",
    "pipeline",
    "prepare",
]
