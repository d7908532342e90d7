"""What `weighlock init` writes, run as a new user would: the files as they are, then a tag, then the printed command."""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
from pathlib import Path

import pytest

import acting
from commands import weighlock
from publishing import BUILDER, Stage
from weighlock.predicates import PROVENANCE

GREEN = {"scan": "success", "package": "success", "sign": "success"}
WORKFLOW = ".github/workflows/publish-models.yml"
TINY = acting.ROOT / "examples/publish/models/tiny"


@pytest.fixture
def new(stage: Stage, tmp_path: Path) -> Stage:
    """Return a repository in which nobody has written anything but a README."""
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "README.md").write_text("# New\n")
    acting.repository(folder)
    return dataclasses.replace(stage, consumer=folder, workflow=WORKFLOW)


def start(stage: Stage, *models: str) -> str:
    """Put a model into each of these folders, let `init` write its files, and return what it said.

    The one line that is changed by hand is the registry: here is no ghcr.io.
    """
    for model in models:
        shutil.copytree(TINY, stage.consumer / model)
    done = weighlock("init", stage.consumer)
    assert done.code == 0, done.err
    edit(stage, "ghcr.io/", f"{stage.registry}/")
    return done.out


def edit(stage: Stage, old: str, new: str) -> None:
    """Change what `init` wrote, as a person may."""
    path = stage.consumer / WORKFLOW
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def verified(stage: Stage, run: acting.Run) -> bool:
    """Type the command that the release printed, and tell whether it says yes."""
    program, *words = shlex.split(run.outputs["seal"]["verify-command"])
    assert program == "weighlock"
    return stage.weighlock(*words).returncode == 0


@pytest.mark.parametrize("ref", ["refs/tags/v1.0.0", "refs/heads/main"])
def test_one_command_one_model_and_a_push_are_a_signed_release(new: Stage, ref: str) -> None:
    said = start(new, "models/tiny")
    assert "push a tag such as v1.0.0" in said
    if ref == "refs/heads/main":
        edit(new, 'tags: ["v*"]', "branches: [main]")
    commit = acting.commit(new.consumer)
    run = new.run(ref=ref, sha=commit)
    assert run.jobs == GREEN, run.log
    assert new.tags() == [ref.rpartition("/")[2]]
    assert run.outputs["seal"]["reference"].startswith(f"{new.registry}/acme/consumer/tiny@sha256:")
    assert BUILDER in run.outputs["seal"]["verify-command"], "the builder signs, not the workflow that calls it"
    assert verified(new, run)


def test_each_model_is_released_by_itself_and_a_bad_one_alone_is_not(new: Stage) -> None:
    start(new, "models/a", "models/b")
    (new.consumer / "models/b/model.safetensors").write_bytes(b"no tensors")
    acting.commit(new.consumer)
    run = new.run(ref="refs/tags/v1.0.0")
    assert run.names == {
        "publish a-1/publish model/scan": "success",
        "publish a-1/publish model/package": "success",
        "publish a-1/publish model/sign": "success",
        "publish b-2/publish model/scan": "failure",
    }, run.log
    assert new.tags() == ["v1.0.0"]
    assert run.outputs["seal"]["reference"].startswith(f"{new.registry}/acme/consumer/a@sha256:")
    assert verified(new, run)


HOSTILE = ('it\'s a, "b": c}', "-rf", "::set-output name=digest::x", "$(touch pwned) #")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_of_a_hostile_name_is_released_under_a_plain_one(new: Stage, name: str) -> None:
    start(new, f"models/{name}")
    acting.commit(new.consumer)
    run = new.run(ref="refs/tags/v1.0.0")
    assert run.jobs == GREEN, run.log
    repository, _, digest = run.outputs["seal"]["reference"].rpartition("@")
    assert re.fullmatch(r"[a-z0-9-]+", repository.removeprefix(f"{new.registry}/acme/consumer/"))
    assert digest == run.outputs["seal"]["digest"]
    assert new.weighlock("package", f"./models/{name}", "--to", "oci:unused", "--dry-run").stdout.strip() == digest
    assert verified(new, run)
    (statement,) = new.statements(PROVENANCE)
    assert statement["predicate"]["buildDefinition"]["externalParameters"]["inputs"]["path"] == f"models/{name}"
    assert not any(new.consumer.rglob("pwned"))
