"""Where a model comes from: a commit is named only for files that are in it, and a hostile repository runs nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest

from repositories import git
from tools import require
from weighlock.errors import InputError, RefusedError
from weighlock.predicates import EXTERNAL_PARAMETERS, PUBLISH, Build
from weighlock.signing import Certificate
from weighlock.source import local, vouched
from weighlock.stages.package import weigh_model


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    require("git")
    root = tmp_path / "repository"
    (root / "model").mkdir(parents=True)
    (root / "model" / "a.txt").write_text("a")
    (root / "model" / "ü.txt").write_text("b")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "x")
    return root


def built(model: Path) -> Build:
    return local(model, weigh_model(model))


def commits(build: Build) -> list[str]:
    return [item["digest"]["gitCommit"] for item in build.dependencies]


def test_files_as_they_are_in_the_commit_name_it(repository: Path) -> None:
    build = built(repository / "model")
    assert commits(build) == [git(repository, "rev-parse", "HEAD")]
    assert build.internal == {"files": 2, "filesAsCommitted": 2}
    assert build.external == {"model": "model"}


def test_a_changed_and_a_new_file_are_not_the_commits(repository: Path) -> None:
    (repository / "model" / "a.txt").write_text("changed")
    (repository / "model" / "new.txt").write_text("new")
    build = built(repository / "model")
    assert build.internal == {"files": 3, "filesAsCommitted": 1}
    assert len(commits(build)) == 1


def test_a_model_that_the_repository_ignores_has_no_commit(repository: Path) -> None:
    (repository / "cache" / "model").mkdir(parents=True)
    (repository / "cache" / "model" / "a.txt").write_text("a")
    assert commits(built(repository / "cache" / "model")) == []


def test_a_file_behind_an_lfs_pointer_is_the_commits(repository: Path) -> None:
    content = b"weights" * 1000
    digest = hashlib.sha256(content).hexdigest()
    place = repository / "model" / "w.bin"
    place.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "pointer")
    place.write_bytes(content)
    assert built(repository / "model").internal == {"files": 3, "filesAsCommitted": 3}


@pytest.mark.parametrize("where", ["no repository", "no commit"])
def test_without_a_commit_nothing_is_claimed(tmp_path: Path, where: str) -> None:
    (tmp_path / "a.txt").write_text("a")
    if where == "no commit":
        git(tmp_path, "init", "-q")
    build = built(tmp_path)
    assert commits(build) == []
    assert build.internal["filesAsCommitted"] == 0


def test_the_remote_is_named_without_its_password(repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://me:secret@git.example.org:8443/acme/m.git")
    (source,) = built(repository / "model").dependencies
    assert source["uri"] == "git+https://git.example.org:8443/acme/m.git"


def test_a_repository_cannot_run_its_own_programs(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    (repository / ".gitattributes").write_text("* filter=evil diff=evil\n")
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "core.pager"):
        git(repository, "config", key, str(trap))
    (repository / "model" / "a.txt").write_text("changed")
    built(repository / "model")
    assert not (tmp_path / "sprung").exists()
    git(repository, "status")
    assert (tmp_path / "sprung").exists(), "the trap works"


def job(**others: str) -> Certificate:
    repository = "https://github.com/acme/models"
    workflow = f"{repository}/.github/workflows/release.yml@refs/tags/v1"
    claims = {
        "source": repository,
        "source_commit": "c" * 40,
        "ref": "refs/tags/v1",
        "source_id": "1",
        "owner": "https://github.com/acme",
        "owner_id": "2",
        "visibility": "public",
        "trigger": "push",
        "runner": "github-hosted",
        "builder": workflow,
        "builder_commit": "c" * 40,
        "workflow": workflow,
        "workflow_commit": "c" * 40,
        "invocation": f"{repository}/actions/runs/3/attempts/4",
    }
    values = claims | others
    issued = dt.datetime.now(dt.timezone.utc)
    return Certificate("https://token.actions.githubusercontent.com", values["builder"], issued, **values)


PUBLISHER = "https://github.com/acme/builders/.github/workflows/publish-model.yml@refs/tags/v2"


def test_what_a_certificate_vouches_for_is_said_as_githubs_own_attestations_say_it() -> None:
    build = vouched(job(), None)
    assert build is not None
    repository = "https://github.com/acme/models"
    assert build.build_type == "https://actions.github.io/buildtypes/workflow/v1"
    assert build.builder == job().identity
    assert build.external == {
        "workflow": {"ref": "refs/tags/v1", "repository": repository, "path": ".github/workflows/release.yml"}
    }
    assert build.internal == {
        "github": {
            "event_name": "push",
            "repository_id": "1",
            "repository_owner_id": "2",
            "runner_environment": "github-hosted",
        }
    }
    assert build.dependencies == ({"uri": f"git+{repository}@refs/tags/v1", "digest": {"gitCommit": "c" * 40}},)
    assert build.invocation == f"{repository}/actions/runs/3/attempts/4"


def test_a_reusable_workflow_is_named_by_its_commit_too_since_its_tag_may_move() -> None:
    build = vouched(job(builder=PUBLISHER, builder_commit="d" * 40), {"path": "models/tiny"})
    assert build is not None
    assert build.build_type == PUBLISH
    assert build.builder == PUBLISHER
    assert build.external["inputs"] == {"path": "models/tiny"}
    assert set(build.external) == EXTERNAL_PARAMETERS[PUBLISH]
    assert build.dependencies[1:] == (
        {
            "name": "builder",
            "uri": "git+https://github.com/acme/builders@refs/tags/v2",
            "digest": {"gitCommit": "d" * 40},
        },
    )


def test_only_the_builder_says_what_the_builder_was_given() -> None:
    for certificate in (job(), None):
        with pytest.raises(InputError, match="no certificate says that a reusable workflow signs"):
            vouched(certificate, {"path": "models/tiny"})


def test_a_person_or_another_ci_is_no_workflow_of_github() -> None:
    person = Certificate("https://accounts.google.com", "ada@example.com", dt.datetime.now(dt.timezone.utc))
    gitlab = job(source="https://gitlab.com/acme/models", workflow="https://gitlab.com/acme/models//.gitlab-ci.yml@x")
    elsewhere = job(source="https://github.com/acme/mod")
    assert [vouched(item, None) for item in (person, gitlab, elsewhere, None)] == [None] * 4


@pytest.mark.parametrize(
    ("others", "inputs", "message"),
    [
        ({"trigger": "pull_request_target"}, {}, "stranger's code"),
        ({"runner": "self-hosted"}, {}, "whoever owns it"),
        ({"runner": ""}, {}, "whoever owns it"),
        ({"runner": "self-hosted"}, {"allow-self-hosted": "true"}, "whoever owns it"),
        ({"trigger": "pull_request_target"}, {"allow-self-hosted": True}, "stranger's code"),
    ],
)
def test_the_trusted_builder_signs_for_no_stranger(
    others: dict[str, str], inputs: dict[str, object], message: str
) -> None:
    with pytest.raises(RefusedError, match=message):
        vouched(job(builder=PUBLISHER, **others), inputs)


def test_a_self_hosted_runner_signs_when_the_caller_allows_it_and_provenance_says_so() -> None:
    build = vouched(job(builder=PUBLISHER, runner="self-hosted"), {"allow-self-hosted": True})
    assert build is not None
    assert build.internal["github"]["runner_environment"] == "self-hosted"
    assert build.external["inputs"] == {"allow-self-hosted": True}
