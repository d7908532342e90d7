"""``verify --follow``: a base model has to show its own evidence, by somebody whom the policy trusts for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands import Keys
from weighlock import evidence, predicates
from weighlock.errors import InputError, RefusedError
from weighlock.following import reference
from weighlock.intoto import Statement, Subject
from weighlock.oci import Digest
from weighlock.predicates import PROVENANCE, Build
from weighlock.signing.key import KeySigner
from weighlock.stages import Context, release, verify
from weighlock.store.targets import Target, find, open_store

HEX = Digest.of(b"base").hex


@pytest.mark.parametrize(
    "uri",
    [
        "registry.example/acme/base",
        "oci://registry.example/acme/base",
        f"registry.example/acme/base@sha256:{HEX}",
        f"oci://registry.example/acme/base@sha256:{HEX}",
        f"pkg:oci/base@sha256%3A{HEX}?repository_url=registry.example/acme/base",
        "pkg:oci/base?arch=x&repository_url=registry.example%2Facme%2Fbase",
    ],
)
def test_the_spellings_of_an_artifact(uri: str) -> None:
    target = reference({"uri": uri, "digest": {"sha256": HEX}})
    assert str(target) == f"registry.example/acme/base@sha256:{HEX}"


@pytest.mark.parametrize(
    "dependency",
    [
        {},
        {"uri": "registry.example/acme/base"},
        {"uri": "registry.example/acme/base", "digest": {"gitCommit": "a" * 40}},
        {"uri": "registry.example/acme/base", "digest": {"sha256": "abc"}},
        {"uri": f"registry.example/acme/base@sha256:{'b' * 64}", "digest": {"sha256": HEX}},
        {"uri": "registry.example/acme/base:v1", "digest": {"sha256": HEX}},
        {"uri": "oci:/etc", "digest": {"sha256": HEX}},
        {"uri": "hf://org/name", "digest": {"sha256": HEX}},
        {"uri": "file:///etc/passwd", "digest": {"sha256": HEX}},
        {"uri": "pkg:oci/base", "digest": {"sha256": HEX}},
        {"uri": 7, "digest": {"sha256": HEX}},
    ],
)
def test_what_is_in_no_registry_cannot_be_followed(dependency: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        reference(dependency)


class Family:
    """Models in a registry, each with a key, and provenance that names what they were made of."""

    def __init__(self, model: Path, fresh: Callable[[], str], folder: Path) -> None:
        self.model, self.fresh, self.folder = model, fresh, folder

    def released(self, keys: Keys, *bases: str, words: str = "# model\n") -> str:
        """Release a model and return it by digest; each of `bases` is ``HOST/REPO@DIGEST``."""
        (self.model / "README.md").write_text(words)
        place = self.fresh()
        outputs = release.run(release.Inputs(self.model, f"{place}:v1", key=keys.private), Context())
        assert outputs.passed
        self.say(f"{place}@{outputs.digest}", keys, *bases)
        return f"{place}@{outputs.digest}"

    def say(self, artifact: str, keys: Keys, *bases: str) -> None:
        """Attach provenance that names these bases, newer than any other."""
        target = Target.parse(artifact)
        store = open_store(target)
        named = tuple(
            {
                "name": "base",
                "uri": base.partition("@")[0],
                "digest": {"sha256": base.rpartition(":")[2]},
                "annotations": {"role": "base-model"},
            }
            for base in bases
        )
        build = Build("https://example.org/build", "https://example.org/builder", {}, dependencies=named)
        origin = predicates.provenance(build, started="", finished="2099-01-01T00:00:00Z")
        subject = find(store, target)
        statement = Statement((Subject("m", subject.digest),), PROVENANCE, origin)
        signer = KeySigner.load(keys.private, None)
        evidence.attach(store, subject, [statement], signer, created="2026-01-01T00:00:00Z")

    def verified(self, artifact: str, by: Keys, base: Keys, depth: int = 1) -> verify.Outputs:
        policy = self.folder / "policy.yml"
        follow = {"base-model": {"trusted": [{"key": str(base.public), "slsa-level": 2}], "depth": depth}}
        document = {"version": 1, "verify": {"trusted": [{"key": str(by.public)}], "follow": follow}}
        policy.write_text(json.dumps(document))
        vsa = self.folder / "vsa.json"
        return verify.run(verify.Inputs(artifact, policy=policy, follow="base-model", vsa=vsa), Context())


@pytest.fixture
def family(model: Path, fresh_repository: Callable[[], str], tmp_path: Path) -> Family:
    return Family(model, fresh_repository, tmp_path)


def followed(outputs: verify.Outputs) -> list[bool]:
    return [item.ok for item in outputs.verification.checks if item.name == "base-model"]


def test_a_base_model_is_verified_by_its_own_identity(family: Family, keys: Keys, other_keys: Keys) -> None:
    base = family.released(other_keys, words="# base\n")
    outputs = family.verified(family.released(keys, base), keys, other_keys)
    assert outputs.passed, outputs.text()
    assert followed(outputs) == [True]
    assert json.loads((family.folder / "vsa.json").read_text())["dependencyLevels"] == {"SLSA_BUILD_LEVEL_2": 1}


def test_the_model_s_own_identity_does_not_speak_for_its_base(family: Family, keys: Keys, other_keys: Keys) -> None:
    base = family.released(keys, words="# base\n")
    outputs = family.verified(family.released(keys, base), keys, other_keys)
    assert followed(outputs) == [False]
    assert "bundles" in outputs.text()


def test_a_base_model_that_is_not_there_fails(family: Family, keys: Keys, other_keys: Keys) -> None:
    outputs = family.verified(family.released(keys, f"{family.fresh()}@sha256:{HEX}"), keys, other_keys)
    assert followed(outputs) == [False]


def test_steps_are_bounded_and_what_lies_beyond_is_said(family: Family, keys: Keys, other_keys: Keys) -> None:
    root = family.released(other_keys, words="# root\n")
    base = family.released(other_keys, root, words="# base\n")
    model = family.released(keys, base)
    one = family.verified(model, keys, other_keys)
    assert followed(one) == [True]
    assert "beyond the steps" in one.text()
    assert followed(family.verified(model, keys, other_keys, depth=2)) == [True, True]


def test_a_circle_is_refused(family: Family, keys: Keys, other_keys: Keys) -> None:
    base = family.released(other_keys, words="# base\n")
    model = family.released(keys, base)
    family.say(base, other_keys, model)
    family.say(model, other_keys, base)
    outputs = family.verified(model, keys, other_keys, depth=8)
    assert not outputs.passed
    assert "made of itself" in outputs.text()


def test_a_model_that_was_made_of_nothing_passes_and_says_so(family: Family, keys: Keys, other_keys: Keys) -> None:
    outputs = family.verified(family.released(keys), keys, other_keys)
    assert outputs.passed
    assert "names no base-model" in outputs.text()


def test_nobody_is_trusted_for_a_role_that_the_policy_does_not_name(family: Family, keys: Keys) -> None:
    with pytest.raises(InputError, match="whom to trust for the base-model"):
        verify.run(verify.Inputs("oci:x:v1", key=keys.public, follow="base-model"), Context())
