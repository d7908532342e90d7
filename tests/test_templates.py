"""The templates for GitLab and Jenkins: their own shell lines, as they stand, against a registry and a Sigstore on loopback."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import acting
from commands import Keys
from local_sigstore import GITHUB_ISSUER, LocalSigstore, github, identity, write
from weighlock.signing.key import KeySigner, write_pair

EXAMPLES = acting.ROOT / "examples"
GITLAB = yaml.safe_load((EXAMPLES / "gitlab/.gitlab-ci.yml").read_text())
JENKINS = (EXAMPLES / "jenkins/Jenkinsfile").read_text()


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return our repository with the tag that the templates name."""
    acting.prepare("scan", "release", "verify")
    folder = acting.snapshot(tmp_path_factory.mktemp("weighlock"))
    acting.repository(folder)
    subprocess.run(["git", "tag", "v1"], cwd=folder, check=True)
    return folder


@pytest.fixture
def environ(ours: Path, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "WEIGHLOCK_REPOSITORY": ours.as_uri(),
        "WEIGHLOCK_REF": "v1",
        "WEIGHLOCK_HOME": str(tmp_path / "weighlock"),
        "WEIGHLOCK_ENV_DIR": str(acting.ENVIRONMENTS),
        "MODEL": "models/tiny",
    }


def workspace(name: str, folder: Path) -> Path:
    """Return a checkout of the example, hostile to whoever imports from it."""
    place = folder / "workspace"
    shutil.copytree(EXAMPLES / name, place)
    (place / "venv.py").write_text("raise SystemExit('imported from the workspace')\n")
    (place / "uv.toml").write_text("no-index = true\n")
    acting.repository(place)
    return place


def shell(lines: list[str], place: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    script = "set -eo pipefail\n" + "\n".join(lines)
    return subprocess.run(
        ["bash", "-c", script], cwd=place, env=environ, capture_output=True, text=True, check=False, timeout=300
    )


def gitlab(job: str, place: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a job's lines as GitLab does: before_script, then script, in one shell."""
    shutil.rmtree(environ["WEIGHLOCK_HOME"], ignore_errors=True)
    return shell([*GITLAB["default"]["before_script"], *GITLAB[job]["script"]], place, environ)


def jenkins(stage: str, place: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (body,) = re.findall(rf"stage\('{stage}'\).*?sh '([^'\n]+)'", JENKINS, re.DOTALL)[:1]
    return shell([body], place, environ)


def test_gitlab_scans_releases_and_verifies(
    ours: Path, environ: dict[str, str], tmp_path: Path, registry: str, sigstore_that: LocalSigstore
) -> None:
    assert ours
    place = workspace("gitlab", tmp_path)
    claims = github(workflow=".gitlab-ci.yml")  # a pipeline's certificate names no workflow of GitHub's
    job = {
        **environ,
        "GITLAB_CI": "1",
        "SIGSTORE_ID_TOKEN": sigstore_that.token(claims),
        "WEIGHLOCK_TRUST_CONFIG": str(write(sigstore_that, tmp_path)),
        "CI_REGISTRY": registry,
        "CI_REGISTRY_IMAGE": f"{registry}/acme/gitlab",
        "CI_REGISTRY_USER": "user",
        "CI_REGISTRY_PASSWORD": "secret",
        "CI_COMMIT_TAG": "v1.0.0",
        "ISSUER": GITHUB_ISSUER,
        "IDENTITY": identity(claims),
    }
    scanned = gitlab("scan", place, job)
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads((place / "scan.json").read_text())["verdict"] == "safe"
    released = gitlab("publish", place, job)
    assert released.returncode == 0, released.stderr
    assert "as 'v1.0.0'" in released.stdout
    assert gitlab("verify", place, job).returncode == 0
    assert (
        gitlab("verify", place, job | {"IDENTITY": "https://gitlab.com/evil//.gitlab-ci.yml@refs/tags/v1"}).returncode
        == 1
    )


def test_gitlab_without_a_token_is_told_the_line_to_add(environ: dict[str, str], tmp_path: Path, registry: str) -> None:
    place = workspace("gitlab", tmp_path)
    job = {**environ, "GITLAB_CI": "1", "CI_REGISTRY": registry, "CI_REGISTRY_IMAGE": f"{registry}/acme/untold"}
    done = gitlab("publish", place, job | {"CI_REGISTRY_USER": "", "CI_REGISTRY_PASSWORD": "", "CI_COMMIT_TAG": "v1"})
    assert done.returncode == 2
    assert "SIGSTORE_ID_TOKEN" in done.stderr


@pytest.mark.parametrize("ci", ["gitlab", "jenkins"])
def test_a_malicious_model_fails_the_scan_with_exit_code_1(ci: str, environ: dict[str, str], tmp_path: Path) -> None:
    place = workspace(ci, tmp_path)
    (place / "models/tiny/scaler.pkl").write_bytes(pickle.dumps(Evil()))
    if ci == "jenkins":
        assert jenkins("fetch", place, environ).returncode == 0
    done = gitlab("scan", place, environ) if ci == "gitlab" else jenkins("scan", place, environ)
    assert done.returncode == 1, done.stderr
    assert json.loads((place / "scan.json").read_text())["verdict"] == "unsafe"
    assert (place / "scan.sarif").is_file(), "the report is there for the one who mends it"


def test_jenkins_scans_releases_and_verifies_with_a_key(environ: dict[str, str], tmp_path: Path, registry: str) -> None:
    place = workspace("jenkins", tmp_path)
    pair = Keys(tmp_path / "release.key", place / "release.pub")
    write_pair(KeySigner.generate(), pair.private, pair.public, "secret")
    (tmp_path / "auth.json").write_text("{}")
    job = environ | {
        "TARGET": f"{registry}/acme/jenkins",
        "TAG_NAME": "v1.0.0",
        "KEY": str(pair.private),
        "WEIGHLOCK_KEY_PASSWORD": "secret",
        "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"),
    }
    for stage in ("fetch", "scan", "publish", "verify"):
        done = jenkins(stage, place, job)
        assert done.returncode == 0, done.stderr
    write_pair(KeySigner.generate(), tmp_path / "other.key", tmp_path / "other.pub", None)
    shutil.copy(tmp_path / "other.pub", place / "release.pub")
    assert jenkins("verify", place, job).returncode == 1


def test_no_logic_stands_in_the_templates() -> None:
    lines: list[Any] = [*GITLAB["default"]["before_script"]]
    lines += [line for job in GITLAB.values() if isinstance(job, dict) for line in job.get("script", [])]
    lines += re.findall(r"sh '([^'\n]+)'", JENKINS)
    assert not [line for line in lines if re.search(r"\b(if|for|while|case|python3? -c)\b", line)]
