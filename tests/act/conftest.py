"""What the tests of the trusted builder share: our repository as a runner gets it, a network, a Sigstore, a registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import acting
import servers
from local_sigstore import github
from publishing import Stage


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    acting.prepare("describe", "scan", "audit", "package", "seal", "fetch", "verify", "shelve")
    return acting.snapshot(tmp_path_factory.mktemp("weighlock"))


@pytest.fixture(scope="module")
def inside() -> Iterator[list[str]]:
    with acting.network() as prefix:
        yield prefix


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory, inside: list[str]) -> Iterator[Mapping[str, Any]]:
    folder = tmp_path_factory.mktemp("sigstore")
    claims = folder / "claims.json"
    claims.write_text(json.dumps(github()))
    with servers.local_sigstore(folder, "--claims", str(claims), inside=inside) as told:
        yield {**told, "claims": claims}


@pytest.fixture
def stage(tmp_path: Path, tree: Path, inside: list[str], sigstore: Mapping[str, Any]) -> Iterator[Stage]:
    consumer = tmp_path / "consumer"
    shutil.copytree(acting.ROOT / "examples/publish", consumer)
    (tmp_path / "act").mkdir()
    environ = {**sigstore["environ"], "WEIGHLOCK_TRUST_CONFIG": sigstore["trust_config"]}
    with servers.docker_registry(tmp_path, inside) as address:
        act = acting.Act(tree, tmp_path / "act", inside)
        yield Stage(act, consumer, address, tmp_path / "storage", sigstore["claims"], environ)
