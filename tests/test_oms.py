"""The OMS statement: order, root, and what a reader refuses."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from weighlock import oms
from weighlock.errors import MalformedError
from weighlock.intoto import Statement, Subject
from weighlock.oci import Digest

MANIFEST = Digest.of(b"manifest")
FILES = {name: Digest.of(name.encode()) for name in ("sub-x.txt", "sub/b.bin", "a")}


def changed(**predicate: Any) -> Statement:
    good = oms.statement("m", FILES, MANIFEST)
    return Statement(good.subjects, good.predicate_type, {**good.predicate, **predicate})


def test_resources_are_sorted_by_components_and_the_root_is_over_raw_digests() -> None:
    statement = oms.statement("m", FILES, MANIFEST)
    names = [item["name"] for item in statement.predicate["resources"]]  # type: ignore[attr-defined]
    assert names == ["a", "sub/b.bin", "sub-x.txt"]
    root = hashlib.sha256(b"".join(bytes.fromhex(FILES[name].hex) for name in names)).hexdigest()
    assert [subject.digest.hex for subject in statement.subjects] == [root]


def test_what_was_signed_is_read_back() -> None:
    statement = Statement.parse(oms.statement("m", FILES, MANIFEST).encode())
    assert oms.files(statement) == FILES
    assert oms.manifest(statement) == MANIFEST


@pytest.mark.parametrize(
    "attack",
    [
        "string order",
        "a resource twice",
        "a resource left out",
        "another digest",
        "two subjects",
        "another algorithm",
        "no resources",
    ],
)
def test_a_signature_that_bends_the_rules_is_refused(attack: str) -> None:
    good = oms.statement("m", FILES, MANIFEST)
    resources: list[dict[str, str]] = list(good.predicate["resources"])  # type: ignore[call-overload]
    statement = {
        "string order": changed(resources=sorted(resources, key=lambda item: item["name"])),
        "a resource twice": changed(resources=[resources[0], *resources]),
        "a resource left out": changed(resources=resources[1:]),
        "another digest": changed(resources=[{**resources[0], "digest": "0" * 64}, *resources[1:]]),
        "two subjects": Statement((*good.subjects, Subject("x", MANIFEST)), oms.PREDICATE_TYPE, good.predicate),
        "another algorithm": changed(resources=[{**resources[0], "algorithm": "blake2b"}, *resources[1:]]),
        "no resources": changed(resources=None),
    }[attack]
    with pytest.raises(MalformedError):
        oms.files(statement)
