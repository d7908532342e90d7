"""Digest, Descriptor, Manifest, Index: canonical bytes out, checked shapes in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.errors import MalformedError
from weighlock.oci import EMPTY_DESCRIPTOR, INDEX, MANIFEST, Descriptor, Digest, Index, Manifest, single

DIGEST = str(Digest.of(b"x"))
CONFIG = {"mediaType": "a/config", "digest": DIGEST, "size": 1}


def manifest(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": CONFIG, "layers": [], **fields}).encode()


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "a" * 63, "sha256:" + "A" * 64, f"{DIGEST}\n", "sha512:" + "a" * 128, "a" * 64]
)
def test_a_digest_is_sha256_in_lower_case_and_nothing_else(text: str) -> None:
    with pytest.raises(MalformedError):
        Digest.parse(text)


def test_the_empty_descriptor_is_the_one_of_the_specification() -> None:
    assert str(EMPTY_DESCRIPTOR.digest) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert EMPTY_DESCRIPTOR.size == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", -1),
        ("size", True),
        ("size", "1"),
        ("size", 1.0),
        ("size", None),
        ("digest", "x"),
        ("digest", None),
        ("annotations", {"a": 1}),
        ("annotations", ""),
        ("mediaType", None),
        ("artifactType", 1),
    ],
)
def test_a_descriptor_with_a_wrong_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(MalformedError):
        Descriptor.from_json({**CONFIG, field: value})


def test_a_descriptor_keeps_the_fields_that_we_do_not_use() -> None:
    document = {**CONFIG, "platform": {"os": "x"}, "urls": ["https://example.org"], "annotations": {"a": "b"}}
    assert Descriptor.from_json(document).to_json() == document


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"\xff",
        manifest(schemaVersion=1),
        manifest(mediaType=INDEX),
        manifest(mediaType="application/vnd.docker.distribution.manifest.v2+json"),
        manifest(mediaType=None),
        manifest(config=None),
        manifest(layers=None),
        manifest(layers=[1]),
        manifest(layers=[{**CONFIG, "digest": "sha256:../../etc/passwd"}]),
        manifest(subject=[]),
        manifest(subject={"digest": DIGEST}),
        manifest(annotations={"a": None}),
        manifest()[:-1] + b', "layers": []}',
    ],
)
def test_what_is_no_manifest_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        Manifest.parse(raw)


def test_an_unknown_media_type_is_named_without_its_control_characters() -> None:
    with pytest.raises(MalformedError, match="unknown media type 'x") as caught:
        Manifest.parse(manifest(mediaType="x\x1b[31m"))
    assert caught.value.what.isprintable()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DESCRIPTORS = st.builds(
    Descriptor,
    st.just("a/b"),
    st.binary(max_size=4).map(Digest.of),
    st.integers(0, 2**50),
    st.none() | st.just("a/type"),
    st.dictionaries(TEXT, TEXT, max_size=3),
)
MANIFESTS = st.builds(
    Manifest,
    DESCRIPTORS,
    st.lists(DESCRIPTORS, max_size=3).map(tuple),
    st.none() | st.just("a/type"),
    st.none() | DESCRIPTORS,
    st.dictionaries(TEXT, TEXT, max_size=3),
)


@given(MANIFESTS)
def test_a_manifest_survives_its_bytes_and_gives_the_same_again(before: Manifest) -> None:
    raw = before.encode()
    assert Manifest.parse(raw) == before
    assert Manifest.parse(raw).encode() == raw


@given(st.lists(DESCRIPTORS, max_size=4).map(tuple))
def test_an_index_survives_its_bytes(descriptors: tuple[Descriptor, ...]) -> None:
    index = Index(descriptors, {"a": "b"})
    assert Index.parse(index.encode()) == index


def test_the_order_of_annotations_does_not_change_the_digest() -> None:
    one = Manifest(EMPTY_DESCRIPTOR, (), "a/b", None, {"a": "1", "b": "2"})
    two = Manifest(EMPTY_DESCRIPTOR, (), "a/b", None, {"b": "2", "a": "1"})
    assert one.encode() == two.encode()


def test_a_manifest_is_described_by_the_bytes_as_they_came() -> None:
    raw = manifest(artifactType="a/type", annotations={"a": "b"}) + b"\n"
    described = Manifest.parse(raw).descriptor(raw)
    assert described == Descriptor(MANIFEST, Digest.of(raw), len(raw), "a/type", {"a": "b"})


def test_without_an_artifact_type_the_configs_media_type_counts() -> None:
    raw = manifest()
    assert Manifest.parse(raw).descriptor(raw).artifact_type == "a/config"


def test_single_keeps_the_first_of_each_digest() -> None:
    one, two = Descriptor("a/1", Digest.of(b"x"), 1), Descriptor("a/2", Digest.of(b"x"), 1)
    assert single((one, two, one)) == (one,)
