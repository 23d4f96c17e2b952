"""Learning: against NumPy, central differences and Optax; one epoch scanned, looped, counted."""

from __future__ import annotations

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import (
    SMALL,
    assert_close,
    batch_of,
    copied,
    numpy_gradients,
    numpy_loss,
    numpy_predict,
    same_bits,
)
from jax.nn import one_hot
from jaxtyping import TypeCheckError

from mnist_code.config import Config
from mnist_code.data import Dataset, on_device
from mnist_code.errors import DivergedError
from mnist_code.learning import learning_rate, loss, train_epoch, update
from mnist_code.model import batched_predict, init_network_params
from mnist_code.recipes import recipe_epoch
from mnist_code.training import epochs, fit

BATCHES = [1, 31, 32]


@pytest.mark.parametrize("count", BATCHES)
def test_loss_is_that_of_numpy_and_of_optax(count):
    """A sum for a mean, a mean over the classes too, a normalization across rows."""
    params, images, targets = batch_of(count)
    found = float(loss(params, images, targets))
    assert found == pytest.approx(numpy_loss(params, images, targets), rel=1e-5)
    by_optax = optax.softmax_cross_entropy(
        batched_predict(params, images), targets
    ).mean()
    assert found == pytest.approx(float(by_optax), rel=1e-6)


@pytest.mark.parametrize("count", BATCHES)
def test_a_network_that_knows_nothing_scores_ln_10(count):
    """The published loss, which is ln(320) / 10 = 0.577 here for a batch of 32."""
    _, images, targets = batch_of(count)
    zeros = [
        (jnp.zeros((512, 784)), jnp.zeros(512)),
        (jnp.zeros((10, 512)), jnp.zeros(10)),
    ]
    assert float(loss(zeros, images, targets)) == pytest.approx(math.log(10), rel=1e-6)


def logit_network():
    """A network whose logits are the first ten pixels, so that a test can choose them."""
    return [(jnp.eye(10, 784), jnp.zeros(10))]


def with_logits(logits):
    return jnp.zeros((len(logits), 784)).at[:, :10].set(jnp.asarray(logits))


def test_each_row_is_normalized_by_itself():
    """A log-sum-exp over the whole batch: a constant added to one row would move the others."""
    logits = np.random.default_rng(0).normal(size=(5, 10)).astype(np.float32)
    targets = one_hot(jnp.arange(5), 10)
    shifted = logits + np.array([[0], [3], [0], [-2], [20]], np.float32)
    before, after = (
        loss(logit_network(), with_logits(x), targets) for x in (logits, shifted)
    )
    assert float(before) == pytest.approx(float(after), rel=1e-5)


def test_a_perfect_network_scores_zero():
    """A floor under the loss, as the published one has."""
    targets = one_hot(jnp.arange(10), 10)
    assert float(loss(logit_network(), with_logits(100 * targets), targets)) == 0


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_large_logits_neither_overflow_nor_lose_the_gradient(size):
    """exp(logits) computed as it stands: inf, and a gradient of NaN."""
    targets = one_hot(jnp.array([0, 1]), 10)
    # Row 0 wrong, row 1 too
    images = with_logits(np.eye(2, 10, 1, np.float32) * np.float32(size))
    value, gradients = jax.value_and_grad(loss)(logit_network(), images, targets)
    wrong = numpy_predict(logit_network(), images)
    expected = np.mean(wrong.max(1) - wrong[[0, 1], [0, 1]])
    assert float(value) == pytest.approx(expected, rel=1e-6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("count", BATCHES)
def test_update_is_that_of_numpy(count):
    """A wrong gradient of any parameter, a step uphill, a rate applied twice."""
    params, images, targets = batch_of(count)
    new, value = update(params, images, targets, 0.3)
    assert float(value) == pytest.approx(numpy_loss(params, images, targets), rel=1e-5)
    expected = jax.tree.map(
        lambda p, g: np.float64(p) - 0.3 * g,
        params,
        numpy_gradients(params, images, targets),
    )
    assert_close(new, expected, rtol=1e-4, atol=1e-6)


def test_gradient_is_that_of_central_differences():
    """An error that NumPy's hand-made backward pass might share."""
    with jax.enable_x64(True):
        params, images, targets = batch_of(5)
        f, gradients = jax.jit(loss), jax.jit(jax.grad(loss))(params, images, targets)
        leaves, tree = jax.tree.flatten(params)
        rng, step = np.random.default_rng(0), 1e-6
        assert leaves[0].dtype == jnp.float64
        for which, slope in enumerate(jax.tree.leaves(gradients)):
            for _ in range(10):
                place = tuple(rng.integers(0, leaves[which].shape))
                values = []
                for sign in (1, -1):
                    moved = leaves.copy()
                    moved[which] = moved[which].at[place].add(sign * step)
                    values.append(float(f(tree.unflatten(moved), images, targets)))
                numerical = (values[0] - values[1]) / (2 * step)
                assert numerical == pytest.approx(
                    float(slope[place]), rel=1e-6, abs=1e-9
                )


def test_updates_are_those_of_optax():
    """Drift over several steps: state where there should be none."""
    params, images, targets = batch_of(32)
    optimizer = optax.sgd(0.1)
    state, theirs = optimizer.init(params), params
    for _ in range(5):
        params, _ = update(params, images, targets, 0.1)
        gradients = jax.grad(
            lambda p: optax.softmax_cross_entropy(
                batched_predict(p, images), targets
            ).mean()
        )(theirs)
        steps, state = optimizer.update(gradients, state)
        theirs = optax.apply_updates(theirs, steps)
    assert_close(params, theirs, rtol=1e-5, atol=1e-6)


def test_the_step_size_decays_as_the_book_says():
    """A decay by whole steps, or once an epoch."""
    assert [learning_rate(epoch) for epoch in (0, 5, 10)] == pytest.approx(
        [1, 0.95, 0.95**2]
    )
    assert learning_rate(1) == pytest.approx(0.95**0.2)
    assert learning_rate(
        3, initial=0.5, decay_rate=0.1, decay_steps=3
    ) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("batch_size", "count"), [(32, 160), (48, 160), (1, 7), (7, 7), (5, 9)]
)
def test_a_scanned_epoch_is_a_loop_of_updates(train, batch_size, count):
    """An order, a ragged rest or a rate that the compiled epoch treats otherwise."""
    images, labels = (array[:count] for array in train)
    params, key = init_network_params(jax.random.key(0), SMALL), jax.random.key(7)
    scanned, mean_loss = train_epoch(
        copied(params), images, labels, key, 0.5, batch_size
    )

    order, losses = np.asarray(jax.random.permutation(key, count)), []
    one_step = jax.jit(update)
    for start in range(0, count - batch_size + 1, batch_size):
        batch = order[start : start + batch_size]
        params, value = one_step(params, images[batch], one_hot(labels[batch], 10), 0.5)
        losses.append(float(value))
    assert_close(scanned, params, rtol=0, atol=1e-6)
    assert float(mean_loss) == pytest.approx(np.mean(losses), rel=1e-5)
    assert len(losses) == count // batch_size


@pytest.mark.parametrize("batch_size", [1, 2, 4, 8])
def test_each_image_is_seen_once_an_epoch(batch_size):
    """Sampling with replacement, or a batch left out.

    A linear network whose images are one-hot: image i moves column i of the weights and no other.
    With zero weights and no bias step each moves it by the same known amount, if seen once.
    """
    images, labels = jnp.eye(8, 784), jnp.arange(8)
    zeros = [(jnp.zeros((10, 784)), jnp.zeros(10))]
    (((weights, _),), _) = train_epoch(
        zeros, images, labels, jax.random.key(0), 1e-4, batch_size
    )
    expected = 1e-4 / batch_size * (np.eye(10)[:8] - 0.1).T
    np.testing.assert_allclose(weights[:, :8], expected, rtol=1e-2)
    assert not np.asarray(weights[:, 8:]).any()


def seen(key, count=9, batch_size=4):
    """Which of `count` images an epoch of whole batches has seen."""
    zeros = [(jnp.zeros((10, 784)), jnp.zeros(10))]
    images, labels = jnp.eye(count, 784), jnp.zeros(count, int)
    (((weights, _),), _) = train_epoch(zeros, images, labels, key, 1e-4, batch_size)
    return frozenset(np.flatnonzero(np.asarray(weights)[0]))


def test_the_rest_of_a_ragged_epoch_is_another_each_time():
    """Images that no epoch ever sees."""
    sets = [seen(jax.random.key(seed)) for seed in range(30)]
    assert {len(one) for one in sets} == {8}
    assert frozenset().union(*sets) == frozenset(range(9))


def test_the_key_decides_the_order(train):
    """An epoch that is not shuffled, or shuffled from elsewhere."""
    images, labels = (array[:64] for array in train)
    runs = [
        train_epoch(
            init_network_params(jax.random.key(0), SMALL), images, labels,
            jax.random.key(seed), 1.0, 8,
        )[0]
        for seed in (1, 1, 2)
    ]  # fmt: skip
    assert same_bits(runs[0], runs[1])
    assert not same_bits(runs[0], runs[2])


def test_an_epoch_compiles_once(dataset):
    """A retrace for each epoch's rate or key: ten compilations instead of one."""
    recipe_epoch.clear_cache()
    list(epochs(dataset, Config(epochs=3, layer_sizes=SMALL)))
    assert recipe_epoch._cache_size() == 1
    list(
        epochs(dataset, Config(epochs=2, seed=5, learning_rate=0.25, layer_sizes=SMALL))
    )
    assert recipe_epoch._cache_size() == 1
    list(epochs(dataset, Config(epochs=1, batch_size=64, layer_sizes=SMALL)))
    assert recipe_epoch._cache_size() == 2


def test_what_was_yielded_stays_readable(dataset):
    """Buffers given away to the next epoch while the caller still holds them."""
    history = list(epochs(dataset, Config(epochs=3, layer_sizes=SMALL)))
    assert [result.epoch for result in history] == [0, 1, 2]
    # A deleted buffer raises
    weights = [np.asarray(result.params[0][0]) for result in history]
    assert not (weights[0] == weights[1]).all()
    assert not (weights[1] == weights[2]).all()


def test_the_same_seed_gives_the_same_bits(dataset):
    """Hidden randomness; a seed that is ignored; later epochs that depend on earlier calls."""
    runs = [fit(dataset, Config(epochs=2, seed=seed))[0] for seed in (3, 3, 4)]
    assert same_bits(runs[0], runs[1])
    assert not same_bits(runs[0], runs[2])


@pytest.mark.slow
def test_two_processes_give_the_same_bits(python):
    """An order of hashing, of threads or of files that leaks into the parameters."""
    program = """if True:
        import hashlib, jax, numpy as np
        from mnist_code import data
        from mnist_code.config import Config
        from mnist_code.training import fit
        params, _ = fit(data.load("digits"), Config(epochs=2, seed=3))
        leaves = b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(params))
        print(hashlib.sha256(leaves).hexdigest())
    """
    outputs = [python("-c", program) for _ in range(2)]
    assert [output.returncode for output in outputs] == [0, 0]
    assert outputs[0].stdout == outputs[1].stdout


def test_epochs_train_on_the_training_images_only(dataset):
    """Test images among the training images: random ones must change no parameter."""
    noise = np.random.default_rng(0).integers(
        0, 256, dataset.test_images.shape, np.uint8
    )
    other = Dataset(
        "digits", dataset.train_images, dataset.train_labels, noise, dataset.test_labels
    )
    config = Config(epochs=1, layer_sizes=SMALL)
    (one,), (two,) = epochs(dataset, config), epochs(other, config)
    assert same_bits(one.params, two.params)
    assert one.train_accuracy == two.train_accuracy
    assert one.test_accuracy != two.test_accuracy


def test_results_of_an_epoch_are_of_its_own_parameters(dataset):
    """Accuracies one epoch late, or of the wrong set."""
    *_, last = epochs(dataset, Config(epochs=2))
    for images, labels, found in (
        (dataset.train_images, dataset.train_labels, last.train_accuracy),
        (dataset.test_images, dataset.test_labels, last.test_accuracy),
    ):
        logits = numpy_predict(last.params, images.reshape(len(images), 784) / 255)
        assert found == pytest.approx(
            (logits.argmax(1) == labels).mean(), abs=1.5 / len(labels)
        )
    assert all(type(value) in (int, float) for value in last.metrics().values())


@pytest.mark.parametrize("batch_size", [1440, 1000, 33])
def test_any_batch_size_up_to_the_set_trains(dataset, batch_size):
    """A batch that does not divide the set, or is the set."""
    (result,) = epochs(
        dataset, Config(epochs=1, batch_size=batch_size, layer_sizes=SMALL)
    )
    assert 0 < result.train_loss < 3


def test_a_batch_larger_than_the_set_is_refused(dataset):
    """An epoch of no batches, whose mean loss is NaN."""
    with pytest.raises(ValueError, match=r"batch_size .* 1,440, .* not 1,441"):
        next(epochs(dataset, Config(batch_size=1441)))


@pytest.mark.parametrize(("rate", "growth", "epoch"), [(1e6, 1.0, 0), (0.1, 1e15, 1)])
def test_divergence_stops_with_the_epoch_and_advice(dataset, rate, growth, epoch):
    """Parameters of NaN that are yielded as if they were good."""
    config = Config(learning_rate=rate, decay_rate=growth, decay_steps=1, epochs=3)
    running = epochs(dataset, config)
    good = [next(running) for _ in range(epoch)]
    with pytest.raises(
        DivergedError, match=rf"epoch {epoch}\. .*below {re.escape(f'{rate:g}')}\."
    ):
        next(running)
    assert all(
        np.isfinite(leaf).all() for r in good for leaf in jax.tree.leaves(r.params)
    )


def test_vectors_on_the_device_are_shades_divided_by_255():
    """A multiplication by 1 / 255, which rounds half of all shades differently."""
    every = np.arange(4 * 784).astype(np.uint8).reshape(4, 28, 28, 1)
    labels = np.arange(4, dtype=np.int32)
    arrays = on_device(Dataset("digits", every, labels, every[:2], labels[:2]))
    expected = every.reshape(4, -1).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(arrays.train_images, expected)
    np.testing.assert_array_equal(arrays.test_images, expected[:2])
    assert arrays.train_labels.tolist() == [0, 1, 2, 3]
    assert arrays.test_labels.tolist() == [0, 1]


def test_targets_are_one_hot_rows():
    """Labels given where targets belong, which would broadcast."""
    params, images, _ = batch_of(4)
    with pytest.raises(TypeCheckError):
        loss(params, images, jnp.array([1, 2, 3, 4]))
    with pytest.raises(TypeCheckError):
        update(params, images, one_hot(jnp.arange(3), 10), 0.1)
