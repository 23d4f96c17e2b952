"""The settings of the program, in one frozen dataclass.

Chapters, tests and the command line all build the same `Config`, so a default stands in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mnist_code.errors import SettingError

LAYER_SIZES = (784, 512, 10)
INIT_LR = 1.0
DECAY_RATE = 0.95
DECAY_STEPS = 5
BATCH_SIZE = 32
NUM_EPOCHS = 25
LARGEST = 1e38  # close to what float32 can hold
DATASETS = ("auto", "mnist", "digits")
OPTIMIZERS = ("sgd", "nesterov", "adam")
SCHEDULES = ("decay", "one-cycle")
INITIALIZATIONS = ("normal", "he")


def _option(default, help, choices=None):
    """A field that the command line offers as an option, with its help text."""
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True)
class Config:
    """Everything that decides how a training run goes: a recipe, as data.

    The defaults are the program of Part I; `mnist_code.recipes.RECIPES` names others.

    Raises:
        SettingError: a setting is outside its range; the message names it and says what is allowed.

    Example:
        >>> Config(epochs=3).learning_rate
        1.0
        >>> Config(epochs=0)
        Traceback (most recent call last):
            ...
        mnist_code.errors.SettingError: epochs must be 1 or more, not 0
    """

    dataset: str = _option(
        "auto", "auto: MNIST if it can be had, else the embedded digits", DATASETS
    )
    epochs: int = _option(NUM_EPOCHS, "passes over the training images")
    batch_size: int = _option(BATCH_SIZE, "images in one update")
    learning_rate: float = _option(
        INIT_LR, "step size of the first epoch, from which it decays; or the largest"
    )
    seed: int = _option(0, "decides the first parameters and every shuffle")
    optimizer: str = _option("sgd", "rule of the update", OPTIMIZERS)
    schedule: str = _option(
        "decay", "decay: a little every epoch; one-cycle: up, then down to 0", SCHEDULES
    )
    initialization: str = _option(
        "normal",
        "normal: 0.01 everywhere; he: by the size of the layer",
        INITIALIZATIONS,
    )
    averaging: float = _option(
        0.0,
        "part that a running average of the parameters keeps in each update; 0: none",
    )
    smoothing: float = _option(
        0.0, "part of each target that is spread evenly over the classes"
    )
    distortion: float = _option(
        0.0, "strength of the random distortion of each image; 0: none"
    )
    decay_rate: float = DECAY_RATE  # the learning rate shrinks by this factor ...
    decay_steps: float = DECAY_STEPS  # ... every so many epochs
    layer_sizes: tuple[int, ...] = LAYER_SIZES

    def __post_init__(self):
        for name, choices in {
            "dataset": DATASETS,
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
            "initialization": INITIALIZATIONS,
        }.items():
            if (value := getattr(self, name)) not in choices:
                raise SettingError(
                    f"{name} must be one of {', '.join(choices)}, not {value!r}"
                )
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise SettingError(
                    f"{name} must be 1 or more, not {getattr(self, name)}"
                )
        for name in ("learning_rate", "decay_rate", "decay_steps"):
            if not 0 < (value := getattr(self, name)) < LARGEST:
                raise SettingError(
                    f"{name} must be a number above 0 and below {LARGEST:g}, not {value}"
                )
        for name, end in {"averaging": 1, "smoothing": 1, "distortion": 3}.items():
            if not 0 <= (value := getattr(self, name)) < end:
                raise SettingError(
                    f"{name} must be a number from 0 to below {end}, not {value}"
                )
        if not 0 <= self.seed < 2**32:
            raise SettingError(f"seed must be from 0 to 4294967295, not {self.seed}")
        sizes = self.layer_sizes
        if len(sizes) < 2 or min(sizes) < 1 or (sizes[0], sizes[-1]) != (784, 10):
            raise SettingError(
                f"layer_sizes must start with 784 and end with 10, not {sizes}"
            )

    @property
    def is_classic(self) -> bool:
        """Whether `update`, plain gradient descent by hand, is all that it takes."""
        settings = (self.optimizer, self.schedule, self.initialization)
        extras = self.averaging + self.smoothing + self.distortion
        return settings == ("sgd", "decay", "normal") and extras == 0
