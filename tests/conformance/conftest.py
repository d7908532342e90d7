"""What the other tools of the field judge: one release in a layout, and the same in registries of every kind.

These tests run with ``make conformance`` only, since building the tools takes Go and minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fake_registry as fakes
import tools
from releasing import Keys, Released, make_keys, make_release, release

Run = Callable[..., "subprocess.CompletedProcess[str]"]

_ZOT = '{{"distSpecVersion": "1.1.1", "storage": {{"rootDirectory": "{storage}"}}, "http": {{"address": "127.0.0.1", "port": "0"}}}}'


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
def zot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield ``127.0.0.1:PORT`` of a zot, which has the referrers API."""
    tools.require("zot")
    folder = tmp_path_factory.mktemp("zot")
    configuration, log = folder / "zot.json", folder / "log"
    configuration.write_text(_ZOT.format(storage=folder / "storage"))
    with log.open("wb") as stream:
        process = subprocess.Popen(["zot", "serve", configuration], stdout=stream, stderr=stream)
    try:
        yield f"127.0.0.1:{_port(process, log)}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _port(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(100):
        said = log.read_text()
        for line in said.splitlines():
            found = re.search(r'"port": ?(\d+)', line)
            if found and "kernel chosen port" in line:
                return found.group(1)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"zot did not start: {log.read_text()}")


@pytest.fixture(params=["docker-registry", "the tests' own", "zot"])
def repository(request: pytest.FixtureRequest) -> str:
    """Return an unused ``HOST/REPO``: without the referrers API, with ours of the tests, with that of zot."""
    if request.param == "docker-registry":
        fresh: Callable[[], str] = request.getfixturevalue("fresh_repository")
        return fresh()
    if request.param == "zot":
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
        return f"{request.getfixturevalue('zot')}/tests/{name}"
    fake: fakes.FakeRegistry = request.getfixturevalue("fake_registry")
    fake.page = 1000  # cosign reads the first page only
    return f"{fake.address}/tests/model"


@pytest.fixture
def place(repository: str, released: Released) -> str:
    """Return ``HOST/REPO`` with the release, tagged v1."""
    assert release(released.model, f"{repository}:v1", released.keys) == released.digest
    return repository
