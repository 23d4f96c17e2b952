"""Recipes: against Optax by hand and NumPy; resumed, sharded, and the classic one untouched."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import SMALL, assert_close, batch_of, numpy_predict, same_bits

from mnist_code import recipes
from mnist_code.config import Config
from mnist_code.data import load
from mnist_code.errors import ConfigError, DivergedError
from mnist_code.learning import learning_rate, loss, train_epoch
from mnist_code.model import batched_predict, init_network_params
from mnist_code.normalize import VIEWS, normalize_batch
from mnist_code.recipes import (
    RECIPES,
    as_one_network,
    distillation_loss,
    he_params,
    recipe_epoch,
    recipe_for,
    recipe_loss,
    start,
)
from mnist_code.training import epochs

FAST = Config(
    epochs=3, batch_size=48, learning_rate=0.2, optimizer="nesterov",
    schedule="one-cycle", initialization="he", layer_sizes=SMALL,
)  # fmt: skip
RICH = dataclasses.replace(FAST, label_smoothing=0.1)
COMMITTEE = dataclasses.replace(RICH, members=3)
STUDENT = dataclasses.replace(FAST, temperature=2.0)


def test_the_recipes_have_names_that_the_command_line_offers():
    """A recipe lost; a classic one that is not the program of Part I."""
    assert list(RECIPES) == ["classic", "fast", "accurate", "committee", "distilled"]
    assert RECIPES["classic"] == Config()
    assert [name for name, recipe in RECIPES.items() if recipe.is_classic] == [
        "classic"
    ]


@pytest.mark.parametrize(
    "change",
    [{"optimizer": "adam"}, {"schedule": "one-cycle"}, {"initialization": "he"},
     {"label_smoothing": 0.1}, {"distortion": 0.5}, {"members": 2}, {"temperature": 1.0},
     {"normalization": "moments"}],
)  # fmt: skip
def test_one_setting_is_enough_to_leave_the_classic_program(change):
    """A setting that is accepted and then ignored."""
    assert Config().is_classic
    assert not Config(**change).is_classic


def test_the_classic_program_is_a_loop_of_its_functions(dataset, train):
    """Parameters other than those of Part I, be it in the last bit."""
    config = Config(epochs=3, seed=4, layer_sizes=SMALL)
    init_key, shuffle_key = jax.random.split(jax.random.key(4))
    params = init_network_params(init_key, SMALL)
    for epoch in range(3):
        key = jax.random.fold_in(shuffle_key, epoch)
        params, _ = train_epoch(params, *train, key, learning_rate(epoch), 32)
    *_, last = epochs(dataset, config)
    assert same_bits(last.params, params)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_matches_the_one_written_by_hand(smoothing):
    """A sum for a mean; smoothing that does not add up to 1."""
    params, images, targets = batch_of(31)
    found = recipe_loss(params, images, targets.argmax(-1), smoothing)
    smoothed = targets * (1 - smoothing) + smoothing / 10
    assert float(found) == pytest.approx(
        float(loss(params, images, smoothed)), rel=1e-5
    )


@pytest.mark.parametrize("config", [FAST, RICH], ids=["fast", "rich"])
def test_an_epoch_is_a_loop_of_nesterov_by_hand(train, config):
    """A rate, a momentum or an order that the compiled epoch handles differently.

    Nesterov's rule and the schedule are written out in NumPy.
    """
    images, labels = (array[:480] for array in train)
    key = jax.random.key(3)
    state = start(jax.random.key(0), config)
    params = jax.tree.map(np.float64, state.params)
    new, mean_loss = recipe_epoch(state, images, labels, key, 1.0, config)

    velocity = jax.tree.map(np.zeros_like, params)
    bits = jax.random.bits(jax.random.split(key)[0], (480,))
    order = np.argsort(np.asarray(bits), stable=True)
    losses = []
    for step, batch in enumerate(order.reshape(10, 48)):
        warm, total = 6, 30
        up, down = step / warm, (total - step) / (total - warm)
        rate = config.learning_rate * min(up, down)
        value, slope = jax.value_and_grad(recipe_loss)(
            jax.tree.map(jnp.float32, params),
            images[batch],
            labels[batch],
            config.label_smoothing,
        )
        losses.append(float(value))
        velocity = jax.tree.map(lambda v, g: 0.9 * v + np.asarray(g), velocity, slope)
        params = jax.tree.map(
            lambda p, v, g, rate=rate: p - rate * (0.9 * v + np.asarray(g)),
            params, velocity, slope,
        )  # fmt: skip
    assert_close(new.params, params, rtol=0, atol=1e-5)
    assert float(mean_loss) == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_cycle_starts_and_ends_at_zero():
    """A run that ends while the rate is still high, or a peak that is never reached."""
    sgd = dataclasses.replace(FAST, optimizer="sgd")
    optimizer = recipes.make_optimizer(sgd, updates=10)
    state, rates = optimizer.init(jnp.zeros(())), []
    for _ in range(31):
        step, state = optimizer.update(jnp.ones(()), state)
        rates.append(-float(step))
    assert rates[0] == 0
    assert rates[30] == pytest.approx(0, abs=1e-6)
    assert max(rates) == rates[6] == pytest.approx(0.2)


def test_the_decay_is_that_of_the_classic_program():
    """A rate that decays by updates where it should by epochs."""
    config = Config(optimizer="sgd", label_smoothing=0.1)
    optimizer = recipes.make_optimizer(config, updates=4)
    state, rates = optimizer.init(jnp.zeros(())), []
    for _ in range(41):
        step, state = optimizer.update(jnp.ones(()), state)
        rates.append(-float(step))
    assert rates[::4] == pytest.approx(
        [learning_rate(epoch) for epoch in range(11)], rel=1e-5
    )


def test_he_initialization_keeps_the_size_of_activations():
    """A scale by outputs for one by inputs."""
    (w0, b0), (w1, b1) = he_params(jax.random.key(0))
    assert float(w0.std()) == pytest.approx((2 / 784) ** 0.5, rel=0.01)
    assert float(w1.std()) == pytest.approx((2 / 512) ** 0.5, rel=0.05)
    assert not b0.any()
    assert not b1.any()
    assert not same_bits(w1, he_params(jax.random.key(1))[1][0])


@pytest.mark.parametrize(
    "config",
    [Config(epochs=3, layer_sizes=SMALL), FAST, RICH,
     dataclasses.replace(FAST, optimizer="adam", learning_rate=1e-3), COMMITTEE],
    ids=["classic", "fast", "rich", "adam", "committee"],
)  # fmt: skip
def test_a_run_that_goes_on_ends_with_the_same_bits(dataset, config):
    """Something that decides the run and is not in the state: a step count, a momentum, a key."""
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam raises to a whole power
        through = list(epochs(dataset, config))
        saved = jax.tree.map(np.asarray, through[0].state)  # as from a file
        state = jax.tree.map(jnp.asarray, saved)
        resumed = list(epochs(dataset, config, state, start_epoch=1))
    assert [result.epoch for result in resumed] == [1, 2]
    assert same_bits(resumed[-1].state, through[-1].state)
    assert resumed[-1].train_loss == through[-1].train_loss
    assert not same_bits(through[0].params, through[-1].params)


def test_an_order_holds_each_image_once_and_is_another_each_time(train):
    """Sampling with replacement; one order for all epochs."""
    images = jnp.eye(64, 784)
    zeros = [(jnp.zeros((10, 784)), jnp.zeros(10))]
    config = Config(batch_size=8, learning_rate=1e-4, label_smoothing=0.1)
    state = recipes.State(zeros, recipes.make_optimizer(config, 1).init(zeros))
    labels = jnp.arange(64) % 10
    ends = [
        recipe_epoch(state, images, labels, jax.random.key(seed), 1.0, config)[0].params
        for seed in (0, 1)
    ]
    for ((weights, _),) in ends:
        moved = np.abs(np.asarray(weights[:, :64])).sum(0)
        np.testing.assert_allclose(moved, moved.mean(), rtol=1e-2)
    assert not same_bits(*ends)


def test_evaluation_can_wait_for_the_end(dataset):
    """Time spent on counting that nobody asked for, or a last epoch that is not counted."""
    lazy = dataclasses.replace(FAST, evaluate="end")
    eager, late = (list(epochs(dataset, config)) for config in (FAST, lazy))
    assert [result.test_accuracy for result in late[:-1]] == [None, None]
    assert [result.train_accuracy for result in late] == [None] * 3
    assert late[-1].test_accuracy == eager[-1].test_accuracy
    assert same_bits(late[-1].params, eager[-1].params)


def test_what_is_compiled_ahead_is_what_runs(dataset):
    """Shapes, types or keywords guessed wrong: all is compiled twice."""
    for function in (recipe_epoch, recipes.run_keys, recipes._start_recipe):
        function.clear_cache()
    config = dataclasses.replace(FAST, epochs=1, batch_size=47)
    images = jnp.zeros((1440, 784))
    labels = jnp.zeros(1440, jnp.int32)
    compiled = []

    def listen(name, _seconds, **_):
        compiled.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        jobs = recipes.compile_ahead(config, 1440, 357)
        assert [job.result() for job in jobs] == [None] * 4
        before = compiled.count("/jax/core/compile/backend_compile_duration")
        init_key, key = recipes.run_keys(np.uint32(1), 0)
        state = start(init_key, config)
        same = {"config": config, "mesh": None, "teacher": None}  # as in `epochs`
        recipe_epoch(state, images, labels, key, 0.2, **same)
        after = compiled.count("/jax/core/compile/backend_compile_duration")
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert before >= 3
    assert after == before


def test_the_largest_seed_trains(dataset):
    """A seed that the command accepts and JAX, which reads integers as int32, does not."""
    config = dataclasses.replace(FAST, epochs=1, seed=2**32 - 1)
    (last,) = epochs(dataset, config)
    (other,) = epochs(dataset, dataclasses.replace(config, seed=2**31 - 1))
    assert not same_bits(last.params, other.params)


def test_seeds_and_data_sets_share_one_compilation(dataset):
    """A second of compilation for each seed."""
    recipe_epoch.clear_cache()
    for seed in (0, 1):
        list(epochs(dataset, dataclasses.replace(FAST, seed=seed, dataset="digits")))
    assert recipe_epoch._cache_size() == 1


def test_divergence_is_told(dataset):
    """Parameters of NaN that are yielded as if they were good."""
    with pytest.raises(DivergedError, match="below 1e\\+30"):
        list(epochs(dataset, dataclasses.replace(FAST, learning_rate=1e30)))


def committee_of(sizes, members=3):
    """The members' parameters one by one, and stacked."""
    keys = jax.random.split(jax.random.key(5), members)
    each = [init_network_params(key, sizes, 0.2) for key in keys]
    return each, jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)


@pytest.mark.parametrize("sizes", [SMALL, (784, 16, 12, 10)], ids=["one", "two"])
def test_a_committee_as_one_network_answers_with_the_mean(sizes):
    """Members mixed up, a sum for a mean, a member that sees another's units."""
    each, stacked = committee_of(sizes)
    images = jax.random.uniform(jax.random.key(6), (7, 784))
    mean = np.mean([numpy_predict(params, images) for params in each], axis=0)
    found = numpy_predict(as_one_network({"none": stacked}), images)
    np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-5)


def test_members_of_two_kinds_each_see_their_own_images():
    """Blocks in the wrong place, or groups that count alike, whatever their size."""
    each, stacked = committee_of((784, 16, 12, 10))
    groups = {
        "moments": jax.tree.map(lambda leaf: leaf[:1], stacked),
        "none": jax.tree.map(lambda leaf: leaf[1:], stacked),
    }
    images = jax.random.uniform(jax.random.key(6), (7, 784))
    seen = [normalize_batch(images), images, images]
    answers = [numpy_predict(*pair) for pair in zip(each, seen, strict=True)]
    found = numpy_predict(as_one_network(groups), VIEWS["both"](images))
    np.testing.assert_allclose(found, np.mean(answers, axis=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("change", [{}, {"optimizer": "sgd", "schedule": "decay",
    "initialization": "normal", "label_smoothing": 0.0}, {"normalization": "both"}],
    ids=["rich", "plain", "two kinds"])  # fmt: skip
def test_members_learn_as_if_alone(train, change):
    """One order or one set of images for all members; a step that mixes them; groups' means."""
    images, labels = (array[:480] for array in train)
    config = dataclasses.replace(COMMITTEE, distortion=0.0, **change)
    both = config.normalization == "both"
    kinds = ("none", "moments", "none") if both else ("none",) * 3
    key, init_key = jax.random.key(3), jax.random.key(0)
    state = start(init_key, config)
    new, mean_loss = recipe_epoch(state, images, labels, key, 0.2, config)
    losses = []
    for member, keys in enumerate(
        zip(jax.random.split(init_key, 3), jax.random.split(key, 3), strict=True)
    ):
        kind = kinds[member]
        place = kinds[:member].count(kind)
        alone = dataclasses.replace(config, members=1, normalization=kind)
        one, value = recipe_epoch(
            start(keys[0], alone), images, labels, keys[1], 0.2, alone
        )
        mine = jax.tree.map(lambda leaf, k=place: leaf[k], new.params[kind])
        assert_close(mine, one.params, rtol=0, atol=1e-5)
        losses.append(float(value))
    assert float(mean_loss) == pytest.approx(np.mean(losses), rel=1e-5)
    assert len(set(losses)) == 3


def test_a_committee_is_tested_and_saved_as_one_network(dataset):
    """The accuracy of one member, or parameters that no other command can read."""
    *_, last = epochs(dataset, dataclasses.replace(COMMITTEE, distortion=0.3))
    assert [weights.shape for weights, _ in last.params] == [(48, 784), (10, 48)]
    images = dataset.test_images.reshape(-1, 784) / 255
    members = [
        jax.tree.map(lambda leaf, k=k: leaf[k], last.state.params["none"])
        for k in range(3)
    ]
    mean = np.mean([numpy_predict(params, images) for params in members], axis=0)
    right = np.mean(mean.argmax(axis=1) == dataset.test_labels)
    assert last.test_accuracy == pytest.approx(right, abs=1.5 / len(images))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_cross_entropy_at_a_temperature(temperature):
    """Only one side divided by the temperature; its square forgotten; a sum for a mean."""
    params, images, _ = batch_of(9)
    (teacher, *_), _ = committee_of((784, 24, 10))
    logits, theirs = (
        numpy_predict(some, images) / temperature for some in (params, teacher)
    )
    soft = np.exp(theirs) / np.exp(theirs).sum(axis=1, keepdims=True)
    log = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(temperature**2) * (soft * log).sum(axis=1).mean()
    logits = batched_predict(teacher, images)
    found = distillation_loss(params, images, logits, temperature)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_a_student_comes_to_agree_with_its_teacher(dataset):
    """A teacher that learns too, that is ignored, or whose labels are the true ones.

    This teacher is wrong about everything: it calls each digit by the number after it.
    """
    shifted = dataclasses.replace(
        dataset,
        train_labels=(dataset.train_labels + 1) % 10,
        test_labels=(dataset.test_labels + 1) % 10,
    )
    config = dataclasses.replace(FAST, epochs=6)
    *_, taught = epochs(shifted, config)
    teacher = jax.tree.map(jnp.copy, taught.params)
    student = dataclasses.replace(config, temperature=2.0, seed=1)
    *_, last = epochs(dataset, student, teacher=teacher)
    assert same_bits(teacher, taught.params)
    assert last.test_accuracy < 0.2
    images = jnp.asarray(dataset.test_images.reshape(-1, 784) / 255, jnp.float32)
    answers = [
        numpy_predict(params, images).argmax(1) for params in (teacher, last.params)
    ]
    assert np.mean(answers[0] == answers[1]) > 0.85


def test_a_teacher_and_a_temperature_go_together(dataset):
    """A teacher that is silently ignored, or one that is missing only after a minute."""
    teacher = init_network_params(jax.random.key(0), SMALL)
    with pytest.raises(ConfigError, match="temperature must be 0 without a teacher"):
        next(epochs(dataset, STUDENT))
    with pytest.raises(ConfigError, match="temperature must be above 0 with a teacher"):
        next(epochs(dataset, FAST, teacher=teacher))


@pytest.mark.slow
def test_fast_learns_the_digits_with_the_settings_for_them(dataset):
    """Settings for small data sets that do not work; 8 epochs are what the command runs."""
    config = recipe_for("fast", "digits")
    assert config.epochs == 8
    *_, last = epochs(dataset, config)
    assert last.test_accuracy > 0.93


@pytest.mark.slow
def test_fast_reaches_the_published_accuracy_on_mnist(archives):
    """Two epochs that no longer suffice for 98.12%."""
    *_, last = epochs(load("mnist"), RECIPES["fast"])
    assert last.epoch == 1
    assert last.test_accuracy > 0.9812


def test_settings_for_few_images_leave_mnist_and_the_classic_program_alone():
    """A recipe for MNIST that changes with the data set that was loaded last."""
    for name, recipe in RECIPES.items():
        assert recipe_for(name, "mnist") == recipe
    assert recipe_for("classic", "digits") == RECIPES["classic"]
    few = recipe_for("accurate", "digits")
    assert few.batch_size < RECIPES["accurate"].batch_size
    assert few.distortion > RECIPES["accurate"].distortion
    assert recipe_for("fast", "digits").distortion == 0
