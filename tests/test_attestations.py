"""GitHub's store of attestations gets what it lacks, once; what it refuses comes with the line to add."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator

import pytest

from github_api import Api, serving
from weighlock.attestations import Attestations, Wanted, shelves
from weighlock.errors import InputError, StoreError
from weighlock.evidence import Attached
from weighlock.intoto import Statement, Subject
from weighlock.oci import Descriptor, Digest
from weighlock.retries import Retries
from weighlock.signing import Certificate
from weighlock.signing.key import KeySigner

DIGEST = Digest("ab" * 32)
JOB = {"GITHUB_REPOSITORY": "acme/models", "GITHUB_TOKEN": "t0k"}


@pytest.fixture
def api() -> Iterator[tuple[Api, str]]:
    held = Api()
    with serving(held) as url:
        yield held, url


def place(url: str) -> Attestations:
    found = Attestations.of(JOB | {"GITHUB_API_URL": url}, keyless=True)
    return dataclasses.replace(found, retries=Retries(limit=5, sleep=lambda _seconds: None))


def signed(*kinds: str) -> list[Attached]:
    statements = [Statement((Subject("tiny", DIGEST),), kind, {}) for kind in kinds]
    bundles = KeySigner.generate().sign([statement.encode() for statement in statements])
    certificate = Certificate("https://issuer.example", "x", dt.datetime.now(dt.timezone.utc))
    descriptor = Descriptor("application/json", DIGEST, 1)
    return [Attached(descriptor, bundle, item, certificate) for bundle, item in zip(bundles, statements, strict=True)]


def test_each_bundle_is_kept_once_and_as_it_is(api: tuple[Api, str]) -> None:
    held, url = api
    bundles = signed("https://a.example", "https://b.example")
    assert place(url).add(bundles) == 2
    assert held.held == [{"bundle": json.loads(item.bundle.raw)} for item in bundles]
    assert {token for _, _, token in held.asked} == {"Bearer t0k"}
    assert place(url).add(bundles) == 0
    assert place(url).add([*bundles, *signed("https://a.example")]) == 1, "another signature is another bundle"


def test_a_failure_that_passes_is_waited_out(api: tuple[Api, str]) -> None:
    held, url = api
    held.faults = [502, 429, 503]
    assert place(url).add(signed("https://a.example")) == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_comes_with_the_permission_to_add(api: tuple[Api, str], status: int) -> None:
    held, url = api
    held.refused = status
    with pytest.raises(StoreError, match="Resource not accessible") as caught:
        place(url).add(signed("https://a.example"))
    assert "attestations: write" in caught.value.remedy


def test_as_far_as_it_works_means_a_warning_where_it_does_not(api: tuple[Api, str]) -> None:
    held, url = api
    said: list[str] = []
    held.faults = [403]
    shelves(place(url), Wanted.TRY, said.append)(signed("https://a.example"))
    assert "attestations: write" in said[0]
    held.faults = [403]
    with pytest.raises(StoreError):
        shelves(place(url), Wanted.ON, said.append)(signed("https://a.example"))


@pytest.mark.parametrize(
    ("environ", "keyless", "message"),
    [
        (JOB, False, "a key signs"),
        ({"GITHUB_TOKEN": "x"}, True, "names a repository"),
        ({"GITHUB_REPOSITORY": "acme/models"}, True, "no GITHUB_TOKEN"),
        (JOB | {"GITHUB_REPOSITORY": "acme/../../user"}, True, "names a repository"),
    ],
)
def test_what_cannot_work_is_said_before_the_work(environ: dict[str, str], keyless: bool, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Attestations.of(environ, keyless=keyless)


def test_the_token_is_in_no_representation() -> None:
    assert "t0k" not in repr(Attestations.of(JOB, keyless=True))
