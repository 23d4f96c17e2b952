"""Distortions: against SciPy; nothing at strength zero, and no more than a reader would forgive."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from mnist_code.augment import (
    ELASTICITY,
    affine_displacement,
    distort,
    elastic_displacement,
    warp,
)
from mnist_code.data import as_vectors
from mnist_code.evaluation import accuracy
from mnist_code.recipes import RECIPES
from mnist_code.training import fit


def affine(key, image, strength=1.0):
    return warp(image, affine_displacement(key, strength))


def elastic(key, image, strength=1.0):
    return warp(image, elastic_displacement(key, strength))


ALL = pytest.mark.parametrize("distortion", [affine, elastic, distort])
DISPLACEMENTS = pytest.mark.parametrize(
    "displacement", [affine_displacement, elastic_displacement]
)


@pytest.fixture
def images(train):
    """A hundred pictures of digits."""
    return train[0][:100].reshape(-1, 28, 28)


def keys(count, seed=0):
    return jax.random.split(jax.random.key(seed), count)


def batch_of(distortion, images, strength=1.0, seed=0):
    return jax.vmap(distortion, (0, 0, None))(keys(len(images), seed), images, strength)


@DISPLACEMENTS
def test_warp_is_that_of_scipy(images, displacement):
    """Rows for columns, a move the wrong way, a border that is not black."""
    for key, image in zip(keys(5), images, strict=False):
        moves = displacement(key, 2.0)
        places = np.indices((28, 28)) + np.float64(moves)
        expected = ndimage.map_coordinates(np.float64(image), places, order=1)
        inside = ((places >= 0) & (places <= 27)).all(0)
        found = np.asarray(warp(image, moves))
        np.testing.assert_allclose(found[inside], expected[inside], atol=1e-5)
        far = ((places < -1) | (places > 28)).any(0)
        assert not found[far].any()


@ALL
def test_zero_strength_gives_the_image_back(images, distortion):
    """A shift of half a pixel, or a blur."""
    np.testing.assert_array_equal(batch_of(distortion, images, 0.0), images)


@ALL
def test_the_key_decides_the_picture(images, distortion):
    """A hidden generator; one distortion for all images."""
    one, again, other = (batch_of(distortion, images, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (jnp.abs(one - other).max((1, 2)) > 0.1).all()
    same = batch_of(distortion, jnp.broadcast_to(images[0], images.shape))
    assert len(np.unique(np.asarray(same).round(3), axis=0)) == len(images)


@ALL
@pytest.mark.parametrize("strength", [0.5, 1.0, 2.9])
def test_values_stay_between_black_and_white(images, distortion, strength):
    """NaN at the border, or interpolation that overshoots."""
    pictures = np.asarray(batch_of(distortion, images, strength))
    assert np.isfinite(pictures).all()
    assert pictures.min() >= 0
    assert pictures.max() <= 1.0001


@ALL
def test_ink_is_roughly_kept(images, distortion):
    """A digit that leaves the picture or fades."""
    ratio = batch_of(distortion, images).sum((1, 2)) / images.sum((1, 2))
    assert 0.9 < float(ratio.mean()) < 1.1
    assert float(ratio.min()) > 0.5
    assert float(ratio.max()) < 1.6


@ALL
def test_digits_stay_where_they_are_on_average(images, distortion):
    """A drift to one side, which would teach the network another center."""
    rows = jnp.arange(28.0)[None]
    many = jnp.tile(images, (4, 1, 1))
    before, after = many, batch_of(distortion, many)
    for axis in (1, 2):
        centers = [
            ((p.sum(axis) * rows).sum(1) / p.sum((1, 2))).mean()
            for p in (before, after)
        ]
        assert float(centers[0]) == pytest.approx(float(centers[1]), abs=0.4)


@DISPLACEMENTS
def test_fields_have_the_strength_that_is_promised(displacement):
    """A strength applied twice or not at all; moves that are largest in the middle."""
    fields = [
        jax.vmap(displacement, (0, None))(keys(500), strength)
        for strength in (1.0, 2.0)
    ]
    np.testing.assert_allclose(2 * fields[0], fields[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fields[0].mean((0, 2, 3)), 0, atol=0.15)
    if displacement is elastic_displacement:
        np.testing.assert_allclose(fields[0].std(0), ELASTICITY, rtol=0.2)


def test_neighbors_move_nearly_alike():
    """Noise of single pixels, which tears a digit apart instead of bending it."""
    fields = jax.vmap(elastic_displacement)(keys(200))
    for axis in (-1, -2):
        difference = jnp.diff(fields, axis=axis)
        assert float(difference.std()) < 0.3 * float(fields.std())


def test_a_turn_is_a_turn():
    """A matrix transposed: a stretch along the diagonal in place of a rotation.

    A rotation that moves what is on the right down moves what is below to the left, by as much.
    So over many keys, the two slopes have a negative correlation.
    """
    fields = np.asarray(jax.vmap(affine_displacement)(keys(4000)))
    rows, columns = np.indices((28, 28)) - 13.5
    fields = fields - fields.mean((2, 3), keepdims=True)
    down_by_right = (fields[:, 0] * columns).sum((1, 2)) / (columns**2).sum()
    right_by_down = (fields[:, 1] * rows).sum((1, 2)) / (rows**2).sum()
    # rotation: opposite signs; shear, on one side only, hides a part of it
    assert np.corrcoef(down_by_right, right_by_down)[0, 1] < -0.5


@pytest.mark.slow
def test_labels_survive(dataset):
    """Extremes that turn a 4 into a 9: no network could learn to read them."""
    config = dataclasses.replace(
        RECIPES["accurate"], batch_size=32, epochs=30, learning_rate=0.2
    )
    params, _ = fit(dataset, config)
    images = jnp.asarray(as_vectors(dataset.test_images))
    pictures = batch_of(distort, images.reshape(-1, 28, 28), config.distortion)
    labels = jnp.asarray(dataset.test_labels)
    straight = accuracy(params, images, labels)
    distorted = accuracy(params, pictures.reshape(-1, 784), labels)
    assert straight > 0.96
    assert distorted > straight - 0.1


def test_one_image_is_what_a_batch_holds(images):
    """An index into the batch where there is one image: vmap's result against a loop."""
    batch = batch_of(distort, images[:5])
    single = [distort(key, image) for key, image in zip(keys(5), images, strict=False)]
    np.testing.assert_allclose(batch, jnp.stack(single), atol=1e-5)
