"""The command line: `python -m mnist_code train | evaluate | predict | export | serve`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from mnist_code import __version__, data, processes
from mnist_code.checkpoint import Checkpoints, lock
from mnist_code.config import EXPORT_FILES, Config
from mnist_code.console import checked_output
from mnist_code.errors import (
    INTERRUPTED,
    ConfigError,
    DivergedError,
    ImageError,
    MnistCodeError,
    ProcessError,
    reason,
)
from mnist_code.evaluation import confusion_matrix
from mnist_code.images import read_image
from mnist_code.model import Params, batched_predict
from mnist_code.recipes import RECIPES, State, recipe_for
from mnist_code.recorder import Recorder
from mnist_code.storage import fingerprint, load_params
from mnist_code.training import EpochResult, epochs

DEFAULT_FILE = Path("params.safetensors")
DEFAULT_CHECKPOINTS = Path("checkpoints")
LARGEST_PIPED = 2**27  # bytes of a picture from a pipe: more than any camera's


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: what follows `python -m mnist_code`; without it, what was typed.

    Returns:
        The exit status: 0; 1 after an error of input, files or training; 2 for a wrong option;
        130 after Ctrl-C.
    """
    parser = _parser()
    try:
        with checked_output():
            options = parser.parse_args(arguments)
            try:
                return options.run(options)
            except ConfigError as error:
                parser.error(str(error))
    except MnistCodeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: The system says: {reason(error)}{where}.", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mnist_code",
        description="Train and use a classifier of handwritten digits, written in pure JAX.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")

    train = commands.add_parser(
        "train", help="train the network and save its parameters"
    )
    train.set_defaults(run=_train)
    train.add_argument(
        "--recipe", choices=RECIPES, default="classic",
        help="settings to start from; the options below change them (default: %(default)s)",
    )  # fmt: skip
    for setting in dataclasses.fields(Config):
        if setting.metadata:
            _add_option(train, setting)
    train.add_argument(
        "--out", type=Path, default=DEFAULT_FILE, metavar="FILE",
        help="where the parameters go, anew after each epoch (default: %(default)s)",
    )  # fmt: skip
    train.add_argument(
        "--metrics", type=Path, metavar="FILE", help="write one line of JSON per epoch"
    )
    train.add_argument(
        "--checkpoints", type=Path, metavar="FOLDER",
        help="after each epoch, save there all that it takes to go on",
    )  # fmt: skip
    train.add_argument(
        "--resume", action="store_true",
        help="go on from the newest of the --checkpoints, if there is one "
        f"(without that option: of {DEFAULT_CHECKPOINTS})",
    )  # fmt: skip
    train.add_argument(
        "--devices", type=int, metavar="N",
        help="train on N devices at once; a CPU is divided into as many",
    )  # fmt: skip
    several = train.add_argument_group(
        "several processes", "Start the same command on every machine, each with its number."
    )  # fmt: skip
    several.add_argument(
        "--coordinator", metavar="HOST:PORT",
        help="where process 0 listens; auto: ask Slurm, Open MPI, Kubernetes or Cloud TPU",
    )  # fmt: skip
    several.add_argument("--processes", type=int, metavar="N", help="how many")
    several.add_argument(
        "--process-id", type=int, metavar="K", help="which of them this is, from 0"
    )

    evaluate = commands.add_parser(
        "evaluate", help="accuracy and confusion matrix on test images"
    )
    evaluate.set_defaults(run=_evaluate)
    _add_option(evaluate, Config.__dataclass_fields__["dataset"])

    predict = commands.add_parser("predict", help="say which digit a picture shows")
    predict.set_defaults(run=_predict)
    predict.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="a PNG or JPEG; - reads standard input",
    )

    export = commands.add_parser(
        "export", help="write the network in a form that runs without this package"
    )
    export.set_defaults(run=_export)
    export.add_argument(
        "--format", required=True, choices=EXPORT_FILES,
        help="stablehlo: for jax.export; savedmodel: a folder for TensorFlow and its servers; "
        "litert: for phones and small devices",
    )  # fmt: skip
    export.add_argument(
        "--out", type=Path, metavar="PATH",
        help=f"default: {', '.join(map(str, EXPORT_FILES.values()))}",
    )  # fmt: skip

    serve = commands.add_parser(
        "serve", help="answer over HTTP: GET /ping, POST /invocations"
    )
    serve.set_defaults(run=_serve)
    serve.add_argument(
        "--host", default=os.environ.get("MNIST_CODE_HOST", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 lets other machines in (default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--port", type=int, default=os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"),
        help="0 takes one that is free (default: %(default)s)",
    )  # fmt: skip
    serve.add_argument(
        "--read-seconds", type=float, default=10.0, metavar="SECONDS",
        help="how long a client may take to send its request (default: %(default)s)",
    )  # fmt: skip

    for command in (evaluate, predict, export, serve):
        command.add_argument(
            "--params", type=Path, default=DEFAULT_FILE, metavar="FILE",
            help="parameters that train saved (default: %(default)s)",
        )  # fmt: skip
    return parser


def _add_option(command: argparse.ArgumentParser, setting: dataclasses.Field) -> None:
    choices = setting.metadata["choices"]
    kind = type(setting.default)
    command.add_argument(
        f"--{setting.name.replace('_', '-')}",
        type=kind,
        choices=choices,
        metavar=None if choices else kind.__name__,
        help=f"{setting.metadata['help']} ({_defaults(setting)})",
    )


def _defaults(setting: dataclasses.Field) -> str:
    """The value in the classic recipe, and in those that have another."""
    others = [
        f"{name}: {value}"
        for name, recipe in RECIPES.items()
        if (value := getattr(recipe, setting.name)) != setting.default
    ]
    return "; ".join([f"default: {setting.default}", *others])


def _train(options: argparse.Namespace) -> int:
    _configure(options, "mnist")  # a wrong option is reported before anything is loaded
    Recorder.check(options.out, options.metrics)
    mesh = processes.choose_mesh(
        options.devices, options.coordinator, options.processes, options.process_id
    )
    dataset = data.load(options.dataset)
    config = _configure(options, dataset.name)
    with _recorder(options, config, dataset.name) as recorder:
        return _run(dataset, config, recorder, mesh)


def _run(
    dataset: data.Dataset, config: Config, recorder: Recorder | None, mesh: Mesh | None
) -> int:
    """Train from the newest checkpoint, or from the start, to the end or to Ctrl-C."""
    state: State | None = None
    start_epoch = 0
    if recorder is not None:
        start_epoch, state, corrupt = recorder.resume()
        for path in corrupt:
            print(f"{path} is corrupt and was skipped.", file=sys.stderr)
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
            for result in epochs(dataset, config, state, start_epoch, mesh):
                if recorder is not None:
                    recorder.record(result)
                    bar.write(_epoch_line(result), file=sys.stdout)
                bar.update()
    except (DivergedError, ProcessError, KeyboardInterrupt) as stop:
        status = _report_stop(stop, recorder)
        processes.exit_without_waiting()
        return status
    final = state if result is None else result.state
    assert final is not None  # a run has at least one epoch, now or in a checkpoint
    if recorder is None:
        checksum = fingerprint(final.params)
        print(f"Done. SHA-256 of these parameters as a file: {checksum}")
    else:
        _report_end(recorder, final.params, dataset)
    return 0


def _configure(options: argparse.Namespace, dataset: str) -> Config:
    """The settings of the recipe for a data set, changed by the options that were given."""
    names = {setting.name for setting in dataclasses.fields(Config)}
    given = {k: v for k, v in vars(options).items() if k in names and v is not None}
    return dataclasses.replace(recipe_for(options.recipe, dataset), **given)


@contextlib.contextmanager
def _recorder(
    options: argparse.Namespace, config: Config, dataset: str
) -> Iterator[Recorder | None]:
    """The run's files, which only the first of several processes reads and writes."""
    folder = options.checkpoints or (DEFAULT_CHECKPOINTS if options.resume else None)
    if processes.process_number() != 0:
        yield None
    elif folder is None:
        yield Recorder(options.out, options.metrics)
    else:
        with lock(folder):
            checkpoints = Checkpoints(folder, config, dataset)
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
            yield Recorder(options.out, options.metrics, checkpoints)


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


def _load(path: Path) -> Params:
    """Read the parameters, once JAX is known to work."""
    processes.check_backend()
    return load_params(path)


def _evaluate(options: argparse.Namespace) -> int:
    params = _load(options.params)
    dataset = data.load(options.dataset)
    images = jnp.asarray(data.as_vectors(dataset.test_images))
    counts = np.asarray(
        confusion_matrix(params, images, jnp.asarray(dataset.test_labels))
    )
    right, total = int(counts.trace()), int(counts.sum())
    print(f"Test accuracy {right / total:.2%}: {right:,} of {total:,} right")
    print("\nHow often each digit (row) was taken for each digit (column):")
    width = max(4, len(str(counts.max())) + 1)
    print("digit" + "".join(f"{digit:{width}}" for digit in range(10)))
    for digit, row in enumerate(counts):
        print(f"{digit:5}" + "".join(f"{count or '·':>{width}}" for count in row))
    return 0


def _predict(options: argparse.Namespace) -> int:
    params = _load(options.params)
    status = 0
    for name in options.images:
        try:
            image = read_image(_picture(name))
        except ImageError as error:  # the others can still be read
            print(f"error: {error}", file=sys.stderr)
            status = 1
            continue
        logits = batched_predict(params, jnp.asarray(data.as_vectors(image[None])))[0]
        label = int(jnp.argmax(logits))
        print(f"{name}: {label} (probability {jax.nn.softmax(logits)[label]:.1%})")
    return status


def _picture(name: str) -> str | bytes:
    """What `read_image` reads: a path, or what a pipe delivers, which can be read only once."""
    if re.match(r"[a-z]+://", name):
        raise ImageError(
            f"Cannot read {name}: it is an address on the web. Download the picture, and "
            "give its name."
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

    path = export(_load(options.params), options.format, options.out)
    print(f"{path}: {size_of(path):,} bytes of {options.format}, any number of images")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from mnist_code.serve import serve

    serve(_load(options.params), options.host, options.port, options.read_seconds)
    return 0
