"""crane, with the library that cosign and most of the field read registries by, sees the same digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from conformance.conftest import Run
from releasing import Released, verifies


def test_it_sees_the_same_manifest(run: Run, place: str, released: Released) -> None:
    done = run("crane", "manifest", f"{place}:v1")
    assert done.returncode == 0, done.stderr
    assert f"sha256:{hashlib.sha256(done.stdout.encode()).hexdigest()}" == released.digest


def test_it_finds_every_layer_whole(run: Run, place: str) -> None:
    done = run("crane", "validate", "--remote", f"{place}:v1")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_it_copies_keeps_its_digest(
    run: Run, place: str, released: Released, fresh_repository: Callable[[], str]
) -> None:
    target = f"{fresh_repository()}:copied"
    done = run("crane", "copy", f"{place}:v1", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run("crane", "digest", target).stdout.strip() == released.digest


def test_we_verify_where_they_read(place: str, released: Released) -> None:
    assert verifies(f"{place}:v1", released.keys)
