"""The trusted builder, as a repository of its own calls it: which jobs run, what they hand on, and who may sign."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pickle
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import acting
import servers
from publishing import BUILDER, COMMIT, Stage
from weighlock.predicates import PROVENANCE, PUBLISH, PUBLISH_INPUTS, VULNERABILITIES

GREEN = {"scan": "success", "package": "success", "sign": "success", "verify": "success", "rescan": "success"}


class Payload:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch pwned",)


def test_a_push_to_a_branch_publishes_under_its_name(stage: Stage) -> None:
    workflow = stage.consumer / ".github/workflows/publish.yml"
    workflow.write_text(workflow.read_text().replace('tags: ["v*"]', "branches: [main]"))
    commit = acting.repository(stage.consumer)
    run = stage.run(ref="refs/heads/main", sha=commit)
    assert run.jobs == GREEN, run.log
    assert stage.tags() == ["main"]
    (statement,) = stage.statements(PROVENANCE)
    assert statement["predicate"]["buildDefinition"]["externalParameters"]["workflow"]["ref"] == "refs/heads/main"


def test_a_tag_publishes_the_model_and_the_command_that_is_handed_out_verifies_it(stage: Stage) -> None:
    commit = acting.repository(stage.consumer)
    run = stage.run(sha=commit)
    assert run.jobs == GREEN, run.log
    sealed = run.outputs["seal"]
    planned = stage.weighlock("package", "models/tiny", "--to", "oci:unused", "--dry-run").stdout.strip()
    assert sealed["digest"] == planned
    assert sealed["reference"] == f"{stage.registry}/acme/consumer/tiny@{planned}"
    assert stage.tags() == ["v1.2.0"]
    program, *words = shlex.split(sealed["verify-command"])
    assert program == "weighlock"
    verified = stage.weighlock(*words)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    (statement,) = stage.statements(PROVENANCE)
    definition = statement["predicate"]["buildDefinition"]
    assert definition["buildType"] == PUBLISH
    given = definition["externalParameters"]["inputs"]
    assert given["path"] == "models/tiny"
    assert given["to"] == f"{stage.registry}/acme/consumer/tiny:v1.2.0"
    assert set(given) <= PUBLISH_INPUTS
    source, builder, data = definition["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": commit}
    assert (builder["name"], builder["digest"]) == ("builder", {"gitCommit": COMMIT})
    assert (data["name"], data["annotations"]["role"]) == ("train", "dataset")
    assert statement["predicate"]["runDetails"]["builder"]["id"] == f"https://github.com/{BUILDER}@refs/tags/v1"


def test_a_model_that_fails_its_scan_is_not_packaged_nor_signed(stage: Stage) -> None:
    (stage.consumer / "models/tiny/optimizer.bin").write_bytes(pickle.dumps(Payload()))
    acting.repository(stage.consumer)
    run = stage.run()
    assert run.jobs == {"scan": "failure"}, run.log
    assert "system" in run.annotations[0].message
    assert stage.tags() == []
    handed = json.loads((stage.act.artifacts / "weighlock-results/scan.json").read_text())
    assert handed["result"] == "FAILED", "the failed result is a file, unsigned"


def test_without_the_permission_to_sign_the_line_to_add_is_said_and_there_is_no_tag(stage: Stage) -> None:
    acting.repository(stage.consumer)
    stage.environ = {"WEIGHLOCK_TRUST_CONFIG": stage.environ["WEIGHLOCK_TRUST_CONFIG"]}
    run = stage.run()
    assert run.jobs == {"scan": "success", "package": "success", "sign": "failure"}, run.log
    assert any("id-token: write" in item.message for item in run.annotations)
    assert stage.tags() == []


def test_a_staged_artifact_is_scanned_and_published_under_its_own_digest(stage: Stage) -> None:
    staged = f"{stage.registry}/acme/staging"
    digest = stage.weighlock("package", "models/tiny", "--to", staged).stdout.strip()
    stage.call(staged=f"{staged}@{digest}")
    acting.repository(stage.consumer)
    run = stage.run()
    assert run.jobs == {"scan": "success", "package": "success", "sign": "success"}, run.log
    assert run.outputs["seal"]["digest"] == digest


def test_another_sigstore_is_named_by_its_configuration(stage: Stage) -> None:
    config = Path(stage.environ.pop("WEIGHLOCK_TRUST_CONFIG")).read_text()
    path = stage.consumer / ".github/workflows/publish.yml"
    workflow = yaml.safe_load(path.read_text())
    for job in workflow["jobs"].values():
        job["with"]["trust-config"] = config
    workflow["on"] = workflow.pop(True)  # what YAML 1.1 makes of the word
    path.write_text(yaml.safe_dump(workflow))
    acting.repository(stage.consumer)
    run = stage.run()
    assert run.jobs == GREEN, run.log


def test_an_artifact_of_an_earlier_job_is_published(stage: Stage) -> None:
    stage.call(artifact="trained")
    (stage.consumer / "models/tiny/requirements.txt").write_text("# none, which is audited without any service\n")
    path = stage.consumer / ".github/workflows/publish.yml"
    workflow = yaml.load(path.read_text(), yaml.BaseLoader)
    upload = next(iter(used for used in acting.uses(acting.ROOT) if used.startswith("actions/upload-artifact@")))
    checkout = next(iter(used for used in acting.uses(acting.ROOT) if used.startswith("actions/checkout@")))
    steps = [{"uses": checkout}, {"uses": upload, "with": {"name": "trained", "path": "models/tiny"}}]
    workflow["jobs"]["train"] = {"runs-on": "ubuntu-24.04", "permissions": {"contents": "read"}, "steps": steps}
    workflow["jobs"]["publish"]["needs"] = "train"
    workflow["jobs"]["publish"]["with"]["registry-username"] = "ada"
    workflow["jobs"]["publish"]["secrets"] = {"registry-password": "${{ secrets.GITHUB_TOKEN }}"}
    path.write_text(yaml.safe_dump(workflow))
    acting.repository(stage.consumer)
    run = stage.run()
    assert run.jobs == {"train": "success", "scan": "success", "package": "success", "sign": "success"}, run.log
    planned = stage.weighlock("package", "models/tiny", "--to", "oci:unused", "--dry-run").stdout.strip()
    assert run.outputs["seal"]["digest"] == planned
    (audit,) = stage.statements(VULNERABILITIES)
    assert audit["subject"][0]["digest"] == {"sha256": planned.removeprefix("sha256:")}


def beside(stage: Stage, **inputs: str) -> None:
    """Let an earlier job of the consumer's build wheels, and the call of the builder name what lies in the repository."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 7000000\n"
    (stage.consumer / "data").mkdir()
    (stage.consumer / "data/far.csv").write_text(pointer)
    (stage.consumer / "data/kept.csv.dvc").write_text(f"outs:\n- md5: {'cd' * 16}\n  path: kept.csv\n")
    (stage.consumer / "params.json").write_text('{"depth": 3}\n')
    (stage.consumer / "dist").mkdir()
    for name in ("tiny-1.2.0.whl", "notes.txt"):
        (stage.consumer / "dist" / name).write_text(name)
    stage.call(
        path="models/tiny",
        dataset="far=data/far.csv\nkept=data/kept.csv.dvc",
        parameters="params.json",
        subject_artifact="dist",
        subject_image=f"app@sha256:{'e' * 64}",
        **inputs,
    )
    path = stage.consumer / stage.workflow
    workflow = yaml.load(path.read_text(), yaml.BaseLoader)
    pinned = {used.partition("@")[0]: used for used in acting.uses(acting.ROOT)}
    upload = {"uses": pinned["actions/upload-artifact"], "with": {"name": "dist", "path": "dist"}}
    steps = [{"uses": pinned["actions/checkout"]}, upload]
    workflow["jobs"]["build"] = {"runs-on": "ubuntu-24.04", "permissions": {"contents": "read"}, "steps": steps}
    workflow["jobs"]["publish"]["needs"] = "build"
    path.write_text(yaml.safe_dump(workflow))
    acting.repository(stage.consumer)


@pytest.mark.parametrize(
    ("inputs", "names"), [({}, ["notes.txt", "tiny-1.2.0.whl"]), ({"subject_path": "*.whl"}, ["tiny-1.2.0.whl"])]
)
def test_provenance_covers_what_was_built_beside_and_says_what_it_was_made_of(
    stage: Stage, inputs: dict[str, str], names: list[str]
) -> None:
    beside(stage, **inputs)
    run = stage.run()
    assert run.jobs == {"build": "success", "scan": "success", "package": "success", "sign": "success"}, run.log
    (statement,) = stage.statements(PROVENANCE)
    manifest, *others = statement["subject"]
    assert "sha256:" + manifest["digest"]["sha256"] == run.outputs["seal"]["digest"]
    built = [(name, hashlib.sha256(name.encode()).hexdigest()) for name in names] + [("app", "e" * 64)]
    assert [(item["name"], item["digest"]["sha256"]) for item in others[: len(built)]] == built
    definition, details = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    assert [(item["name"], item["digest"]) for item in definition["resolvedDependencies"][2:]] == [
        ("far", {"sha256": "ab" * 32}),
        ("kept", {"md5": "cd" * 16}),
    ]
    assert base64.b64decode(details["byproducts"][-1]["content"]) == b'{"depth": 3}\n'
    assert definition["externalParameters"]["inputs"]["parameters"] == "params.json"


def test_a_pattern_that_names_nothing_is_said_before_the_scan(stage: Stage) -> None:
    beside(stage, subject_path="*.exe")
    run = stage.run()
    assert run.jobs == {"build": "success", "scan": "failure"}, run.log
    assert any("*.exe' names no file" in item.message for item in run.annotations)
    assert "scan" not in run.outputs
    assert stage.tags() == []


def attesting(stage: Stage, **inputs: str) -> None:
    """Let a job after the call of the builder give its evidence to GitHub."""
    stage.call(path="models/tiny")
    path = stage.consumer / stage.workflow
    workflow = yaml.load(path.read_text(), yaml.BaseLoader)
    workflow["jobs"]["github"] = {
        "needs": "publish",
        "permissions": {"packages": "read", "attestations": "write"},
        "uses": "weighlock/weighlock/.github/workflows/github-attestations.yml@v1",
        "with": {"target": "${{ needs.publish.outputs.reference }}"} | inputs,
    }
    path.write_text(yaml.safe_dump(workflow))
    acting.repository(stage.consumer)


def test_the_evidence_goes_to_githubs_own_store_too(stage: Stage, tmp_path: Path) -> None:
    attesting(stage)
    kept = tmp_path / "kept.json"
    with servers.github_api(kept, "acme/consumer", stage.act.inside) as url:
        stage.environ["GITHUB_API_URL"] = url
        run = stage.run()
    assert run.jobs == {"scan": "success", "package": "success", "sign": "success", "attestations": "success"}, run.log
    held = [
        json.loads(base64.b64decode(item["bundle"]["dsseEnvelope"]["payload"])) for item in json.loads(kept.read_text())
    ]
    assert PROVENANCE in {item["predicateType"] for item in held}
    digest = run.outputs["seal"]["digest"].removeprefix("sha256:")
    assert digest in {item["subject"][0]["digest"]["sha256"] for item in held}
    assert len(held) == 4, "signature, model signature, provenance and scan result"


def test_what_another_workflow_signed_is_not_given_to_github(stage: Stage, tmp_path: Path) -> None:
    attesting(stage, builder="acme/other/.github/workflows/publish.yml")
    kept = tmp_path / "kept.json"
    with servers.github_api(kept, "acme/consumer", stage.act.inside) as url:
        stage.environ["GITHUB_API_URL"] = url
        run = stage.run()
    assert run.jobs == {"scan": "success", "package": "success", "sign": "success", "attestations": "failure"}, run.log
    assert any("nothing was given to GitHub" in item.message for item in run.annotations)
    assert not kept.exists()


def test_who_deploys_is_told_what_todays_rules_would_catch(stage: Stage) -> None:
    strange = stage.consumer / "models/tiny/vocabulary.dat"
    strange.write_bytes(bytes(range(256)) * 8)
    waiver = {"rule": "unscanned", "sha256": hashlib.sha256(strange.read_bytes()).hexdigest(), "reason": "our format"}
    waiver |= {"owner": "ada", "expires": "2099-01-01"}
    policy = {"version": 1, "scan": {"waivers": [waiver]}}
    (stage.consumer / "weighlock.yml").write_text(yaml.safe_dump(policy))
    acting.repository(stage.consumer)
    run = stage.run()
    assert run.jobs == GREEN | {"rescan": "failure"}, run.log
    assert any("vocabulary.dat" in item.message for item in run.annotations)


def test_who_deploys_pins_the_repository_too(stage: Stage) -> None:
    path = stage.consumer / ".github/workflows/publish.yml"
    path.write_text(path.read_text().replace("source: ${{ github.repository }}", "source: acme/other"))
    acting.repository(stage.consumer)
    run = stage.run()
    assert run.jobs == {"scan": "success", "package": "success", "sign": "success", "verify": "failure"}, run.log


@pytest.mark.parametrize("inputs", [{}, {"path": "models/tiny", "artifact": "x"}, {"artifact": "x", "staged": "y"}])
def test_a_model_has_one_source(stage: Stage, inputs: dict[str, str]) -> None:
    stage.call(**inputs)
    acting.repository(stage.consumer)
    run = stage.run()
    assert run.jobs == {"scan": "failure"}, run.log
    assert any("give one of path, artifact and staged" in item.message for item in run.annotations)


def test_a_strangers_pull_request_publishes_nothing(stage: Stage) -> None:
    path = stage.consumer / ".github/workflows/publish.yml"
    path.write_text(path.read_text().replace('push:\n    tags: ["v*"]', "pull_request_target:"))
    acting.repository(stage.consumer)
    run = stage.run("pull_request_target")
    assert run.jobs == {"scan": "failure"}, run.log
    assert stage.tags() == []


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"event_name": "pull_request_target"}, "stranger's code"),
        ({"runner_environment": "self-hosted"}, "whoever owns it"),
        ({"job_workflow_ref": "acme/consumer/.github/workflows/publish.yml@refs/tags/v1.2.0"}, "reusable workflow"),
    ],
)
def test_what_a_token_admits_no_workflow_can_deny(stage: Stage, claims: dict[str, str], message: str) -> None:
    acting.repository(stage.consumer)
    run = stage.run(**claims)
    assert run.jobs == {"scan": "success", "package": "success", "sign": "failure"}, run.log
    assert any(message in item.message for item in run.annotations), run.annotations
    assert stage.tags() == []
    assert stage.statements(PROVENANCE) == []
