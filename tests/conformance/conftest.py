"""What the other tools of the field judge: one release in a layout, and the same in registries of every kind.

These tests run with ``make conformance`` only, since building the tools takes Go and minutes.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import fake_registry as fakes
import tools
from conformance import registries
from releasing import Keys, Released, make_keys, make_release, release

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("conformance")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs a program in an empty folder that is also its home."""
    home = tmp_path / "home"
    home.mkdir()

    def call(program: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        tools.require(program)

        environ = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1"}
        return subprocess.run(
            [program, *words], cwd=home, env=environ, capture_output=True, text=True, check=False, timeout=120
        )

    return call


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Return a release in a layout; do not write into its folders."""
    return make_release(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("other-keys"))


@pytest.fixture(scope="session")
def registries_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Yield a function that starts one of `registries.COMMANDS`, once, and returns ``127.0.0.1:PORT``."""
    with ExitStack() as stack:
        yield functools.cache(lambda name: stack.enter_context(registries.running(name, tmp_path_factory.mktemp(name))))


@pytest.fixture
def repository_in(request: pytest.FixtureRequest, registries_running: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that names an unused ``HOST/REPO`` in the registry that is called so."""
    own = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return lambda name: f"{registries_running(name)}/tests/{own}"


@pytest.fixture(params=[*registries.COMMANDS, "the tests' own"])
def repository(request: pytest.FixtureRequest, repository_in: Callable[[str], str]) -> str:
    """Return an unused ``HOST/REPO`` in a registry of each kind, with and without the referrers API."""
    if request.param in registries.COMMANDS:
        return repository_in(request.param)
    fake: fakes.FakeRegistry = request.getfixturevalue("fake_registry")
    fake.page = 1000  # cosign reads the first page only
    return f"{fake.address}/tests/model"


@pytest.fixture
def place(repository: str, released: Released) -> str:
    """Return ``HOST/REPO`` with the release, tagged v1."""
    assert release(released.model, f"{repository}:v1", released.keys) == released.digest
    return repository
