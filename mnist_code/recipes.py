"""Ways to train the same network: settings by name, and one compiled epoch that follows them.

The program of Part I is one recipe of several. For the others, Optax supplies the loss and the
update that `learning` writes by hand.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import one_hot
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, Integer, Key

from mnist_code.augment import distort_batch
from mnist_code.config import LAYER_SIZES, NUM_CLASSES, Config
from mnist_code.evaluation import predicted_labels
from mnist_code.learning import update
from mnist_code.model import Params, batched_predict, init_network_params
from mnist_code.normalize import INPUTS, MEMBER_KINDS, VIEWS
from mnist_code.parallel import divide

_FAST = Config(
    epochs=2,
    batch_size=128,
    learning_rate=0.7,
    optimizer="nesterov",
    schedule="one-cycle",
    initialization="he",
    label_smoothing=0.05,
    evaluate="end",
)
_ACCURATE = dataclasses.replace(_FAST, epochs=130, learning_rate=0.5, distortion=0.5)
RECIPES = {
    "classic": Config(),
    "fast": _FAST,
    "accurate": _ACCURATE,
    "committee": dataclasses.replace(
        _ACCURATE, epochs=40, distortion=0.6, normalization="both", members=25
    ),
    "distilled": dataclasses.replace(
        _ACCURATE,
        epochs=50,
        distortion=0.6,
        label_smoothing=0.0,
        normalization="moments",
        temperature=4.0,
    ),
}
# How much of MNIST, redrawn on plain paper, a network can read after training on the embedded
# digits. A test measures it.
READ_FROM_PAPER = {"classic": 0.4, "accurate": 0.8}
MOMENTUM = 0.9
WARM_UP = 0.2  # the part of a one-cycle run in which the rate rises


def recipe_for(name: str, dataset: str) -> Config:
    """The settings of a recipe for one data set.

    Args:
        name: one of `RECIPES`, which are made for MNIST.
        dataset: "mnist" or "digits", as `data.load` names it.

    Example:
        >>> recipe_for("fast", "mnist").batch_size, recipe_for("fast", "digits").batch_size
        (128, 16)
    """
    recipe = RECIPES[name]
    if dataset == "mnist" or recipe.is_classic:
        return recipe
    # With about a thousand images, small batches give enough updates, but need small steps.
    few = dataclasses.replace(
        recipe, epochs=max(recipe.epochs, 8), batch_size=16, learning_rate=0.2
    )
    if not few.distortion:
        return few
    # The images are also coarse and much alike. Stronger distortions, and smaller steps still,
    # prepare the network for other handwriting.
    return dataclasses.replace(few, distortion=1.0, learning_rate=0.03)


class State(NamedTuple):
    """Everything the rest of a run depends on, besides its `Config` and the epoch's number."""

    # `Params`; after `vmap`, `Stacked`; of a committee, a `Stacked` for each normalization
    params: Any
    optimizer: Any = ()  # the state of Optax's optimizer

    @property
    def network(self) -> Params:
        """The one network that gives the answers. A committee is joined by `as_one_network`."""
        if isinstance(self.params, dict):
            return as_one_network(self.params)
        stacked = self.params[0][0].ndim == 3
        return as_one_network({"none": self.params}) if stacked else self.params


# The parameters of several networks: those of `Params`, with a first axis over the networks.
Stacked = list[tuple[Float[Array, "_members _out _in"], Float[Array, "_members _out"]]]


@jax.jit
def as_one_network(committee: dict[str, Stacked]) -> Params:
    """Join the members of a committee into one wide network, whose logits are the mean of theirs.

    The first layer computes all members' hidden units side by side. Later hidden layers are blocks
    on a diagonal, so that no member sees another's units. The last layer averages. If the members
    differ in normalization, the first layer has a block for each kind, too, and the joint network
    has 1,568 inputs, the view "both" of each image.

    Args:
        committee: the members' parameters, by the normalization of their images; all have the same
            layers, two or more.

    Returns:
        Parameters for `predict`. 25 members with 512 hidden units give one layer of 12,800.

    Example:
        >>> keys = jax.random.split(jax.random.key(0), 25)
        >>> members = jax.vmap(init_network_params)(keys)
        >>> wide = as_one_network({"none": members})
        >>> [(weights.shape, biases.shape) for weights, biases in wide]
        [((12800, 784), (12800,)), ((10, 12800), (10,))]
    """
    groups = [committee[name] for name in sorted(committee, key=MEMBER_KINDS.index)]
    (_, first_biases), *hidden, (last, last_biases) = [
        [jnp.concatenate(leaves) for leaves in zip(*layers, strict=True)]
        for layers in zip(*groups, strict=True)
    ]
    first = [jnp.concatenate(members[0][0]) for members in groups]
    return [
        (jax.scipy.linalg.block_diag(*first), first_biases.reshape(-1)),
        *((jax.scipy.linalg.block_diag(*w), b.reshape(-1)) for w, b in hidden),
        (jnp.concatenate(last, axis=1) / len(last), last_biases.mean(axis=0)),
    ]


def _groups(config: Config) -> dict[str, tuple[Config, slice]]:
    """By normalization: the settings of one member, and a slice that selects those members."""
    both = config.normalization == "both"
    names = MEMBER_KINDS if both else (config.normalization,)
    return {
        name: (
            dataclasses.replace(config, members=1, normalization=name),
            slice(place, None, len(names)),
        )
        for place, name in enumerate(names)
    }


def make_optimizer(config: Config, updates: int):
    """Build Optax's optimizer with the schedule of `config`.

    Args:
        config: the recipe. Only `optimizer`, `schedule`, `learning_rate`, `epochs`, `decay_rate`
            and `decay_steps` matter. The rate changes with every update, not only every epoch.
        updates: number of updates in one epoch.

    Returns:
        An `optax.GradientTransformation`.

    Source:
        The one-cycle schedule is a variant of the one in Smith and Topin, "Super-convergence: very
        fast training of neural networks using large learning rates" (2018). Theirs starts above
        zero, takes as long to rise as to fall, and ends in a phase of much smaller rates. Ours
        rises from zero in a fifth of the run and falls to zero in the rest.

    Example:
        >>> optimizer = make_optimizer(RECIPES["fast"], updates=468)
        >>> state = optimizer.init(jnp.zeros(3))
    """
    import optax  # here, because the classic program does without it

    total = config.epochs * updates
    if config.schedule == "one-cycle":
        warm = max(1, round(WARM_UP * total))
        up = optax.linear_schedule(0.0, config.learning_rate, warm)
        down = optax.linear_schedule(config.learning_rate, 0.0, max(1, total - warm))
        rate = optax.join_schedules([up, down], [warm])
    else:
        rate = optax.exponential_decay(
            config.learning_rate, config.decay_steps * updates, config.decay_rate
        )
    if config.optimizer == "adam":
        return optax.adam(rate)
    momentum = MOMENTUM if config.optimizer == "nesterov" else None
    return optax.sgd(rate, momentum, nesterov=momentum is not None)


def he_params(key: Key[Array, ""], sizes: Sequence[int] = LAYER_SIZES) -> Params:
    """Draw parameters with He initialization: weights scaled by the size of each layer's input.

    Weights have standard deviation sqrt(2 / inputs); biases are zero. The factor 2 is meant for
    ReLU and keeps the size of its activations from layer to layer; with Swish they shrink a little.

    Args:
        key: a random key; the same key gives the same parameters.
        sizes: units in each layer, input first.

    Source:
        He et al., "Delving deep into rectifiers" (2015), section 2.2.

    Example:
        >>> (weights, biases), _ = he_params(jax.random.key(0))
        >>> round(float(weights.std() * jnp.sqrt(784 / 2)), 2), float(biases.max())
        (1.0, 0.0)
    """
    # One draw for everything: a two-dimensional draw per layer takes a second longer to compile.
    shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
    ends = list(itertools.accumulate(out * fan_in for out, fan_in in shapes))
    parts = jnp.split(jax.random.normal(key, (ends[-1],)), ends[:-1])
    return [
        ((2 / shape[1]) ** 0.5 * part.reshape(shape), jnp.zeros(shape[0]))
        for part, shape in zip(parts, shapes, strict=True)
    ]


@jax.jit
def run_keys(
    seed: Integer[Array, ""] | int, epoch: Integer[Array, ""] | int
) -> tuple[Key[Array, ""], Key[Array, ""]]:
    """The keys of a run: one to draw its first parameters with, and one for an epoch.

    Args:
        seed: the run's seed.
        epoch: its number, from 0. Only the second key depends on it.

    Example:
        >>> (first, _), (again, _) = run_keys(7, 0), run_keys(7, 1)
        >>> bool(first == again)
        True
    """
    init_key, epoch_key = jax.random.split(jax.random.key(seed))
    return init_key, jax.random.fold_in(epoch_key, epoch)


def start(key: Key[Array, ""], config: Config) -> State:
    """The state before the first epoch.

    Args:
        key: determines the initial parameters.
        config: the recipe.

    Example:
        >>> start(jax.random.key(0), Config()).optimizer
        ()
    """
    if config.is_classic:
        return State(init_network_params(key, config.layer_sizes))
    return _start_recipe(key, config)


@partial(jax.jit, static_argnames="config")
def _start_recipe(key, config):
    """Compiled as a whole: dozens of small operations would each have to be compiled alone."""
    if config.members > 1:
        keys = jax.random.split(key, config.members)
        states = {
            name: jax.vmap(partial(start, config=member))(keys[which])
            for name, (member, which) in _groups(config).items()
        }
        return _committee(states)
    init = he_params if config.initialization == "he" else init_network_params
    params = init(key, config.layer_sizes)
    return State(params, make_optimizer(config, 1).init(params))


def _committee(states: dict[str, State]) -> State:
    """The states of groups of members, as one."""
    return State(
        {name: state.params for name, state in states.items()},
        {name: state.optimizer for name, state in states.items()},
    )


def recipe_loss(
    params: Params,
    images: Float[Array, "batch 784"],
    labels: Int[Array, " batch"],
    label_smoothing: float = 0.0,
) -> Float[Array, ""]:
    """Cross-entropy in nats with label smoothing, by Optax, averaged over the batch.

    Args:
        params: the network's parameters.
        images: float32 from 0 to 1.
        labels: 0 to 9.
        label_smoothing: share of each target that is spread evenly over the classes, 0 to below 1.

    Source:
        Szegedy et al., "Rethinking the Inception architecture for computer vision" (2016),
        section 7.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jnp.zeros(10))]  # knows nothing
        >>> round(float(recipe_loss(params, jnp.zeros((4, 784)), jnp.arange(4))), 3)
        2.303
    """
    import optax

    logits = batched_predict(params, images)
    targets = optax.smooth_labels(one_hot(labels, NUM_CLASSES), label_smoothing)
    return optax.softmax_cross_entropy(logits, targets).mean()


def distillation_loss(
    params: Params,
    images: Float[Array, "batch 784"],
    teacher_logits: Float[Array, "batch 10"],
    temperature: float,
) -> Float[Array, ""]:
    """Cross-entropy against a teacher's probabilities, both at a temperature, times its square.

    Dividing the logits by a temperature above 1 makes the probabilities more alike, so that the
    small ones count, too. That also makes the gradients smaller, by about the square of the
    temperature; multiplying by the square keeps their size.

    Args:
        params: the network that learns.
        images: float32 from 0 to 1, as the network sees them.
        teacher_logits: those of the network that it learns from, for the same images.
        temperature: above 0.

    Source:
        Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), section 2.

    Example:
        >>> params = [(jnp.zeros((10, 784)), jnp.zeros(10))]  # knows nothing
        >>> images = jnp.zeros((4, 784))
        >>> round(float(distillation_loss(params, images, jnp.zeros((4, 10)), temperature=2.0)), 3)
        9.21
    """
    import optax

    soft = jax.nn.softmax(teacher_logits / temperature)
    logits = batched_predict(params, images) / temperature
    return temperature**2 * optax.softmax_cross_entropy(logits, soft).mean()


def step(
    state: State,
    images: Float[Array, "batch 784"],
    labels: Int[Array, " batch"],
    key: Key[Array, ""],
    learning_rate: Float[Array, ""] | float,
    config: Config,
    updates: int,
    teacher: Params | None = None,
) -> tuple[State, Float[Array, ""]]:
    """Take one training step of one network, as `config` says.

    The classic program uses `learning.update`. Every other recipe distorts the images, normalizes
    them, lets Optax compute the update, and applies it.

    Args:
        state: from `start` or from the previous step.
        images: float32 from 0 to 1.
        labels: 0 to 9.
        key: determines the distortion; the classic program has none.
        learning_rate: step size of the classic program; Optax's schedules have their own.
        config: the recipe.
        updates: number of updates in one epoch, for the schedule.
        teacher: the network to learn from, if `config` has a temperature. With 1,568 inputs, it
            sees each image both ways; otherwise, it sees what the new network sees.

    Returns:
        The new state, and the loss (nats) of the old parameters on this batch.
    """
    if config.is_classic:
        targets = one_hot(labels, NUM_CLASSES)
        params, value = update(state.params, images, targets, learning_rate)
        return State(params), value
    import optax

    if config.distortion:
        images = distort_batch(key, images, config.distortion)
    seen = VIEWS[config.normalization](images)
    if config.temperature:
        assert teacher is not None  # `training.epochs` checks this
        sees_both = teacher[0][0].shape[1] == INPUTS["both"]
        shown = VIEWS["both"](images) if sees_both else seen
        logits = batched_predict(teacher, shown)
        value, gradients = jax.value_and_grad(distillation_loss)(
            state.params, seen, logits, config.temperature
        )
    else:
        value, gradients = jax.value_and_grad(recipe_loss)(
            state.params, seen, labels, config.label_smoothing
        )
    optimizer = make_optimizer(config, updates)
    steps, optimizer_state = optimizer.update(gradients, state.optimizer, state.params)
    return State(optax.apply_updates(state.params, steps), optimizer_state), value


def shuffled(key: Key[Array, ""], count: int) -> Int[Array, " count"]:
    """The numbers from 0 to `count - 1`, in random order.

    `jax.random.permutation` sorts twice when there are more than 1,625 numbers. This sorts once,
    and compiles faster. The price: now and then two numbers draw the same 32 bits
    (for 60,000 numbers, in about one order in three) and keep their places relative to each other.

    Args:
        key: determines the order.
        count: how many numbers.

    Example:
        >>> sorted(shuffled(jax.random.key(0), 4).tolist())
        [0, 1, 2, 3]
    """
    return jnp.argsort(jax.random.bits(key, (count,)))


@partial(jax.jit, static_argnames=("config", "mesh"))
def recipe_epoch(
    state: State,
    images: Float[Array, "n 784"],
    labels: Int[Array, " n"],
    key: Key[Array, ""],
    learning_rate: Float[Array, ""] | float,
    config: Config,
    mesh: Mesh | None = None,
    teacher: Params | None = None,
) -> tuple[State, Float[Array, ""]]:
    """Visit the images once, as one compiled call, on one device or on all devices of a mesh.

    For the classic program on one device this is `learning.train_epoch`, bit for bit. Each member
    of a committee visits the images in its own order, with its own distortions.

    Args:
        state: from `start` or from the previous epoch, a copy on every device.
        images: float32 from 0 to 1, at least `batch_size` of them, a copy on every device.
        labels: 0 to 9, a copy on every device.
        key: determines the order and the distortions.
        learning_rate: step size of the classic program, above 0.
        config: the recipe; a change in any setting compiles the epoch again.
        mesh: the devices among which each batch is divided.
        teacher: the network to learn from, if `config` has a temperature.

    Returns:
        The new state, and the mean loss (nats) of the batches, each before its update.
    """
    if config.members > 1:
        keys = jax.random.split(key, config.members)
        states, each_loss = {}, []
        for name, (member, places) in _groups(config).items():
            one_member = partial(
                recipe_epoch, config=member, mesh=mesh, teacher=teacher
            )
            side_by_side = jax.vmap(one_member, in_axes=(0, None, None, 0, None))
            group = State(state.params[name], state.optimizer[name])
            states[name], loss = side_by_side(
                group, images, labels, keys[places], learning_rate
            )
            each_loss.append(loss)
        return _committee(states), jnp.concatenate(each_loss).mean()
    count = len(images) // config.batch_size
    if config.is_classic:  # the order that `train_epoch` draws
        order, step_key = jax.random.permutation(key, len(images)), key
    else:
        order_key, step_key = jax.random.split(key)
        order = shuffled(order_key, len(images))
    batches = order[: count * config.batch_size].reshape(count, config.batch_size)

    def visit(state, item):
        batch, key = item
        some_images, some_labels = divide((images[batch], labels[batch]), mesh)
        return step(
            state, some_images, some_labels, key, learning_rate, config, count, teacher
        )

    keys = jax.random.split(step_key, count)
    state, losses = jax.lax.scan(visit, state, (batches, keys))
    return state, jnp.mean(losses)


def compile_ahead(
    config: Config, train: int, test: int, teacher: Params | None = None
) -> list[Future]:
    """Compile a run's functions in two threads, while the data are being moved.

    JAX caches what it compiled, so the first real call finds it ready. This saves the better part
    of a second, which matters when a run takes only a few. An error is left for the real call to
    raise.

    Args:
        config: the recipe.
        train: number of training images.
        test: number of test images.
        teacher: the network to learn from, if `config` has a temperature.

    Returns:
        The compilations, as futures to wait for before the first real call.

    Example:
        >>> jobs = compile_ahead(RECIPES["fast"], train=1440, test=357)
        >>> done, waiting = concurrent.futures.wait(jobs)
    """
    key = jax.eval_shape(lambda: jax.random.key(0))
    state = jax.eval_shape(partial(start, config=config), key)
    network = jax.eval_shape(lambda state: state.network, state)
    pixels = config.layer_sizes[0]
    images = jax.ShapeDtypeStruct((train, pixels), jnp.float32)
    labels = jax.ShapeDtypeStruct((train,), jnp.int32)
    tests = jax.ShapeDtypeStruct((test, INPUTS[config.normalization]), jnp.float32)

    def compile_one(function, *arguments, **static):
        function.lower(*arguments, **static).compile()

    pool = concurrent.futures.ThreadPoolExecutor(2)
    # The arguments must be passed exactly as `training.epochs` passes them.
    epoch = (recipe_epoch, state, images, labels, key, 1.0)
    jobs = [
        pool.submit(compile_one, *epoch, config=config, mesh=None, teacher=teacher),
        # One thread compiles the epoch, which takes about as long as these three together. The
        # other compiles them in the order in which the run needs them.
        pool.submit(compile_one, run_keys, np.uint32(0), 0),
        pool.submit(compile_one, _start_recipe, key, config),
        pool.submit(compile_one, predicted_labels, network, tests),
    ]
    pool.shutdown(wait=False)
    return jobs
