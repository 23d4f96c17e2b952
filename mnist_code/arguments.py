"""Additions to argparse: suggestions for misspelled names, and messages that name the option."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from mnist_code.errors import ConfigError
from mnist_code.files import is_address
from mnist_code.recipes import RECIPES

METAVARS = {
    "learning_rate": "RATE",
    "label_smoothing": "SHARE",
    "distortion": "STRENGTH",
}


class Parser(argparse.ArgumentParser):
    """Parses either a single command, or the name of a command followed by its options."""

    commands: argparse._SubParsersAction | None = None

    def add_command(
        self, name: str, run, help: str, usage: str, examples: Iterable[str]
    ) -> Parser:
        """Add a command, which calls `run` with its options.

        Args:
            name: what is typed.
            run: a function of the options that returns the exit status.
            help: what the command does, in a few words.
            usage: what follows the name.
            examples: what may follow the name, one example per line.
        """
        if self.commands is None:
            self.commands = self.add_subparsers(required=True, metavar="command")
        lines = (f"  {self.prog} {name} {example}".rstrip() for example in examples)
        command = self.commands.add_parser(
            name,
            help=help,
            description=f"{help[0].upper()}{help[1:]}.",
            usage=f"%(prog)s {usage}",
            epilog="\n".join(["examples:", *lines]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run, parser=command)
        return command

    def parse_known_args(self, args=None, namespace=None):
        """Parse, and suggest what may have been meant by a name that does not exist."""
        words = sys.argv[1:] if args is None else list(args)
        if self.commands is not None:
            if not words:
                self.print_help(sys.stderr)
                self.exit(2)
            names = self.commands.choices
            if words[0][:1] != "-" and words[0] not in names:
                self.error(f"unknown command {words[0]}{_suggest(words[0], names)}")
        else:
            self._check_options(words)
        options, extra = super().parse_known_args(words, namespace)
        if extra:
            self.error(f"unexpected: {' '.join(extra)}")
        return options, extra

    def _check_options(self, words: list[str]) -> None:
        known = self._option_string_actions
        shown = [name for name in known if known[name].help != argparse.SUPPRESS]
        for word in words:
            option = word.split("=")[0]
            if option == "--":
                return
            if not re.match("--?[a-zA-Z]", option):
                continue  # a value, a negative number, or - for standard input
            if not any(name.startswith(option) for name in known):
                self.error(f"unknown option {option}{_suggest(option, shown)}")

    def config_error(self, error: ConfigError) -> NoReturn:
        """Exit with a message about a setting. It names batch_size as it is typed: --batch-size."""
        message = str(error)
        for action in self._actions:
            whole = rf"(?<![\w-]){action.dest}\b"
            if action.option_strings and (
                "_" in action.dest or re.match(whole, message)
            ):
                option = f"--{action.dest.replace('_', '-')}"
                message = re.sub(whole, option, message, count=1)
        self.error(message)


def _suggest(word: str, known: Iterable[str]) -> str:
    """Guess which known name was meant from its initials, a part of it, or a misspelling."""
    names = {name.strip("-"): name for name in known}
    word = word.strip("-").lower().replace("_", "-")
    found = [
        *(name for name in names if word == "".join(w[0] for w in name.split("-"))),
        *difflib.get_close_matches(word, names, n=1),
        *(name for name in names if name in word or word in name.split("-")),
    ]
    return f"; did you mean {names[found[0]]}?" if found else ""


def add_setting(command, setting: dataclasses.Field) -> None:
    """Add the option for one field of `Config`. Without it, the recipe decides."""
    choices = setting.metadata["choices"]
    kind = type(setting.default)
    others = [
        f"{name}: {value}"
        for name, recipe in RECIPES.items()
        if (value := getattr(recipe, setting.name)) != setting.default
    ]
    defaults = "; ".join([f"default: {setting.default}", *others])
    command.add_argument(
        f"--{setting.name.replace('_', '-')}",
        type=kind,
        choices=choices,
        metavar=None if choices else METAVARS.get(setting.name, "N"),
        help=f"{setting.metadata['help']} ({defaults})",
    )


def path(text: str) -> Path:
    """The type of an option that names a file or a folder."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty; give one")
    if is_address(text):
        raise argparse.ArgumentTypeError(
            f"{text} is an address, not a path; copy what you need to a file system, or "
            "mount it there"
        )
    return Path(text)


def no_averaging(text: str) -> None:
    """The type of an option of earlier versions, accepted where it changes nothing."""
    if float(text) != 0:
        raise argparse.ArgumentTypeError(
            "averaging no longer exists; leave this option out"
        )
