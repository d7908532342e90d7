"""Policies in other tools' words: exact output, honest about what is lost, and quoted whatever the policy holds."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighlock.config import load
from weighlock.config.verify import Rules, Trusted, VerifyPolicy
from weighlock.errors import InputError
from weighlock.export import Export, Images, evidence, rules
from weighlock.oci import Digest
from weighlock.signing.identity import Identity
from weighlock.stages import Context, policy
from weighlock.stages.policy import EXPORTS, Action

HERE = Path(__file__).parent
POLICY = HERE / "policy.yml"
IMAGES = "registry.example/acme/*"
ISSUER = "https://token.actions.githubusercontent.com"
MODEL = "registry.example/acme/churn@sha256:" + "a" * 64
CLUSTERS = ["policy-controller", "kyverno", "vap"]


def exported(to: str, images: str = IMAGES) -> str:
    return policy.run(policy.Inputs(Action.EXPORT, POLICY, to, images), Context()).text()


@pytest.mark.parametrize("to", EXPORTS)
def test_the_output_is_as_it_was_read_and_agreed(to: str) -> None:
    """To change it on purpose, write what is printed into the golden file, and read the difference."""
    assert exported(to).replace(str(HERE), "HERE").splitlines() == (HERE / "golden" / to).read_text().splitlines()


@pytest.mark.parametrize("to", EXPORTS)
def test_each_rule_is_expressed_or_named_as_lost(to: str) -> None:
    found = load(POLICY).verify
    assert found is not None
    text = exported(to)
    comments = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    for name, words in rules(found):
        assert words in comments or name == "passed", name
    assert words_of_passed(found) in comments or "PASSED" in text.replace(comments, "")
    for kind in evidence(found):
        assert kind in text or to == "vap"
    assert str(found.digest) in comments


def words_of_passed(found: VerifyPolicy) -> str:
    return dict(rules(found))["passed"]


@pytest.mark.parametrize("to", CLUSTERS)
def test_a_cluster_gets_documents_that_are_yaml(to: str) -> None:
    documents = list(yaml.safe_load_all(exported(to)))
    assert all(item["apiVersion"] and item["kind"] and item["metadata"]["name"] for item in documents)
    names = [(item["kind"], item["metadata"]["name"]) for item in documents]
    assert len(set(names)) == len(names)


def test_no_admission_policy_is_left_without_its_binding() -> None:
    documents = list(yaml.safe_load_all(exported("vap")))
    made = {item["metadata"]["name"] for item in documents if item["kind"] == "ValidatingAdmissionPolicy"}
    bound = {item["spec"]["policyName"] for item in documents if item["kind"] == "ValidatingAdmissionPolicyBinding"}
    assert made == bound
    kinds = {
        name
        for item in documents
        if item["kind"] == "ValidatingAdmissionPolicy"
        for rule in item["spec"]["matchConstraints"]["resourceRules"]
        for name in rule["resources"]
    }
    assert kinds >= {"pods", "deployments", "cronjobs", "inferenceservices", "llminferenceservices"}


@pytest.mark.parametrize(
    "reference",
    [
        "registry.example/acme/churn:v1",
        "registry.example/acme/churn",
        "registryXexample/acme/churn@sha256:" + "a" * 64,
        "evil.example/registry.example/acme/churn@sha256:" + "a" * 64,
        "registry.example/acme@sha256:" + "a" * 64,
        "registry.example/other/churn@sha256:" + "a" * 64,
        "registry.example/acme/churn@sha256:" + "a" * 63,
        "registry.example/acme/churn@sha256:" + "a" * 64 + "x",
        "registry.example/acme/churn@sha256:" + "a" * 64 + "\nx",
        "",
    ],
)
@pytest.mark.parametrize("to", ["vap", "kyverno"])
def test_a_cluster_takes_digests_from_that_registry_alone(to: str, reference: str) -> None:
    patterns = {item.replace("oci://", "") for item in re.findall(r"matches\(r'+(.+?)'+\)", exported(to))}
    assert patterns
    for pattern in patterns:
        assert re.compile(pattern).search(MODEL)
        assert not re.compile(pattern.removesuffix("$") + r"\Z").search(reference)


@pytest.mark.parametrize(
    "images", ["", "*", "registry.example/*/x", "registry.example/a:v1", "oci:out", "a'b/c", MODEL]
)
def test_what_names_no_repositories_is_refused(images: str) -> None:
    with pytest.raises(InputError):
        exported("vap", images)


def test_one_repository_means_that_one() -> None:
    pattern = "^" + Images.parse("registry.example/acme/churn").pattern()
    assert re.search(pattern, MODEL)
    assert not re.search(pattern, MODEL.replace("churn", "churn2"))
    assert not re.search(pattern, MODEL.replace("churn", "churn/x"))


def test_a_policy_of_keys_is_nothing_for_gh() -> None:
    keys = dataclasses.replace(whole(Trusted(HERE / "release.pub")))
    with pytest.raises(InputError, match="certificates only"):
        EXPORTS["gh"](Export(keys, Images.parse(IMAGES)))


@pytest.mark.parametrize("to", ["policy-controller", "kyverno"])
def test_a_source_alone_would_let_everybody_into_a_cluster(to: str) -> None:
    """These tools compare the certificate's name only, and a source is not in it."""
    with pytest.raises(InputError, match="cannot pin a source"):
        EXPORTS[to](Export(whole(Trusted(Identity(issuer=ISSUER, source="acme/models"))), Images.parse(IMAGES)))


@pytest.mark.parametrize("whom", ["ana@acme.example", "https://gitlab.com/acme/models//.gitlab-ci.yml@refs/heads/main"])
def test_gh_is_asked_about_github_only(whom: str) -> None:
    with pytest.raises(InputError, match=r"github\.com only"):
        EXPORTS["gh"](Export(whole(Trusted(Identity(issuer=ISSUER, identity=whom))), Images.parse(IMAGES)))


def whole(*trusted: Trusted) -> VerifyPolicy:
    return VerifyPolicy(trusted, Rules(), {}, "policy.yml", Digest.of(b""))


def arguments(script: str, folder: Path, tool: str) -> list[list[str]]:
    """Run the script with a tool that notes what it was given, and return that."""
    (folder / "bin").mkdir(exist_ok=True)
    noted = folder / "noted"
    noted.unlink(missing_ok=True)
    fake = folder / "bin" / tool
    fake.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" >> {noted}\nprintf "\\0" >> {noted}\n')
    fake.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", script, "sh", MODEL],
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = os.fsdecode(noted.read_bytes()).split("\0\0")
    return [call.split("\0") for call in calls if call]


HOSTILE = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=20)
SHELL = st.sampled_from(
    ["'; touch x; '", "$(touch x)", "`touch x`", '"', "\\", "\n# x\n", "a b", "-x", "\r\n---\nkind: Pod"]
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HOSTILE | SHELL, HOSTILE | SHELL)
@pytest.mark.parametrize(("to", "flag"), [("gh", "--cert-identity"), ("cosign", "--certificate-identity")])
def test_whatever_a_policy_holds_reaches_the_tool_as_one_word(
    tmp_path: Path, to: str, flag: str, identity: str, ref: str
) -> None:
    name = f"https://github.com/acme/{identity}@x"
    found = whole(Trusted(Identity(issuer=ISSUER, identity=name, source="acme/models", ref=ref)))
    for call in arguments(EXPORTS[to](Export(found, Images.parse(IMAGES))), tmp_path, to):
        assert call[call.index(flag) + 1] == name
        assert call[call.index("--source-ref" if to == "gh" else "--certificate-github-workflow-ref") + 1] == ref
        assert any(MODEL in word for word in call)


@settings(deadline=None)
@given(HOSTILE | SHELL)
@pytest.mark.parametrize("to", CLUSTERS)
def test_whatever_a_policy_holds_is_one_value_in_a_cluster(to: str, identity: str) -> None:
    found = whole(Trusted(Identity(issuer=ISSUER, identity=identity)))
    found = dataclasses.replace(found, name=identity)
    documents: list[Any] = list(yaml.safe_load_all(EXPORTS[to](Export(found, Images.parse(IMAGES)))))
    assert {item["kind"] for item in documents} <= {
        "ClusterImagePolicy",
        "ImageValidatingPolicy",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    where: dict[str, Callable[[Any], Any]] = {
        "policy-controller": lambda item: item["spec"]["authorities"][0]["keyless"],
        "kyverno": lambda item: item["spec"]["attestors"][0]["cosign"]["keyless"],
    }
    if to in where:
        assert all(where[to](item)["identities"] == [{"issuer": ISSUER, "subject": identity}] for item in documents)


def test_show_says_everything_that_is_asked() -> None:
    outputs = policy.run(policy.Inputs(Action.SHOW, POLICY), Context())
    found = load(POLICY).verify
    assert found is not None
    assert outputs.digest == str(found.digest)
    for _, words in rules(found):
        assert words in outputs.text()


@pytest.mark.parametrize(("to", "images"), [("", IMAGES), ("terraform", IMAGES), ("vap", "")])
def test_an_export_needs_a_tool_and_a_cluster_needs_images(to: str, images: str) -> None:
    with pytest.raises(InputError):
        exported(to, images)
