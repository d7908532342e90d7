"""Keyless evidence as a list of attacks: everything is right but for one thing, and `verify` says no.

Each forgery hangs on a model in a layout whose other evidence is complete. What is in a bundle that does not verify is
ignored, by name and reason, and the gate then misses it; what verifies and says the wrong thing is a failed step.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forged_releases import Evidence, ForgedRelease, Json, Piece
from local_sigstore import GITHUB_ISSUER, LocalSigstore, github, identity, write
from weighlock.stages import Context, verify

BUILDER = "acme/builder/.github/workflows/publish-model.yml"
COMMIT = "2e" * 20


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return Evidence.make(tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory, sigstore: LocalSigstore) -> Path:
    return write(sigstore, tmp_path_factory.mktemp("trust"))


@pytest.fixture
def forged(sigstore: LocalSigstore, evidence: Evidence, tmp_path: Path) -> ForgedRelease:
    """Return a model in a layout that nothing hangs on yet."""
    return ForgedRelease.make(sigstore, evidence, f"oci:{tmp_path}/layout")


@pytest.fixture
def judged(trust: Path) -> Callable[..., verify.Outputs]:
    """Return a function that verifies a release, pinning the workflow that ordinarily signs or what is given."""

    def run(release: ForgedRelease, **pinned: Any) -> verify.Outputs:
        pins = {"issuer": GITHUB_ISSUER, **(pinned or {"identity": identity(github())})}
        return verify.run(verify.Inputs(release.target, **{"trust_config": trust, **pins}), Context(environ={}))

    return run


Judged = Callable[..., verify.Outputs]


def failed(outputs: verify.Outputs) -> dict[str, str]:
    """Return the steps that said no, with their reasons."""
    assert outputs.passed == all(check.ok for check in outputs.verification.checks)
    return {check.name: check.reason for check in outputs.verification.checks if not check.ok}


def ignored(outputs: verify.Outputs) -> str:
    """Return why the one bundle was ignored; the release does not pass then."""
    assert not outputs.passed
    [one] = outputs.verification.collected.ignored
    assert one.reason in outputs.text()
    return one.reason


def replaced(forged: ForgedRelease, change: Callable[[Piece], object], name: str = "scan") -> None:
    """Hang complete evidence with one piece changed."""
    pieces = forged.pieces()
    change(pieces[name])
    forged.hang(*pieces.values())


def spoiled(forged: ForgedRelease, spoil: Callable[[Json], object]) -> None:
    """Hang complete evidence with the scan's bundle changed after it was signed."""
    replaced(forged, lambda piece: setattr(piece, "spoil", spoil))


def material(bundle: Json) -> Json:
    found: Json = bundle["verificationMaterial"]
    return found
