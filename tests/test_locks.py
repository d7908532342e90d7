"""The locks: hashes for everything, addresses nowhere, and the same versions in all of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import launch
from weighlock.scanners import cache

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT: dict[str, Any] = tomllib.loads((launch.LOCKS.parent / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKS = sorted(launch.LOCKS.glob("*.txt"))
FROM_DEV = [path for path in LOCKS if path.stem not in {"dev", "oracles"}]


def pins(path: Path) -> dict[str, set[str]]:
    """Return ``name==version`` to the hashes it may have."""
    found: dict[str, set[str]] = {}
    for line in path.read_text().replace("\\\n", " ").splitlines():
        match = re.fullmatch(
            r"([a-z0-9-]+)(?:\[[a-z0-9,]+\])?==([^ ;]+)(?: ; [^#]*?)?((?: +--hash=sha256:[0-9a-f]{64})+) *", line
        )
        assert match, f"{path.name}: {line[:100]}"
        found[f"{match[1]}=={match[2]}"] = set(match[3].split())
    return found


def wanted(stage: str) -> list[Requirement]:
    """Return what an extra asks for, other extras of the project resolved."""
    requirements = [Requirement(text) for text in EXTRAS[stage] + PROJECT["project"]["dependencies"]]
    inner = [wanted(extra) for item in requirements if item.name == "weighlock" for extra in item.extras]
    return [item for item in requirements if item.name != "weighlock"] + [item for group in inner for item in group]


def test_there_is_one_lock_for_each_extra() -> None:
    assert {path.stem for path in LOCKS} == {*EXTRAS, "dev", "uv", "oracles"}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_has_hashes_everywhere_and_addresses_nowhere(path: Path) -> None:
    assert pins(path)
    assert "://" not in path.read_text()


@pytest.mark.parametrize("path", FROM_DEV, ids=lambda path: path.stem)
def test_the_tests_run_with_what_the_actions_install(path: Path) -> None:
    tested = pins(launch.LOCKS / "dev.txt")
    assert {pin: tested.get(pin) for pin in pins(path)} == pins(path)


@pytest.mark.parametrize("stage", sorted(EXTRAS))
def test_a_lock_holds_what_its_extra_asks_for(stage: str) -> None:
    versions: dict[str, list[str]] = {}
    for pin in pins(launch.LOCKS / f"{stage}.txt"):
        name, _, version = pin.partition("==")
        versions.setdefault(canonicalize_name(name), []).append(version)
    for requirement in wanted(stage):
        held = versions.get(canonicalize_name(requirement.name), [])
        assert any(requirement.specifier.contains(version) for version in held), requirement


def test_the_signing_job_installs_no_scanner() -> None:
    names = {
        pin.partition("==")[0] for stage in ("sign", "attest", "verify") for pin in pins(launch.LOCKS / f"{stage}.txt")
    }
    assert names.isdisjoint({"modelscan", "numpy", "pip-audit", "pip"})


def test_every_library_of_the_scan_is_a_condition_of_its_results() -> None:
    named = {Requirement(item).name for item in EXTRAS["scan"]} - {"weighlock"}
    assert named <= set(cache.LIBRARIES)
