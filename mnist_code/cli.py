"""The command line: `python -m mnist_code train | evaluate | predict | export | serve`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from mnist_code import __version__, data, processes
from mnist_code.arguments import Parser, add_setting, no_averaging, path
from mnist_code.checkpoint import Checkpoints, lock
from mnist_code.config import (
    EXPORT_FILES,
    HOST,
    PORT,
    READ_SECONDS,
    SIDE,
    WAIT_SECONDS,
    Config,
)
from mnist_code.console import checked_output
from mnist_code.errors import (
    ConfigError,
    DivergedError,
    ImageError,
    MnistCodeError,
    ProcessError,
    reason,
)
from mnist_code.evaluation import confusion_matrix
from mnist_code.files import is_address
from mnist_code.images import as_text, doubts, read_with_hints
from mnist_code.interrupts import INTERRUPTED, raise_if_lost
from mnist_code.model import Params, probabilities
from mnist_code.normalize import network_inputs
from mnist_code.recipes import READ_FROM_PAPER, RECIPES, State, recipe_for
from mnist_code.recorder import Recorder
from mnist_code.storage import fingerprint, load_network
from mnist_code.training import EpochResult, epochs

DEFAULT_FILE = Path("params.safetensors")
DEFAULT_CHECKPOINTS = Path("checkpoints")
LARGEST_PIPED = 2**27  # bytes of a picture from a pipe: more than any camera's


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what follows `python -m mnist_code`; without it, what was typed.

    Returns:
        The exit status: 0; 1 after an error in the input, the files or training; 130 after Ctrl-C.

    Raises:
        SystemExit: its code is 2 for a wrong option, 1 if the reader of standard output stops, and
            0 after --help.
    """
    parser = _parser()
    try:
        with checked_output():
            options = parser.parse_args(arguments)
            try:
                return options.run(options)
            except ConfigError as error:
                command: Parser = options.parser
                command.config_error(error)
    except MnistCodeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"error: The operating system reports: {reason(error)}{where}.",
            file=sys.stderr,
        )
        return 1


def _parser() -> Parser:
    parser = Parser(
        prog="python -m mnist_code",
        description="Train and use a classifier of handwritten digits, written in pure JAX.",
        epilog="Each command has its own --help. Begin with: %(prog)s train",
    )
    parser.add_argument("--version", action="version", version=__version__)

    train = parser.add_command(
        "train", _train, "train the network and save its parameters", "[options]",
        ["", "--recipe fast", "--epochs 5 --learning-rate 0.5", "--checkpoints run",
         "--checkpoints run --resume", "--recipe distilled --teacher committee.safetensors"],
    )  # fmt: skip
    recipe = train.add_argument_group("how to train")
    recipe.add_argument(
        "--recipe", choices=RECIPES, default="classic",
        help="settings to start from (default: %(default)s). The options below change them; the "
        "defaults they name are for MNIST, and on the small data set, only classic keeps them",
    )  # fmt: skip
    for setting in dataclasses.fields(Config):
        if setting.metadata.get("help"):
            add_setting(recipe, setting)
    recipe.add_argument(
        "--teacher", type=path, metavar="FILE",
        help="parameters of the network to learn from, for the recipe distilled",
    )  # fmt: skip
    # What earlier versions called it, or offered
    recipe.add_argument(
        "--smoothing", dest="label_smoothing", type=float, help=argparse.SUPPRESS
    )
    recipe.add_argument("--averaging", type=no_averaging, help=argparse.SUPPRESS)
    files = train.add_argument_group("what to write")
    files.add_argument(
        "--out", type=path, default=DEFAULT_FILE, metavar="FILE",
        help="the parameters, replaced after each epoch (default: %(default)s)",
    )  # fmt: skip
    files.add_argument(
        "--metrics", type=path, metavar="FILE", help="one line of JSON per epoch"
    )
    files.add_argument(
        "--checkpoints", type=path, metavar="FOLDER",
        help="after each epoch, everything needed to resume the run",
    )  # fmt: skip
    files.add_argument(
        "--resume", action="store_true",
        help="continue from the newest of the checkpoints, or start if there is none; "
        f"without --checkpoints, the folder is called {DEFAULT_CHECKPOINTS}",
    )  # fmt: skip
    several = train.add_argument_group(
        "several devices and processes",
        "Start the same command in every process, each with its own --process-id.",
    )
    several.add_argument(
        "--devices", type=int, metavar="N",
        help="train on N devices at once; a CPU is split into N",
    )  # fmt: skip
    several.add_argument(
        "--coordinator", metavar="HOST:PORT",
        help="where process 0 listens; auto: ask Slurm, Open MPI, Kubernetes or Cloud TPU",
    )  # fmt: skip
    several.add_argument(
        "--processes", type=int, metavar="N", help="number of processes"
    )
    several.add_argument(
        "--process-id", type=int, metavar="K", help="number of this process, from 0"
    )

    evaluate = parser.add_command(
        "evaluate", _evaluate, "count how many test images are classified correctly",
        "[options]", ["", "--dataset digits"],
    )  # fmt: skip
    add_setting(evaluate, Config.__dataclass_fields__["dataset"])

    predict = parser.add_command(
        "predict", _predict, "say which digit a picture shows", "[options] IMAGE ...",
        ["digit.png", "--show *.jpg", "- < digit.png"],
    )  # fmt: skip
    predict.add_argument(
        "images", nargs="+", metavar="IMAGE", help="a PNG or JPEG; - for standard input"
    )
    predict.add_argument(
        "--show",
        action="store_true",
        help="also print what the network sees: 28 × 28 pixels, or two such pictures for a "
        "committee that sees each image both ways",
    )

    export = parser.add_command(
        "export", _export, "write the network in a form that runs without this package",
        "--format FORMAT [options]", ["--format stablehlo", "--format litert --out 7.tflite"],
    )  # fmt: skip
    export.add_argument(
        "--format", required=True, choices=EXPORT_FILES,
        help="stablehlo: for jax.export; savedmodel: a folder for TensorFlow and its servers; "
        "litert: for phones and small devices; litert8: with weights of 8 bits",
    )  # fmt: skip
    export.add_argument(
        "--out", type=path, metavar="PATH",
        help=f"default: {', '.join(map(str, EXPORT_FILES.values()))}",
    )  # fmt: skip

    serve = parser.add_command(
        "serve", _serve, "answer over HTTP: GET /ping and /metrics, POST /invocations",
        "[options]",
        ["", "--host 0.0.0.0 --port 8000"],
    )  # fmt: skip
    serve.add_argument(
        "--host", default=os.environ.get("MNIST_CODE_HOST", HOST),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--port", type=int, default=os.environ.get("SAGEMAKER_BIND_TO_PORT", str(PORT)),
        help="0 picks a free one (default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--read-seconds", type=float, default=READ_SECONDS, metavar="SECONDS",
        help="how long a client may take to send its request (default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--wait-milliseconds", type=float, default=1000 * WAIT_SECONDS, metavar="MS",
        help="how long a request waits for others to be classified with (default: %(default)s)",
    )  # fmt: skip

    for command in (evaluate, predict, export, serve):
        command.add_argument(
            "--params", type=path, default=DEFAULT_FILE, metavar="FILE",
            help="parameters that train saved (default: %(default)s)",
        )  # fmt: skip
    return parser


def _train(options: argparse.Namespace) -> int:
    # A wrong option is reported before anything is loaded.
    config = _configure(options, "digits" if options.dataset == "digits" else "mnist")
    _check_teacher(options, config)
    batch_size = config.batch_size
    Recorder.check(options.out, options.metrics)
    devices = options.devices
    if devices is not None and devices > batch_size:
        print(
            f"--devices {devices}: a batch has {batch_size} images, so {batch_size} devices "
            "are used.",
            file=sys.stderr,
        )
        devices = batch_size
    mesh = processes.choose_mesh(
        devices, options.coordinator, options.processes, options.process_id
    )
    teacher, checksum = _load_teacher(options, config)
    dataset = data.load(options.dataset)
    config = _configure(options, dataset.name)
    with _recorder(options, config, dataset.name, checksum) as recorder:
        return _run(dataset, config, recorder, mesh, teacher)


def _check_teacher(options: argparse.Namespace, config: Config) -> None:
    """A teacher and a temperature go together."""
    if config.temperature and options.teacher is None:
        raise ConfigError(
            "teacher: with a temperature above 0, the network learns from a teacher. Train one "
            "first, with --recipe committee --out committee.safetensors, and then give "
            "--teacher committee.safetensors"
        )
    if options.teacher is not None and not config.temperature:
        raise ConfigError(
            "teacher: at temperature 0 a network learns from the labels. Choose "
            "--recipe distilled, or give a --temperature above 0"
        )


def _load_teacher(
    options: argparse.Namespace, config: Config
) -> tuple[Params | None, str | None]:
    """The network to learn from, and its fingerprint.

    Raises:
        ConfigError: it learned from images normalized in another way.
    """
    if options.teacher is None:
        return None, None
    teacher, normalization = load_network(options.teacher)
    if normalization not in (config.normalization, "both"):
        raise ConfigError(
            f"teacher: {options.teacher} learned from images with --normalization {normalization}, "
            f"and this network would see them with --normalization {config.normalization}. "
            f"Give --normalization {normalization}, or another teacher"
        )
    return teacher, fingerprint(teacher, normalization)


def _run(
    dataset: data.Dataset,
    config: Config,
    recorder: Recorder | None,
    mesh: Mesh | None,
    teacher: Params | None,
) -> int:
    """Train from the newest checkpoint, or from the start, to the end or to Ctrl-C."""
    state: State | None = None
    start_epoch = 0
    if recorder is not None:
        start_epoch, state, corrupt = recorder.resume()
        for folder in corrupt:
            print(f"{folder} is corrupt and was skipped.", file=sys.stderr)
        if start_epoch:
            print(f"Resuming after epoch {start_epoch - 1}")
    start_epoch, state = processes.broadcast_start(start_epoch, state, config)
    result = None
    try:
        with (
            processes.report_lost_process(),
            tqdm(
                total=config.epochs,
                initial=start_epoch,
                unit="epoch",
                disable=None,
                leave=False,
            ) as bar,
        ):
            for result in epochs(dataset, config, state, start_epoch, mesh, teacher):
                if recorder is not None:
                    recorder.record(result)
                    bar.write(_epoch_line(result), file=sys.stdout)
                bar.update()
                raise_if_lost()
    except (DivergedError, ProcessError, KeyboardInterrupt) as stop:
        status = _report_stop(stop, recorder)
        processes.exit_without_waiting()
        return status
    final = state if result is None else result.state
    assert final is not None  # a run has at least one epoch, now or in a checkpoint
    if recorder is None:
        checksum = fingerprint(final.network, config.normalization)
        print(f"Done. SHA-256 of these parameters as a file: {checksum}")
    else:
        _report_end(recorder, final.network, dataset)
    return 0


def _configure(options: argparse.Namespace, dataset: str) -> Config:
    """The settings of the recipe for a data set, changed by the options that were given."""
    names = {setting.name for setting in dataclasses.fields(Config)}
    given = {k: v for k, v in vars(options).items() if k in names and v is not None}
    return dataclasses.replace(recipe_for(options.recipe, dataset), **given)


@contextlib.contextmanager
def _recorder(
    options: argparse.Namespace, config: Config, dataset: str, teacher: str | None
) -> Iterator[Recorder | None]:
    """The run's files, which only the first of several processes reads and writes."""
    folder = options.checkpoints or (DEFAULT_CHECKPOINTS if options.resume else None)
    if processes.process_number() != 0:
        yield None
    elif folder is None:
        yield Recorder(options.out, options.metrics, normalization=config.normalization)
    else:
        with lock(folder):
            checkpoints = Checkpoints(folder, config, dataset, teacher)
            found = bool(checkpoints.epochs())
            if found and not options.resume:
                raise ConfigError(
                    f"checkpoints: {folder} already holds some; add --resume to continue "
                    "from them, or name another folder"
                )
            if options.resume and not found:
                if options.out.exists():
                    raise ConfigError(
                        f"resume: there are no checkpoints in {folder} to resume from, and "
                        f"{options.out} would be replaced. Only a run with --checkpoints or "
                        "--resume keeps checkpoints. To start over, leave out --resume, or "
                        "name another --out"
                    )
                print(f"No checkpoints in {folder} yet: starting with epoch 0")
            yield Recorder(
                options.out, options.metrics, checkpoints, config.normalization
            )


def _report_stop(stop: BaseException, recorder: Recorder | None) -> int:
    """Say why training stopped early, what was saved, and how to go on."""
    interrupted = isinstance(stop, KeyboardInterrupt)
    lines = ["interrupted" if interrupted else f"error: {stop}"]
    if recorder is not None and recorder.saved_epoch is None:
        lines.append("No epoch was completed; nothing was saved.")
    elif recorder is not None:
        lines.append(
            f"{recorder.params} holds the parameters of epoch {recorder.saved_epoch}."
        )
        if interrupted and recorder.checkpoints is not None:
            lines.append("The same command with --resume continues from there.")
        elif interrupted:
            lines.append(
                "To be able to resume a run, start it with --checkpoints FOLDER."
            )
    print("\n".join(lines), file=sys.stderr)
    return INTERRUPTED if interrupted else 1


def _report_end(recorder: Recorder, params: Params, dataset: data.Dataset) -> None:
    """Say how good the network is, and where it was saved."""
    accuracy = recorder.history[-1]["test_accuracy"]
    assert accuracy is not None  # the last epoch is always evaluated
    count = len(dataset.test_labels)
    if dataset.name == "digits":
        rights = (
            f"{10 * part:.0f} with {name}" for name, part in READ_FROM_PAPER.items()
        )
        print(
            "Expect less with your own pictures: out of 10, a network trained on these few digits "
            f"reads about {' and '.join(rights)}. To read more of them, train on MNIST."
        )
    print(
        f"Test accuracy {accuracy:.2%}: {round(accuracy * count):,} of {count:,} right. "
        f"{sum(leaf.size for leaf in jax.tree.leaves(params)):,} parameters "
        f"saved in {recorder.params}"
    )
    if accuracy <= np.bincount(dataset.test_labels).max() / count:
        print(
            "The network is no better than guessing. Try a lower learning rate.",
            file=sys.stderr,
        )


def _epoch_line(result: EpochResult) -> str:
    training, test = (
        " " * 6 + "–" if part is None else f"{part:7.2%}"
        for part in (result.train_accuracy, result.test_accuracy)
    )
    return (
        f"epoch {result.epoch:2}  loss {result.train_loss:.4f}  "
        f"training {training}  test {test}  "
        f"{result.train_seconds:.2f} s + {result.evaluate_seconds:.2f} s"
    )


def _load(file: Path) -> tuple[Params, str]:
    """Read the parameters and how images must be normalized, once JAX is known to work."""
    processes.check_backend()
    return load_network(file)


def _evaluate(options: argparse.Namespace) -> int:
    params, normalization = _load(options.params)
    dataset = data.load(options.dataset)
    images = jnp.asarray(data.as_vectors(dataset.test_images))
    images = network_inputs(images, normalization)
    counts = np.asarray(
        confusion_matrix(params, images, jnp.asarray(dataset.test_labels))
    )
    right, total = int(counts.trace()), int(counts.sum())
    print(f"Test accuracy {right / total:.2%}: {right:,} of {total:,} right")
    width = max(4, len(str(counts.max())) + 1)
    needed, there = 5 + 10 * width, shutil.get_terminal_size().columns
    if needed > there:
        print(f"\nThe full table needs {needed} columns; this terminal has {there}.")
        _print_confusions(counts)
        return 0
    print("\nHow often each digit (row) was taken for each digit (column):")
    print("digit" + "".join(f"{digit:{width}}" for digit in range(10)))
    for digit, row in enumerate(counts):
        print(f"{digit:5}" + "".join(f"{count or '·':>{width}}" for count in row))
    return 0


def _print_confusions(counts: np.ndarray) -> None:
    """Print the most frequent mistakes, in lines that fit anywhere."""
    wrong = np.where(np.eye(10, dtype=bool), 0, counts)
    print("The most frequent mistakes:")
    for place in np.argsort(-wrong, axis=None, kind="stable")[:5]:
        if count := wrong.flat[place]:
            print(f"{place // 10} taken for {place % 10}: {count:,}")


def _predict(options: argparse.Namespace) -> int:
    params, normalization = _load(options.params)
    status = 0
    for name in options.images:
        try:
            image, hints = read_with_hints(_picture(name))
        except ImageError as error:  # the others can still be read
            print(f"error: {error}", file=sys.stderr)
            status = 1
            continue
        seen = network_inputs(jnp.asarray(data.as_vectors(image[None])), normalization)
        (row,) = probabilities(params, seen)
        label = int(jnp.argmax(row))
        line = f"{name}: {label} (probability {row[label]:.1%})"
        doubt = doubts(hints, float(row[label]))
        print(f"{line}. {doubt}" if doubt else line)
        if options.show:
            pictures = np.rint(255 * np.asarray(seen)).astype(np.uint8)
            for picture in pictures.reshape(-1, SIDE, SIDE, 1):  # two, if it sees both
                print(as_text(picture))
    return status


def _picture(name: str) -> str | bytes:
    """A path, or what a pipe delivers, which can be read only once."""
    if is_address(name):
        raise ImageError(
            f"Cannot read {name}: it is an address, not a file. Download the picture, and "
            "give the path of the file."
        )
    try:
        if name == "-":
            return sys.stdin.buffer.read(LARGEST_PIPED) if sys.stdin else b""
        if Path(name).exists() and not (Path(name).is_file() or Path(name).is_dir()):
            with open(name, "rb") as pipe:
                return pipe.read(LARGEST_PIPED)
    except OSError as error:
        raise ImageError(f"Cannot read {name}: {reason(error)}.") from None
    return name


def _export(options: argparse.Namespace) -> int:
    from mnist_code.export import export, size_of

    params, normalization = _load(options.params)
    made = export(params, options.format, options.out, normalization)
    print(f"{made}: {size_of(made):,} bytes of {options.format}, any number of images")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from mnist_code.serve import serve

    params, normalization = _load(options.params)
    serve(
        params,
        options.host,
        options.port,
        options.read_seconds,
        options.wait_milliseconds / 1000,
        normalization=normalization,
    )
    return 0
