"""Who signed: an identity that is nearly the pinned one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from forged_releases import ForgedRelease
from local_sigstore import GITHUB_ISSUER, github, person
from stages.forgeries.conftest import BUILDER, COMMIT, Judged, failed, ignored, replaced


def test_another_workflow_of_the_same_repository(forged: ForgedRelease, judged: Judged) -> None:
    replaced(forged, lambda piece: setattr(piece, "claims", github(workflow=".github/workflows/test.yml")))
    assert "test.yml" in ignored(judged(forged))


@pytest.mark.parametrize(
    "claims",
    [
        github("evil/models"),
        github(ref="refs/heads/main"),
        github(ref="refs/tags/v1.0.0.1"),
        github(iss="https://token.actions.githubusercontent.com/evil"),
        github(job_workflow_ref="acme/models/.github/workflows/release.yml@refs/tags/v1.0.0/../x"),
        person(),
        person(issuer=GITHUB_ISSUER),
    ],
    ids=["repository", "branch", "longer tag", "issuer", "longer workflow", "person", "person of the issuer"],
)
def test_another_identity(forged: ForgedRelease, judged: Judged, claims: dict[str, Any]) -> None:
    replaced(forged, lambda piece: setattr(piece, "claims", claims))
    assert "signed by another" in ignored(judged(forged))


def test_the_same_workflow_file_for_another_source(forged: ForgedRelease, judged: Judged) -> None:
    """A builder signs for everybody who calls it, so its name alone says nothing about whose model it is."""
    builder = f"{BUILDER}@refs/tags/v2"
    forged.hang(*forged.pieces(github("evil/models", job_workflow_ref=builder)).values())
    outputs = judged(forged, builder=BUILDER, source="acme/models")
    assert "bundles" in failed(outputs)
    assert "evil/models" in outputs.text()


def test_a_builder_tag_that_was_moved_to_another_commit(forged: ForgedRelease, judged: Judged) -> None:
    claims = github(job_workflow_ref=f"{BUILDER}@refs/tags/v2", job_workflow_sha="bad0" * 10)
    forged.hang(*forged.pieces(claims).values())
    pinned = {"source": "acme/models", "builder": BUILDER}
    assert judged(forged, **pinned).passed
    outputs = judged(forged, **pinned, builder_commit=COMMIT)
    assert "bundles" in failed(outputs)
    assert "builder's commit" in outputs.text()


@pytest.mark.parametrize(
    ("claims", "pinned"),
    [
        (github(event_name="pull_request_target"), {"trigger": "push"}),
        (github(runner_environment="self-hosted"), {"runner": "github-hosted"}),
        (github(ref="refs/heads/main"), {"ref": "refs/tags/v1.0.0"}),
        (github(runner_environment=None), {"runner": "github-hosted"}),
    ],
    ids=["trigger", "runner", "ref", "no runner named"],
)
def test_another_run_of_the_right_source(
    forged: ForgedRelease, judged: Judged, claims: dict[str, Any], pinned: Mapping[str, str]
) -> None:
    forged.hang(*forged.pieces(claims).values())
    assert judged(forged, source="acme/models").passed
    outputs = judged(forged, source="acme/models", **pinned)
    assert "bundles" in failed(outputs)
