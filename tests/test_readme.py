"""The README is true: its commands parse, its links lead somewhere, its lists are whole."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from weighlock import __main__ as console
from weighlock.commandline import add_arguments, inputs_of
from weighlock.config import parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [
    ROOT / "README.md",
    *(ROOT / ".github").glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *ROOT.glob("actions/**/*.md"),
]
SHOWN = re.findall(r"^\$ weighlock (.+?)(?:\s+#.*)?$", README, re.MULTILINE)
USAGES = re.findall(r"^\| `weighlock (.+?)` \|", README, re.MULTILINE)


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_it_shows_can_be_typed(line: str) -> None:
    name, *words = shlex.split(line)
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser, console.stage(name).Inputs)
    given = vars(parser.parse_args(words))
    assert not [item.flag for item in inputs_of(console.stage(name).Inputs) if item.required and item.name not in given]


@pytest.mark.parametrize("usage", USAGES)
def test_a_usage_names_real_flags(usage: str) -> None:
    name, *words = usage.split()
    flags = {item.flag for item in inputs_of(console.stage(name).Inputs)}
    assert {word.removeprefix("--") for word in words if word.startswith("--")} <= flags


def test_the_policies_that_it_shows_are_some() -> None:
    release, verification = re.findall(r"```yaml\n((?:#[^\n]*\n)?version: 1\n.*?)```", README, re.DOTALL)
    config = parse(release.encode())
    assert config.models
    assert config.scan.waivers
    assert config.audit.waivers
    assert parse(verification.encode()).verify


def test_every_command_has_its_line() -> None:
    assert {usage.split()[0] for usage in USAGES} == set(console.STAGES)


def test_it_shows_the_main_job() -> None:
    assert {line.split()[0] for line in SHOWN} >= {"keygen", "release", "verify", "pull"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("target", re.findall(r"(?:`|\$ )make (\w+)", README))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
