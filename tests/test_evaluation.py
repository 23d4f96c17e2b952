"""Counting: by hand, over ragged batches, in bounded memory."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import numpy_predict
from jaxtyping import TypeCheckError

from mnist_code import evaluation
from mnist_code.evaluation import (
    accuracy,
    batch_accuracy,
    confusion_matrix,
    predicted_labels,
)
from mnist_code.model import init_network_params


@pytest.fixture
def params():
    """A network of large random weights, which tells images apart."""
    return init_network_params(jax.random.key(0), (784, 32, 10), scale=0.5)


def images_and_labels(count):
    image_key, label_key = jax.random.split(jax.random.key(count))
    images = jax.random.uniform(image_key, (count, 784))
    return images, jax.random.randint(label_key, (count,), 0, 10)


@pytest.mark.parametrize("count", [1, 1000, 1001, 2357])
def test_accuracy_is_counted_by_hand(params, count):
    """A ragged last chunk that is dropped, padded into the count, or weighed like a full one."""
    images, labels = images_and_labels(count)
    expected = numpy_predict(params, images).argmax(1)
    np.testing.assert_array_equal(predicted_labels(params, images), expected)
    right = sum(int(a) == int(b) for a, b in zip(expected, labels, strict=True))
    assert accuracy(params, images, labels) == right / count


def test_accuracy_is_no_mean_of_batch_accuracies():
    """The published error: the 16 images of a ragged last batch that count double."""
    params = [(jnp.zeros((10, 784)), jax.nn.one_hot(3, 10))]  # always says 3
    labels = jnp.array([3] * 32 + [0] * 16)
    assert accuracy(params, jnp.zeros((48, 784)), labels) == 32 / 48


@pytest.mark.parametrize("count", [1, 5, 32])
def test_batch_accuracy_is_counted_by_hand(params, count):
    """An argmax over the wrong axis."""
    images, labels = images_and_labels(count)
    right = np.mean(numpy_predict(params, images).argmax(1) == np.asarray(labels))
    found = batch_accuracy(params, images, jax.nn.one_hot(labels, 10))
    assert float(found) == pytest.approx(right, abs=1e-6)


def test_confusion_counts_by_hand(params):
    """Rows and columns exchanged; repeated pairs that are counted once."""
    images, labels = images_and_labels(1234)
    expected = np.zeros((10, 10), int)
    for label, found in zip(
        labels, numpy_predict(params, images).argmax(1), strict=True
    ):
        expected[label, found] += 1
    np.testing.assert_array_equal(confusion_matrix(params, images, labels), expected)


def test_evaluation_compiles_once_for_each_number_of_images(params):
    """A retrace for every call or every chunk."""
    predicted_labels.clear_cache()
    images, labels = images_and_labels(1001)
    for _ in range(3):
        accuracy(params, images, labels)
        confusion_matrix(params, images, labels)
    assert predicted_labels._cache_size() == 1


def test_evaluation_works_in_chunks(params):
    """All hidden layers of 60,000 images in memory at once."""
    images = jax.ShapeDtypeStruct((60_000, 784), jnp.float32)
    memory = predicted_labels.lower(params, images).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 2 * evaluation.CHUNK * 784 * 4 + 10_000_000


def test_as_many_labels_as_images(params):
    """Labels that broadcast against the predictions."""
    images, _ = images_and_labels(4)
    with pytest.raises(TypeCheckError):
        accuracy(params, images, jnp.array([3]))
