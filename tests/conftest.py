"""What tests of every area share: registries, with names in them that no other test uses, and a Sigstore."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fake_registry as fakes
import servers
import verdicts
from local_sigstore import LocalSigstore, serving


@pytest.fixture(scope="session", autouse=True)
def scan_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the scan cache of the tests, and of the commands they run, away from the user's."""
    os.environ["WEIGHLOCK_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def registry_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder below which `registry` keeps its content."""
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="session")
def registry(registry_folder: Path) -> Iterator[str]:
    """Yield ``127.0.0.1:PORT`` of a docker-registry, one for each test process."""
    with servers.docker_registry(registry_folder) as address:
        yield address


@pytest.fixture
def fresh_repository(registry: str) -> Callable[[], str]:
    """Return a function that names an unused repository in `registry`, ``HOST/REPO``."""
    return lambda: f"{registry}/tests/{secrets.token_hex(8)}"


@pytest.fixture
def fake_registry() -> Iterator[fakes.FakeRegistry]:
    """Yield a registry in this process that has the referrers API and takes faults."""
    with fakes.fake_registry() as fake:
        yield fake


@pytest.fixture(scope="session")
def sigstore() -> Iterator[LocalSigstore]:
    """Yield a Sigstore in this process, one for each test process; leave it as it is."""
    with serving(LocalSigstore()) as local:
        yield local


@pytest.fixture
def sigstore_that() -> Iterator[LocalSigstore]:
    """Yield a Sigstore for one test, which may break it."""
    with serving(LocalSigstore()) as local:
        yield local


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, [])]
    if lines := verdicts.table(reports):
        terminalreporter.section("who verifies what: the cases in brackets are forged")
        for line in lines:
            terminalreporter.write_line(line)
