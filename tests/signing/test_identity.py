"""What a pinned identity accepts: every value whole, and nothing that only looks like it."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from weighlock.errors import InputError, SignatureError
from weighlock.signing import Certificate
from weighlock.signing.identity import GITHUB_ISSUER, Identity

COMMIT = "1f" * 20
WORKFLOW = "acme/models/.github/workflows/release.yml"
JOB = Certificate(
    issuer=GITHUB_ISSUER,
    identity=f"https://github.com/{WORKFLOW}@refs/tags/v1",
    issued=dt.datetime(2026, 11, 25, tzinfo=dt.timezone.utc),
    source="https://github.com/acme/models",
    ref="refs/tags/v1",
    trigger="push",
    runner="github-hosted",
    builder=f"https://github.com/{WORKFLOW}@refs/tags/v1",
    builder_commit=COMMIT,
)
RIGHT = {
    "identity": JOB.identity,
    "source": "acme/models",
    "ref": "refs/tags/v1",
    "trigger": "push",
    "runner": "github-hosted",
    "builder": WORKFLOW,
    "builder_commit": COMMIT,
}


def test_all_that_is_pinned_is_as_the_certificate_says() -> None:
    Identity(issuer=GITHUB_ISSUER, **RIGHT).require(JOB)


def test_the_server_may_be_given_too() -> None:
    Identity(
        issuer=GITHUB_ISSUER, source="https://github.com/acme/models", builder=f"https://github.com/{WORKFLOW}"
    ).require(JOB)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identity", f"https://github.com/{WORKFLOW}"),
        ("identity", ".*"),
        ("source", "acme/model"),
        ("source", "acme/*"),
        ("source", "Acme/models"),
        ("source", "https://gitlab.com/acme/models"),
        ("source", "https://github.com/acme/models/"),
        ("ref", "refs/tags/v1.0"),
        ("trigger", "pull_request"),
        ("runner", "self-hosted"),
        ("builder", "acme/models/.github/workflows/other.yml"),
        ("builder", "acme/models"),
        ("builder", WORKFLOW[:-1]),
        ("builder_commit", "2e" * 20),
    ],
)
def test_any_other_value_is_refused_by_its_name(name: str, value: str) -> None:
    pinned = Identity(issuer=GITHUB_ISSUER, **RIGHT | {name: value})
    with pytest.raises(SignatureError, match=name.replace("builder_commit", "builder's commit")):
        pinned.require(JOB)


@pytest.mark.parametrize("name", ["identity", "builder"])
def test_a_reusable_workflow_signs_for_everybody_so_the_source_has_to_be_pinned_too(name: str) -> None:
    builder = "acme/lock/.github/workflows/publish.yml"
    shared = dataclasses.replace(
        JOB, identity=f"https://github.com/{builder}@refs/tags/v1", builder=f"https://github.com/{builder}@refs/tags/v1"
    )
    pins = {"identity": shared.identity, "builder": builder}
    pinned = Identity(issuer=GITHUB_ISSUER, **{name: pins[name]})
    with pytest.raises(SignatureError, match="every repository that calls it"):
        pinned.require(shared)
    with pytest.raises(SignatureError, match="every repository that calls it"):
        pinned.require(dataclasses.replace(shared, source="https://github.com/acme/loc"))
    pinned.require(dataclasses.replace(shared, source="https://github.com/acme/lock"))
    dataclasses.replace(pinned, source="acme/models").require(shared)


def test_the_same_name_by_another_issuer_is_another() -> None:
    with pytest.raises(SignatureError, match="issuer"):
        Identity(issuer="https://token.example.com", **RIGHT).require(JOB)


def test_what_a_certificate_does_not_say_it_does_not_say() -> None:
    person = dataclasses.replace(JOB, identity="ada@example.com", source="", builder="")
    with pytest.raises(SignatureError, match="names no source"):
        Identity(issuer=GITHUB_ISSUER, source="acme/models").require(person)
    with pytest.raises(SignatureError, match="names no builder"):
        Identity(issuer=GITHUB_ISSUER, builder=WORKFLOW).require(person)


def test_a_builder_at_a_commit_is_the_same_builder() -> None:
    pinned = dataclasses.replace(JOB, builder=f"https://github.com/{WORKFLOW}@{COMMIT}")
    Identity(issuer=GITHUB_ISSUER, builder=WORKFLOW, builder_commit=COMMIT).require(pinned)


@pytest.mark.parametrize("name", ["release.yml@evil.yml", "release.yml@refs.yml", f"release.yml@{COMMIT}.yml"])
def test_a_workflow_whose_name_begins_like_the_builder_is_another(name: str) -> None:
    other = f"https://github.com/acme/models/.github/workflows/{name}@refs/heads/main"
    with pytest.raises(SignatureError, match="builder"):
        Identity(issuer=GITHUB_ISSUER, builder=WORKFLOW).require(dataclasses.replace(JOB, builder=other))


@pytest.mark.parametrize(
    ("pinned", "message"),
    [
        ({}, "no identity is pinned"),
        ({"issuer": GITHUB_ISSUER}, "none of those it vouches for"),
        ({"identity": JOB.identity}, "without its issuer"),
        ({"source": "acme/models"}, "without its issuer"),
        ({"issuer": GITHUB_ISSUER, "ref": "refs/tags/v1", "runner": "github-hosted"}, "none of those"),
        ({"issuer": GITHUB_ISSUER, "builder": f"{WORKFLOW}@refs/tags/v1"}, "has a ref"),
        ({"issuer": GITHUB_ISSUER, "source": "acme/models", "builder_commit": "1f1f1f1"}, "not a whole one"),
    ],
)
def test_what_pins_too_little_is_no_identity(pinned: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Identity(**pinned)
    assert caught.value.remedy


def test_a_hostile_name_is_printed_escaped() -> None:
    with pytest.raises(SignatureError) as caught:
        Identity(issuer=GITHUB_ISSUER, source="acme/models").require(dataclasses.replace(JOB, source="\x1b[2Jx"))
    assert "\x1b" not in caught.value.what
    assert "\x1b" not in str(Identity(issuer="\x1b", source="x"))
