"""oras pulls our releases, lists their evidence, and copies both together."""

from __future__ import annotations

import json
from pathlib import Path

from conformance.conftest import Run
from releasing import Released, content, verifies
from weighlock.signing import BUNDLE


def listed(output: str) -> list[str]:
    return [item["artifactType"] for item in json.loads(output)["referrers"]]


def test_it_pulls_every_byte(run: Run, place: str, released: Released, tmp_path: Path) -> None:
    done = run("oras", "pull", "--plain-http", "--output", tmp_path / "out", f"{place}:v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(tmp_path / "out") == content(released.model)


def test_it_discovers_the_evidence(run: Run, place: str, released: Released) -> None:
    done = run("oras", "discover", "--plain-http", "--format", "json", "--depth", "1", f"{place}:v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert listed(done.stdout) == [BUNDLE] * len(released.bundles())


def test_it_discovers_the_evidence_in_the_layout(run: Run, released: Released) -> None:
    done = run("oras", "discover", "--oci-layout", "--format", "json", "--depth", "1", f"{released.layout}:v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert listed(done.stdout) == [BUNDLE] * len(released.bundles())


def test_what_it_copies_from_a_layout_verifies_there(run: Run, repository: str, released: Released) -> None:
    target = f"{repository}:copied"
    # One at a time: olareg 0.2.2 changes its list of referrers without a lock, and loses some that come at once.
    words = ("--recursive", "--concurrency", "1", "--from-oci-layout", "--to-plain-http", f"{released.layout}:v1")
    done = run("oras", "copy", *words, target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verifies(target, released.keys)


def test_what_it_copies_to_a_layout_verifies_there(run: Run, place: str, released: Released, tmp_path: Path) -> None:
    target = f"{tmp_path}/copied:v1"
    done = run("oras", "copy", "--recursive", "--from-plain-http", "--to-oci-layout", f"{place}:v1", target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verifies(f"oci:{target}", released.keys)
