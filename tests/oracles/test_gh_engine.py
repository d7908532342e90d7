"""``verify --engine gh``: the GitHub CLI reads the same bundles for the same identity, and its no counts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tools
from commands import Keys, weighlock
from local_sigstore import GITHUB_ISSUER, LocalSigstore, github, serving, write
from releasing import make_keys, make_model
from weighlock.stages import Context, verify

SAN = "https://github.com/acme/models/.github/workflows/release.yml@refs/tags/v1.0.0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gh")


@pytest.fixture(scope="module")
def target(folder: Path) -> Iterator[str]:
    """Release a model into a layout by the identity of a job, and yield where it is."""
    tools.require("gh")
    with serving(LocalSigstore()) as local:
        config = write(local, folder)
        to = f"oci:{folder}/out:v1"
        done = weighlock(
            "release",
            make_model(folder / "tiny"),
            "--to",
            to,
            **local.job(github()),
            WEIGHLOCK_TRUST_CONFIG=str(config),
        )
        assert done.code == 0, done.err
        yield to


def asked(target: str, folder: Path, path: str | None = None, **pins: str) -> verify.Outputs:
    environ = {"PATH": path or os.environ["PATH"], "HOME": str(folder)}
    pinned = {"issuer": GITHUB_ISSUER, "source": "acme/models"} | pins
    inputs = verify.Inputs(target, engine="gh", trust_config=folder / "client_trust_config.json", **pinned)  # type: ignore[arg-type]
    return verify.run(inputs, Context(environ=environ))


@pytest.mark.parametrize(
    "pins",
    [
        {},
        {"identity": SAN},
        {"builder": "acme/models/.github/workflows/release.yml", "ref": "refs/tags/v1.0.0", "runner": "github-hosted"},
    ],
)
def test_gh_agrees_on_a_release(target: str, folder: Path, pins: dict[str, str]) -> None:
    outputs = asked(target, folder, **pins)
    assert outputs.passed, outputs.text()
    assert outputs.verification.checks[-1].name == "gh"


def test_gh_that_says_no_fails_the_verification(target: str, folder: Path) -> None:
    """A gh that refuses everything stands in for one that knows something that we do not."""
    fake = folder / "bin" / "gh"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text("#!/bin/sh\necho 'Error: revoked\x1b[2J' >&2\nexit 1\n")
    fake.chmod(0o755)
    outputs = asked(target, folder, f"{fake.parent}:{os.environ['PATH']}")
    assert not outputs.passed
    check = outputs.verification.checks[-1]
    assert (check.name, check.ok) == ("gh", False)
    assert "revoked" in check.reason
    assert check.reason.isprintable()


def test_gh_is_not_convinced_by_another_identity_either(target: str, folder: Path) -> None:
    outputs = asked(target, folder, source="acme/other")
    assert not outputs.passed
    assert outputs.verification.checks[-1].ok, "both found nothing, which is agreement"


def test_without_gh_the_verification_could_not_finish(target: str, folder: Path) -> None:
    pinned = ("--issuer", GITHUB_ISSUER, "--source", "acme/models", "--trust-config", folder / "trusted_root.json")
    done = weighlock("verify", target, "--engine", "gh", *pinned, PATH=str(folder))
    assert done.code == 3
    assert "cli.github.com" in done.err


def test_gh_knows_no_keys(tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    pair = Keys(keys.private, keys.public)
    to = f"oci:{tmp_path}/out:v1"
    assert weighlock("release", make_model(tmp_path / "tiny"), "--to", to, "--key", pair.private).code == 0
    done = weighlock("verify", to, "--engine", "gh", "--key", pair.public)
    assert done.code == 2
    assert "certificates only" in done.err
    assert weighlock("verify", to, "--engine", "opinion", "--key", pair.public).code == 2


def test_a_policy_is_cross_checked_too(target: str, folder: Path) -> None:
    policy = folder / "policy.yml"
    trusted = [{"issuer": GITHUB_ISSUER, "identity": SAN, "source": "acme/models"}]
    policy.write_text(json.dumps({"version": 1, "verify": {"trusted": trusted}}))
    inputs = verify.Inputs(target, engine="gh", policy=policy, trust_config=folder / "client_trust_config.json")
    outputs = verify.run(inputs, Context(environ={"PATH": os.environ["PATH"], "HOME": str(folder)}))
    assert outputs.passed, outputs.text()


def test_gh_takes_the_exported_policy_as_it_is_printed(fresh_repository: Callable[[], str], tmp_path: Path) -> None:
    """The real gh parses every flag; a shim only tells it which Sigstore the test has."""
    tools.require("gh")
    place = fresh_repository()
    with serving(LocalSigstore()) as local:
        config = write(local, tmp_path)
        job = {**local.job(github()), "WEIGHLOCK_TRUST_CONFIG": str(config)}
        done = weighlock("release", make_model(tmp_path / "tiny"), "--to", f"{place}:v1", "--json", **job)
        assert done.code == 0, done.err
    shim = tmp_path / "bin" / "gh"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {shutil.which("gh")} "$@" --custom-trusted-root {tmp_path}/trusted_root.jsonl\n')
    shim.chmod(0o755)
    environ = {"PATH": f"{shim.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "GH_TOKEN": "none"}
    codes = {}
    for source in ("acme/models", "acme/other"):
        policy = tmp_path / "policy.yml"
        whom = {
            "issuer": GITHUB_ISSUER,
            "source": source,
            "builder": "acme/models/.github/workflows/release.yml",
            "ref": "refs/tags/v1.0.0",
            "runner": "github-hosted",
        }
        policy.write_text(json.dumps({"version": 1, "verify": {"trusted": [whom]}}))
        script = weighlock("policy", "export", policy, "--to", "gh").out
        words = ["sh", "-c", script, "sh", f"{place}@{done.json['digest']}"]
        codes[source] = subprocess.run(words, env=environ, capture_output=True, check=False).returncode
    assert codes == {"acme/models": 0, "acme/other": 1}
