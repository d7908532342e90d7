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
from string import Template
from typing import Any

import pytest
import yaml

import acting
from commands import Keys
from local_sigstore import Claims, LocalSigstore, write
from local_sigstore import gitlab as of_gitlab
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
    """Run a job's lines as GitLab does: before_script, then script, in one shell, with the job's own variables."""
    shutil.rmtree(environ["WEIGHLOCK_HOME"], ignore_errors=True)
    own = {name: Template(text).substitute(environ) for name, text in GITLAB[job].get("variables", {}).items()}
    return shell([*GITLAB["default"]["before_script"], *GITLAB[job]["script"]], place, own | environ)


def jenkins(stage: str, place: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    (body,) = re.findall(rf"stage\('{stage}'\).*?sh '([^'\n]+)'", JENKINS, re.DOTALL)[:1]
    return shell([body], place, environ)


@pytest.fixture
def pipeline(
    environ: dict[str, str], tmp_path: Path, registry: str, sigstore_that: LocalSigstore
) -> Callable[[Claims, str], dict[str, str]]:
    """Return what makes the variables of GitLab's job for a tag, with a token of these claims."""
    config = write(sigstore_that, tmp_path)

    def made(claims: Claims, name: str) -> dict[str, str]:
        return environ | {
            "GITLAB_CI": "1",
            "SIGSTORE_ID_TOKEN": sigstore_that.token(claims),
            "WEIGHLOCK_TRUST_CONFIG": str(config),
            "CI_SERVER_URL": "https://gitlab.example",
            "CI_PROJECT_URL": "https://gitlab.example/acme/ml/models",
            "CI_REGISTRY": registry,
            "CI_REGISTRY_IMAGE": f"{registry}/acme/{name}",
            "CI_REGISTRY_USER": "user",
            "CI_REGISTRY_PASSWORD": "secret",
            "CI_COMMIT_TAG": "v1.0.0",
        }

    return made


def test_gitlab_scans_releases_and_verifies(tmp_path: Path, pipeline: Callable[[Claims, str], dict[str, str]]) -> None:
    place = workspace("gitlab", tmp_path)
    job = pipeline(of_gitlab(), "gitlab")
    scanned = gitlab("scan", place, job)
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads((place / "scan.json").read_text())["verdict"] == "safe"
    released = gitlab("publish", place, job)
    assert released.returncode == 0, released.stderr
    assert "as 'v1.0.0'" in released.stdout
    verified = gitlab("verify", place, job)
    assert verified.returncode == 0, verified.stdout
    assert "https://gitlab.example/acme/ml/models//.gitlab-ci.yml@refs/tags/v1.0.0" in verified.stdout
    for name, value in {
        "ISSUER": "https://gitlab.com",
        "SOURCE": "https://gitlab.example/acme/ml/model",
        "IDENTITY": "https://gitlab.example/acme/ml/models//.gitlab-ci.yml@refs/heads/main",
    }.items():
        assert gitlab("verify", place, job | {name: value}).returncode == 1, name


@pytest.mark.parametrize(
    ("name", "claims", "reason"),
    [
        (
            "other-project",
            of_gitlab("eve/models"),
            "the identity is 'https://gitlab.example/eve/models//.gitlab-ci.yml",
        ),
        ("other-ref", of_gitlab(ref="refs/heads/v1.0.0"), "the identity is '"),
        ("other-issuer", of_gitlab(iss="https://gitlab.evil.example"), "the issuer is 'https://gitlab.evil.example'"),
        (
            "runs-our-file",
            of_gitlab(project_path="eve/models"),
            "the source is 'https://gitlab.example/eve/models'",
        ),
    ],
)
def test_what_another_pipeline_of_gitlab_released_is_refused(
    tmp_path: Path, pipeline: Callable[[Claims, str], dict[str, str]], name: str, claims: Claims, reason: str
) -> None:
    """Each has a good certificate of the same Sigstore; the last three even have what looks like our name."""
    place = workspace("gitlab", tmp_path)
    job = pipeline(claims, name)
    released = gitlab("publish", place, job)
    assert released.returncode == 0, released.stderr
    refused = gitlab("verify", place, job)
    assert refused.returncode == 1, refused.stdout
    assert reason in refused.stdout


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
