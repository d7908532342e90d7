"""Inputs: flags before variables before defaults, and errors that name the input."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commands import weighlock
from weighlock import __main__ as console
from weighlock.commandline import add_arguments, fill, inputs_of
from weighlock.errors import InputError
from weighlock.inputs import SignerInputs, VerifierInputs, option
from weighlock.scanners import Severity


@dataclass(frozen=True, slots=True)
class Inputs:
    path: Path = option("a folder", positional=True)
    fail_on: Severity = option("a severity", default=Severity.LOW)
    report: Path | None = option("a file", default=None)
    strict: bool = option("a switch", default=False)
    tags: tuple[str, ...] = option("several", default=())
    seconds: int = option("a number", default=5)


def parse(*words: str, **environ: str) -> Any:
    parser = argparse.ArgumentParser()
    add_arguments(parser, Inputs)
    return fill(Inputs, vars(parser.parse_args(words)), environ)


def test_flags_come_before_variables_before_defaults() -> None:
    assert parse("p").fail_on is Severity.LOW
    assert parse("p", INPUT_FAIL_ON="high").fail_on is Severity.HIGH
    assert parse("p", "--fail-on", "medium", INPUT_FAIL_ON="high").fail_on is Severity.MEDIUM


def test_a_positional_may_come_from_its_variable() -> None:
    assert parse(INPUT_PATH="from/env").path == Path("from/env")


def test_a_positional_has_a_flag_too() -> None:
    assert parse("--path", "p") == parse("p") == Inputs(Path("p"))


def test_an_empty_variable_is_not_given() -> None:
    assert parse("p", INPUT_FAIL_ON="", INPUT_REPORT="", INPUT_STRICT="") == Inputs(Path("p"))


def test_lists_come_from_repeated_flags_or_from_lines() -> None:
    assert parse("p", "--tags", "a", "--tags", "b").tags == ("a", "b")
    assert parse("p", INPUT_TAGS="a\n\n b \n").tags == ("a", "b")


@pytest.mark.parametrize("word", ["True", "1", "yes", "on", "TRUE"])
def test_only_true_and_false_are_booleans(word: str) -> None:
    assert parse("p", INPUT_STRICT="true").strict
    assert not parse("p", "--no-strict", INPUT_STRICT="true").strict
    with pytest.raises(InputError, match="strict"):
        parse("p", INPUT_STRICT=word)


def test_a_number_is_written_in_digits() -> None:
    assert parse("p", INPUT_SECONDS="90").seconds == 90
    for word in ("-1", "1e3", "0x10", "\u0661", "9" * 5000, "ten"):
        with pytest.raises(InputError, match="seconds"):
            parse("p", INPUT_SECONDS=word)


def test_a_missing_input_is_named_with_its_variable() -> None:
    with pytest.raises(InputError, match="path is missing") as caught:
        parse()
    assert "INPUT_PATH" in caught.value.remedy


@pytest.mark.parametrize("name", console.STAGES)
def test_every_stage_has_the_same_shape(name: str) -> None:
    module = console.stage(name)
    assert dataclasses.fields(module.Outputs)
    for item in inputs_of(module.Inputs):
        assert item.option.help
        assert not item.option.help.endswith(".")
    assert (module.__doc__ or "").startswith(("``weighlock", "Scan"))


@pytest.mark.parametrize("name", console.STAGES)
def test_no_input_of_a_stage_hides_one_that_it_shares(name: str) -> None:
    shared = {field.name for group in (SignerInputs, VerifierInputs) for field in dataclasses.fields(group)}
    own = console.stage(name).Inputs.__annotations__
    groups = {
        field for base in console.stage(name).Inputs.__mro__[1:] for field in getattr(base, "__annotations__", {})
    }
    assert not shared & groups & set(own)


@pytest.mark.parametrize("name", console.STAGES)
def test_every_stage_explains_itself(name: str) -> None:
    done = weighlock(name, "--help")
    assert done.code == 0
    for item in inputs_of(console.stage(name).Inputs):
        assert item.flag in done.out.lower().replace("_", "-")


def test_the_help_of_verify_is_enough_to_verify_a_strangers_model() -> None:
    shown = weighlock("verify", "--help").out.replace("\\\n", " ")
    commands = [shlex.split(line) for line in shown.splitlines() if line.strip().startswith("weighlock verify ")]
    assert len(commands) > 4
    for _, name, *words in commands:
        parser = argparse.ArgumentParser(exit_on_error=False)
        add_arguments(parser, console.stage(name).Inputs)
        inputs = fill(console.stage(name).Inputs, vars(parser.parse_args(words)), {})
        assert inputs.pin()
    assert "https://token.actions.githubusercontent.com" in shown


def test_an_unknown_command_is_exit_code_2() -> None:
    assert weighlock("launder").code == 2


def test_the_version_is_printed() -> None:
    assert weighlock("--version").out.startswith("weighlock ")


def test_doctor_and_keygen_speak_json(tmp_path: Path) -> None:
    assert {item["name"] for item in weighlock("doctor", "--json").json["abilities"]} >= {"python", "git", "scan"}
    made = weighlock("keygen", tmp_path / "k", "--json")
    assert made.json["encrypted"] is False
    assert Path(made.json["private"]).exists()
    assert weighlock("keygen", tmp_path / "k").code == 2
