"""From words to a stage's `Inputs`: flags, then ``INPUT_*`` variables, then defaults; generated from the fields."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighlock.errors import InputError
from weighlock.inputs import Option
from weighlock.text import printable, shell_word


@dataclass(frozen=True, slots=True)
class Common:
    """The flags that every command takes."""

    json: bool
    quiet: bool
    verbose: bool


@dataclass(frozen=True, slots=True)
class Input:
    """One input as the outside sees it: its field, flag, variable, type and default."""

    name: str
    option: Option
    kind: Any
    default: Any

    @property
    def flag(self) -> str:
        """Return the kebab-case name of flag and action input, without dashes before it."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Return the environment variable that an action sets."""
        return "INPUT_" + self.name.upper()

    @property
    def required(self) -> bool:
        """Tell whether there is no default."""
        return self.default is dataclasses.MISSING


def inputs_of(kind: type[Any]) -> list[Input]:
    """List the inputs that the dataclass `kind` declares, in order: its own, then those it shares with others."""
    hints = typing.get_type_hints(kind)
    return [
        Input(field.name, field.metadata["option"], _plain(hints[field.name]), field.default)
        for field in sorted(dataclasses.fields(kind), key=lambda field: bool(field.kw_only))
    ]


def add_arguments(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """Add the flags of `kind` and the common ones; defaults are filled in later, so that variables can stand between."""
    for item in inputs_of(kind):
        words = item.option.help + (f"; also {item.option.variable}" if item.option.variable else "")
        words += "" if item.required or not item.default else f" (default: {_shown(item.default)})"
        more: dict[str, Any] = {"help": words.replace("%", "%%"), "default": argparse.SUPPRESS}
        if item.kind is bool:
            more |= {"action": argparse.BooleanOptionalAction}
        else:
            more |= {"metavar": item.option.metavar or item.name.upper()}
        if item.kind == tuple[str, ...]:
            more |= {"action": "append"}
        if item.option.positional:
            parser.add_argument(item.name, nargs="?", **more)
            more |= {"help": argparse.SUPPRESS}  # the flag works too; the help shows one way
        parser.add_argument("--" + item.flag, dest=item.name, **more)
    common = parser.add_argument_group("output")
    common.add_argument("--json", action="store_true", help="print the result as JSON")
    common.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    common.add_argument("-v", "--verbose", action="store_true", help="more on stderr, tracebacks included")


def common(namespace: argparse.Namespace) -> Common:
    """Return the common flags of a parsed command line."""
    return Common(namespace.json, namespace.quiet, namespace.verbose)


def fill(kind: type[Any], given: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    """Make `kind` from parsed flags, else from variables, else from defaults; an empty string counts as not given."""
    values = {}
    for item in inputs_of(kind):
        raw = given.get(item.name)
        if raw is None or raw == "":
            raw = environ.get(item.variable) or environ.get(item.option.variable) or None
        if raw is None:
            if item.required:
                raise InputError(f"{item.flag} is missing", remedy=f"Give {_example(item)}.")
            continue
        values[item.name] = _convert(item, raw)
    return kind(**values)


def spelled(stage: str, inputs: Any) -> str:
    """Return the command line that fills these inputs, quoted for a shell; what is at its default is left out."""
    words = []
    for item in inputs_of(type(inputs)):
        value = getattr(inputs, item.name)
        if value == item.default or value is None:
            continue
        if item.kind is bool:
            words.append(f"--{item.flag}" if value else f"--no-{item.flag}")
            continue
        for one in value if isinstance(value, tuple) else (value,):
            words += [_shown(one)] if item.option.positional else [f"--{item.flag}", _shown(one)]
    return " ".join(["weighlock", stage, *map(shell_word, words)])


def _convert(item: Input, raw: Any) -> Any:
    if item.kind == tuple[str, ...]:
        lines = raw if isinstance(raw, Sequence) and not isinstance(raw, str) else str(raw).splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    if isinstance(raw, bool):
        return raw
    if item.kind is bool:
        return _choice(item, str(raw), {"true": True, "false": False})
    if isinstance(item.kind, type) and issubclass(item.kind, enum.Enum):
        return _choice(item, str(raw), {member.name.lower(): member for member in item.kind})
    if item.kind is int:
        return _whole(item, str(raw))
    return Path(str(raw)) if item.kind is Path else str(raw)


def _whole(item: Input, raw: str) -> int:
    if not raw.isascii() or not raw.isdecimal() or len(raw) > 9:
        raise InputError(f"{item.flag}: '{printable(raw)}' is no whole number")
    return int(raw)


def _choice(item: Input, raw: str, choices: Mapping[str, Any]) -> Any:
    if raw not in choices:
        raise InputError(f"{item.flag}: '{printable(raw)}' is not one of {', '.join(choices)}")
    return choices[raw]


def _plain(hint: Any) -> Any:
    """Return the type behind `X | None`."""
    if isinstance(hint, types.UnionType):
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def _shown(default: Any) -> str:
    return default.name.lower() if isinstance(default, enum.Enum) else str(default)


def _example(item: Input) -> str:
    return f"it as an argument or in {item.variable}" if item.option.positional else f"--{item.flag} or {item.variable}"
