from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditing.loopback import Index
from weighlock.auditing import Package, Unresolved, wheels_only
from weighlock.auditing.pip_resolver import PipResolver
from weighlock.errors import UnfinishedError

# A build backend inside the sdist (PEP 517), so that building needs nothing from the index.
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
BACKEND = "open({marker!r}, 'w').write('ran')\nraise SystemExit(1)\n"


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as server:
        yield server


@pytest.fixture
def environ(index: Index, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_INDEX_URL": f"{index.url}/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
        "NO_PROXY": "*",
    }


def resolve(environ: dict[str, str], *requirements: str, limits: tuple[str, ...] = ()) -> dict[str, str] | Unresolved:
    found = packages(environ, *requirements, limits=limits)
    if isinstance(found, Unresolved):
        return found
    return {package.dependency.name: package.dependency.version for package in found}


def packages(
    environ: dict[str, str], *requirements: str, limits: tuple[str, ...] = ()
) -> tuple[Package, ...] | Unresolved:
    return PipResolver(environ, time.monotonic() + 60).resolve(requirements, limits)


def building_sdist(index: Index, name: str, marker: Path) -> str:
    backend = BACKEND.format(marker=str(marker))
    return index.sdist(name, "1.0", {"setup.py": backend, "backend.py": backend, "pyproject.toml": PYPROJECT})


def plain_pip(environ: dict[str, str], requirement: str, folder: Path, *more: str) -> None:
    """What the resolver does, without its guard: the proof that a test's trap works."""
    subprocess.run(
        [sys.executable, "-I", "-m", "pip", "install", "--dry-run", "--ignore-installed", *more, requirement],
        cwd=folder,
        env=environ,
        capture_output=True,
        check=False,
    )


def test_transitive_packages_are_found(index: Index, environ: dict[str, str]) -> None:
    index.wheel("a", "1.0", requires=("b>=1", "B_Two; python_version < '3'"))
    index.wheel("b", "1.5")
    index.wheel("b", "0.9")
    found = packages(environ, "a==1.0")
    assert not isinstance(found, Unresolved)
    assert {package.dependency.name: package.needs for package in found} == {"a": ("b", "b-two"), "b": ()}
    assert resolve(environ, "a", limits=("b<1.5",)) != resolve(environ, "a")


def test_an_sdist_is_never_built(index: Index, environ: dict[str, str], tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    building_sdist(index, "evil", marker)
    index.wheel("innocent", "1.0", requires=("evil",))
    for requirement in ("evil", "innocent"):
        found = resolve(environ, requirement)
        assert isinstance(found, Unresolved)
        assert "evil" in found.names
    assert not marker.exists()
    plain_pip(environ, "evil", tmp_path)
    assert marker.exists()


def test_an_sdist_that_a_wheel_names_by_url_is_never_built(
    index: Index, environ: dict[str, str], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    url = building_sdist(index, "evil", marker)
    index.wheel("innocent", "1.0", requires=(f"evil @ {url}",))
    found = resolve(environ, "innocent")
    assert isinstance(found, Unresolved)
    assert "no process" in found.reason
    assert not marker.exists()
    plain_pip(environ, "innocent", tmp_path, "--only-binary", ":all:")
    assert marker.exists()  # which is why --only-binary alone is not enough


def test_a_wheel_that_a_wheel_names_by_url_is_marked(index: Index, environ: dict[str, str]) -> None:
    index.wheel("other", "1.0")
    index.wheel("a", "1.0", requires=(f"other @ {index.url}/files/other/other-1.0-py3-none-any.whl",))
    found = packages(environ, "a")
    assert not isinstance(found, Unresolved)
    assert {package.dependency.name: package.direct for package in found} == {"a": False, "other": True}


def test_git_is_never_started(index: Index, environ: dict[str, str], tmp_path: Path) -> None:
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\ntouch {tmp_path}/marker\n")
    git.chmod(0o755)
    index.wheel("a", "1.0", requires=("evil @ git+https://127.0.0.1/evil",))
    assert isinstance(resolve(environ | {"PATH": str(tmp_path)}, "a"), Unresolved)
    assert not (tmp_path / "marker").exists()


def test_a_wheel_that_calls_itself_otherwise_is_refused(index: Index, environ: dict[str, str]) -> None:
    index.wheel("a", "1.0", calls_itself="b")
    assert isinstance(resolve(environ, "a"), Unresolved)


def test_a_conflict_names_the_parties(index: Index, environ: dict[str, str]) -> None:
    index.wheel("a", "1.0")
    index.wheel("a", "2.0")
    found = resolve(environ, "a==1.0", "a==2.0")
    assert isinstance(found, Unresolved)
    assert "a" in found.names


def test_an_index_that_fails_is_not_a_missing_package(index: Index, environ: dict[str, str]) -> None:
    index.broken = True
    with pytest.raises(UnfinishedError, match="index could not be asked"):
        resolve(environ, "a")


def test_an_index_that_is_down_is_not_a_missing_package(environ: dict[str, str]) -> None:
    with Index() as gone:
        pass
    with pytest.raises(UnfinishedError, match="index could not be asked"):
        resolve(environ | {"PIP_INDEX_URL": f"{gone.url}/simple"}, "a")


def test_a_second_index_that_is_down_is_not_passed_over(index: Index, environ: dict[str, str]) -> None:
    index.wheel("a", "1.0")
    with Index() as gone:
        pass
    with pytest.raises(UnfinishedError, match="index could not be asked"):
        resolve(environ | {"PIP_EXTRA_INDEX_URL": f"{gone.url}/simple"}, "a")


def test_the_deadline_ends_it(index: Index, environ: dict[str, str]) -> None:
    index.wheel("a", "1.0")
    index.delay = 5.0
    with pytest.raises(UnfinishedError, match="did not end within 1 s"):
        PipResolver(environ, time.monotonic()).resolve(["a"], [])


def test_the_users_settings_allow_no_build(index: Index, environ: dict[str, str], tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    building_sdist(index, "evil", marker)
    settings = tmp_path / "pip.conf"
    settings.write_text("[install]\nno-binary = :all:\nonly-binary = :none:\n")
    more = {"PIP_CONFIG_FILE": str(settings), "PIP_NO_BINARY": ":all:", "PIP_REQUIREMENT": "x.txt", "PYTHONPATH": "."}
    assert isinstance(resolve(environ | more, "evil"), Unresolved)
    assert not marker.exists()


def test_the_guard_lets_musl_say_its_version_and_nothing_else() -> None:
    wheels_only.refuse("subprocess.Popen", ("/lib/ld-musl-x86_64.so.1", [], None, None))
    wheels_only.refuse("open", ("/bin/sh",))
    for arguments in [("/bin/sh",), ("/home/lib/ld-musl-x86_64.so.1",), (b"/bin/sh",), ()]:
        with pytest.raises(PermissionError):
            wheels_only.refuse("subprocess.Popen", arguments)
    with pytest.raises(PermissionError):
        wheels_only.refuse("os.system", ("true",))
