"""The settings of the program, in one frozen dataclass.

Chapters, tests and the command line all build the same `Config`, so each default is written once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from mnist_code.errors import ConfigError

SIDE = 28  # pixels along each side of an image
NUM_PIXELS = SIDE * SIDE
NUM_CLASSES = 10
LAYER_SIZES = (NUM_PIXELS, 512, NUM_CLASSES)
INIT_LR = 1.0
DECAY_RATE = 0.95
DECAY_STEPS = 5
BATCH_SIZE = 32
NUM_EPOCHS = 25
LARGEST = 1e38  # close to the largest float32
# Where `serve` listens: by default, for this machine alone
HOST, PORT = "127.0.0.1", 8080
READ_SECONDS = 10.0  # for a client to send its request
WAIT_SECONDS = 0.002  # for other requests to join a batch
EXPORT_FILES = {  # the formats of `export`, and the default name of each file
    "stablehlo": "model.stablehlo",
    "savedmodel": "model.savedmodel",
    "litert": "model.tflite",
    "litert8": "model-8bit.tflite",
}


@dataclass(frozen=True)
class _Range:
    """The values that a setting may take, as a test and in words."""

    contains: Callable[[float], bool]
    words: str


_COUNT = _Range(lambda value: value >= 1, "1 or more")
_POSITIVE = _Range(
    lambda value: 0 < value < LARGEST, f"a number above 0 and below {LARGEST:g}"
)
_FRACTION = _Range(lambda value: 0 <= value < 1, "at least 0 and below 1")
_STRENGTH = _Range(lambda value: 0 <= value < 3, "at least 0 and below 3")
_TEMPERATURE = _Range(lambda value: 0 <= value <= 100, "from 0 to 100")
_SEED = _Range(lambda value: 0 <= value < 2**32, "from 0 to 4294967295")


def _setting(default, help=None, choices=None, allowed=None):
    """A field of `Config`. One with a help text is also an option of the command line."""
    return field(
        default=default,
        metadata={"help": help, "choices": choices, "allowed": allowed},
    )


@dataclass(frozen=True)
class Config:
    """Everything that determines how a training run goes: a recipe, as data.

    The defaults are the program of Part I. `mnist_code.recipes.RECIPES` names other recipes.

    Raises:
        ConfigError: a setting is out of range. The message names it and the values allowed.

    Example:
        >>> Config(epochs=3).learning_rate
        1.0
        >>> Config(epochs=0)
        Traceback (most recent call last):
            ...
        mnist_code.errors.ConfigError: epochs must be 1 or more, not 0
    """

    dataset: str = _setting(
        "auto",
        "auto: MNIST if it is available, otherwise the embedded digits",
        choices=("auto", "mnist", "digits"),
    )
    epochs: int = _setting(
        NUM_EPOCHS, "passes over the training images", allowed=_COUNT
    )
    batch_size: int = _setting(BATCH_SIZE, "images per update", allowed=_COUNT)
    learning_rate: float = _setting(
        INIT_LR,
        "step size in the first epoch, from which it decays; with one-cycle, the peak",
        allowed=_POSITIVE,
    )
    seed: int = _setting(
        0,
        "determines the initial parameters, every shuffle and every distortion",
        allowed=_SEED,
    )
    optimizer: str = _setting(
        "sgd", "the update rule", choices=("sgd", "nesterov", "adam")
    )
    schedule: str = _setting(
        "decay",
        "decay: a little every epoch; one-cycle: up, then down to 0",
        choices=("decay", "one-cycle"),
    )
    initialization: str = _setting(
        "normal",
        "normal: scale 0.01 everywhere; he: scaled by the size of each layer",
        choices=("normal", "he"),
    )
    label_smoothing: float = _setting(
        0.0,
        "share of each target that is spread evenly over the classes",
        allowed=_FRACTION,
    )
    distortion: float = _setting(
        0.0,
        "strength of the random distortion of each image; 0 for none",
        allowed=_STRENGTH,
    )
    normalization: str = _setting(
        "none",
        "none: leave each image as it is; moments: make each digit upright, centered, and the same "
        "size; both: none and moments, each for half of a committee's members",
        choices=("none", "moments", "both"),
    )
    members: int = _setting(
        1,
        "networks to train side by side, as a committee that answers together",
        allowed=_COUNT,
    )
    temperature: float = _setting(
        0.0,
        "0: learn from the labels; above 0: from a teacher's probabilities at this temperature",
        allowed=_TEMPERATURE,
    )
    evaluate: str = _setting(
        "epoch",
        "epoch: after every epoch; end: once, on test images only",
        choices=("epoch", "end"),
    )
    decay_rate: float = _setting(DECAY_RATE, allowed=_POSITIVE)  # factor on the rate
    decay_steps: float = _setting(DECAY_STEPS, allowed=_POSITIVE)  # epochs per factor
    layer_sizes: tuple[int, ...] = LAYER_SIZES  # units in each layer, input first

    def __post_init__(self):
        for setting in dataclasses.fields(self):
            value = getattr(self, setting.name)
            choices = setting.metadata.get("choices")
            allowed = setting.metadata.get("allowed")
            if choices and value not in choices:
                raise ConfigError(
                    f"{setting.name} must be one of {', '.join(choices)}, not {value!r}"
                )
            if allowed and not allowed.contains(value):
                raise ConfigError(
                    f"{setting.name} must be {allowed.words}, not {value}"
                )
        if self.normalization == "both" and self.members == 1:
            raise ConfigError(
                "normalization must be none or moments for one network, not both: choose one of "
                "these, or train 2 members or more"
            )
        sizes = self.layer_sizes
        ends = (LAYER_SIZES[0], LAYER_SIZES[-1])
        if len(sizes) < 2 or min(sizes) < 1 or (sizes[0], sizes[-1]) != ends:
            raise ConfigError(
                f"layer_sizes must start with {ends[0]}, end with {ends[1]}, and hold only "
                f"positive numbers, not {sizes}"
            )

    @property
    def is_classic(self) -> bool:
        """True for the program of Part I, plain gradient descent written by hand."""
        settings = (
            self.optimizer,
            self.schedule,
            self.initialization,
            self.normalization,
        )
        extras = self.label_smoothing + self.distortion + self.temperature
        plain = extras == 0 and self.members == 1
        return settings == ("sgd", "decay", "normal", "none") and plain


DATASETS = Config.__dataclass_fields__["dataset"].metadata["choices"]
