"""Where a model comes from: a commit is named only for files that are in it, and a hostile repository runs nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tools import require
from weighlock.predicates import Build
from weighlock.source import local
from weighlock.stages.package import weigh_model


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, env=environ, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


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
