"""cosign verifies our releases with the public key alone."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from conformance.conftest import Run
from releasing import Keys, Released
from weighlock import predicates

KEY_ONLY = ("--insecure-ignore-tlog", "--allow-http-registry", "--key")


def statements(output: str) -> list[Any]:
    """Return the statements of the envelopes that ``cosign verify-attestation`` prints, one a line."""
    envelopes = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [json.loads(base64.b64decode(envelope["payload"])) for envelope in envelopes]


@pytest.mark.parametrize("reference", ["{place}:v1", "{place}@{digest}"])
def test_it_accepts_the_signature(run: Run, place: str, released: Released, reference: str) -> None:
    target = reference.format(place=place, digest=released.digest)
    done = run("cosign", "verify", *KEY_ONLY, released.keys.public, target)
    assert done.returncode == 0, done.stdout + done.stderr
    assert released.digest in done.stdout


def test_it_rejects_another_key(run: Run, place: str, other_keys: Keys) -> None:
    assert run("cosign", "verify", *KEY_ONLY, other_keys.public, f"{place}:v1").returncode != 0


@pytest.mark.parametrize(
    ("kind", "predicate_type"),
    [
        ("slsaprovenance1", predicates.PROVENANCE),
        (predicates.TEST_RESULT, predicates.TEST_RESULT),
        (predicates.VULNERABILITIES, predicates.VULNERABILITIES),
    ],
)
def test_it_accepts_the_attestations(run: Run, place: str, released: Released, kind: str, predicate_type: str) -> None:
    done = run("cosign", "verify-attestation", "--type", kind, *KEY_ONLY, released.keys.public, f"{place}:v1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [item["predicateType"] for item in statements(done.stdout)] == [predicate_type]


def test_it_misses_what_is_not_there(run: Run, place: str, released: Released) -> None:
    done = run("cosign", "verify-attestation", "--type", "cyclonedx", *KEY_ONLY, released.keys.public, f"{place}:v1")
    assert done.returncode != 0
