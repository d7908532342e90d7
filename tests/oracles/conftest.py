"""What the oracles judge: one release in a layout, made once a process; and where the oracles are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from releasing import Keys, Released, make_keys, make_release

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".cache" / "oracles"


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Return a release; do not write into its folders."""
    return make_release(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="session")
def other_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("other-keys"))


@pytest.fixture(scope="session")
def oracle() -> Callable[[str], str]:
    """Return a function from a name in the environment that ``make oracles`` prepares to its path."""

    def find(name: str) -> str:
        program = ENVIRONMENT / name
        tools.require(str(program))
        return str(program)

    return find
