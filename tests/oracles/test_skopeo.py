"""`skopeo` moves a release between a layout and a registry, and every byte keeps its digest."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import tools
from releasing import Released, content, release, verifies

Skopeo = Callable[..., bytes]


@pytest.fixture
def skopeo() -> Skopeo:
    """Return a function that runs ``skopeo`` and returns what it printed."""
    tools.require("skopeo")

    def run(command: str, *words: str) -> bytes:
        tls = "--tls-verify=false" if command == "inspect" else "--src-tls-verify=false"
        options = [tls, *(["--dest-tls-verify=false", "--quiet"] if command == "copy" else [])]
        done = subprocess.run(["skopeo", command, *options, *words], capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def tagged(layout: Path) -> str:
    """Return the digest of the only tag in a layout."""
    entries = json.loads((layout / "index.json").read_bytes())["manifests"]
    (digest,) = [
        entry["digest"] for entry in entries if "org.opencontainers.image.ref.name" in entry.get("annotations", {})
    ]
    return str(digest)


def test_from_layout_to_registry_to_layout(
    skopeo: Skopeo, released: Released, fresh_repository: Callable[[], str], tmp_path: Path
) -> None:
    repository = fresh_repository()
    skopeo("copy", released.target, f"docker://{repository}:v1")
    skopeo("copy", f"docker://{repository}:v1", f"oci:{tmp_path}/back:v1")
    assert tagged(tmp_path / "back") == released.digest
    ours, theirs = (content(folder / "blobs") for folder in (released.layout, tmp_path / "back"))
    assert theirs.items() <= ours.items()


def test_the_registry_serves_the_manifest_byte_for_byte(
    skopeo: Skopeo, released: Released, fresh_repository: Callable[[], str]
) -> None:
    repository = fresh_repository()
    assert release(released.model, f"{repository}:v1", released.keys) == released.digest
    for reference in (f"docker://{repository}:v1", f"docker://{repository}@{released.digest}", released.target):
        raw = skopeo("inspect", "--raw", reference)
        assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == released.digest


def test_what_was_released_to_the_registry_verifies_there(
    fresh_repository: Callable[[], str], released: Released
) -> None:
    repository = fresh_repository()
    release(released.model, f"{repository}:v1", released.keys)
    assert verifies(f"{repository}:v1", released.keys)
    assert verifies(f"{repository}@{released.digest}", released.keys)


def test_a_copy_that_left_the_evidence_behind_is_refused_until_it_is_released_again(
    skopeo: Skopeo, released: Released, fresh_repository: Callable[[], str]
) -> None:
    repository = fresh_repository()
    skopeo("copy", released.target, f"docker://{repository}:v1")
    assert not verifies(f"{repository}:v1", released.keys)
    assert release(released.model, f"{repository}:v1", released.keys) == released.digest
    assert verifies(f"{repository}:v1", released.keys)
