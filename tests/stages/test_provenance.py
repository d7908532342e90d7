"""The provenance of a release in a job: what the certificate vouches for, and one bundle for model and wheel."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import tools
from commands import weighlock
from local_sigstore import COMMIT, LocalSigstore, github, write
from weighlock.predicates import GITHUB_WORKFLOW, PROVENANCE

LIES = {
    "GITHUB_REPOSITORY": "evil/models",
    "GITHUB_REF": "refs/heads/evil",
    "GITHUB_SHA": "e" * 40,
    "GITHUB_WORKFLOW_REF": "evil/models/.github/workflows/evil.yml@refs/heads/evil",
    "RUNNER_ENVIRONMENT": "github-hosted",
}


def released(sigstore: LocalSigstore, model: Path, folder: Path, *words: str | Path) -> list[Any]:
    """Release in a job whose variables lie, and return the bundles that were written."""
    job = {**sigstore.job(github()), "WEIGHLOCK_TRUST_CONFIG": str(write(sigstore, folder))}
    bundles = folder / "bundles.jsonl"
    done = weighlock("release", model, "--to", f"oci:{folder}/out:v1", "--bundles", bundles, *words, **(job | LIES))
    assert done.code == 0, done.err
    return [json.loads(line) for line in bundles.read_text().splitlines()]


def statements(bundles: list[Any]) -> dict[str, Any]:
    parsed = [json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"])) for bundle in bundles]
    return {statement["predicateType"]: statement for statement in parsed}


def test_variables_of_the_job_do_not_say_what_ran(sigstore_that: LocalSigstore, model: Path, tmp_path: Path) -> None:
    predicate = statements(released(sigstore_that, model, tmp_path))[PROVENANCE]["predicate"]
    definition = predicate["buildDefinition"]
    assert definition["buildType"] == GITHUB_WORKFLOW
    assert definition["externalParameters"] == {
        "workflow": {
            "ref": "refs/tags/v1.0.0",
            "repository": "https://github.com/acme/models",
            "path": ".github/workflows/release.yml",
        }
    }
    assert definition["resolvedDependencies"][0]["digest"] == {"gitCommit": COMMIT}
    assert "evil" not in json.dumps(predicate)


def test_gh_takes_the_bundles_of_a_release_for_a_wheel_of_the_same_build(
    sigstore_that: LocalSigstore, model: Path, tmp_path: Path
) -> None:
    tools.require("gh")
    wheel = tmp_path / "acme-1-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    released(sigstore_that, model, tmp_path, "--subject-path", wheel)
    words = ["gh", "attestation", "verify", str(wheel), "--bundle", "bundles.jsonl"]
    words += ["--custom-trusted-root", "trusted_root.jsonl", "--repo", "acme/models"]
    words += ["--signer-workflow", "acme/models/.github/workflows/release.yml"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environ |= {"GH_NO_UPDATE_NOTIFIER": "1", "GH_PROMPT_DISABLED": "1"}

    def accepted() -> bool:
        done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, check=False, timeout=60)
        return done.returncode == 0

    assert accepted()
    wheel.write_bytes(b"another wheel")
    assert not accepted()


def test_several_bundles_are_for_a_file_that_gh_reads_several_from(model: Path, tmp_path: Path) -> None:
    assert weighlock("keygen", tmp_path / "k").code == 0
    words = ("release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", tmp_path / "k.key")
    done = weighlock(*words, "--bundles", tmp_path / "bundles.json")
    assert done.code == 2
    assert ".jsonl" in done.err


def test_a_key_is_nothing_for_github(model: Path, tmp_path: Path) -> None:
    assert weighlock("keygen", tmp_path / "k").code == 0
    words = ("release", model, "--to", f"oci:{tmp_path}/out:v1", "--key", tmp_path / "k.key")
    refused = weighlock(*words, "--github-attestations", "on")
    assert refused.code == 2
    assert not (tmp_path / "out").exists()
    tried = weighlock(*words, "--github-attestations", "try")
    assert tried.code == 0
    assert "a key signs" in tried.err
