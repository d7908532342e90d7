"""An index that others write to: nothing of theirs is lost, whatever we add or move."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.errors import MalformedError
from weighlock.oci import MANIFEST, REF_NAME, Descriptor, Digest
from weighlock.store.listing import Listing


def entry(content: bytes, tag: str | None = None, **more: Any) -> dict[str, Any]:
    base = {"mediaType": MANIFEST, "digest": str(Digest.of(content)), "size": len(content), **more}
    return {**base, "annotations": {REF_NAME: tag}} if tag else base


def listing(*entries: dict[str, Any], **rest: Any) -> Listing:
    return Listing.parse(json.dumps({"schemaVersion": 2, "manifests": entries, **rest}).encode(), "index")


def describe(content: bytes) -> Descriptor:
    return Descriptor(MANIFEST, Digest.of(content), len(content), "a/b", {"k": "v"})


def test_what_others_wrote_is_kept() -> None:
    foreign = {
        "mediaType": "x/y",
        "digest": "sha512:" + "0" * 128,
        "size": 1,
        "platform": {"os": "unknown"},
        "urls": ["https://example.org"],
        "later": {"deep": [1, 2.5, None]},
    }
    before = listing(foreign, entry(b"one", "v1", data="e30="), annotations={"by": "others"}, later=True)
    after = before.listing([describe(b"two")]).tagging(describe(b"two"), "v2")
    document = json.loads(after.encode())
    assert foreign in document["manifests"]
    assert entry(b"one", "v1", data="e30=") in document["manifests"]
    assert (document["annotations"], document["later"]) == ({"by": "others"}, True)


def test_a_tag_that_moves_leaves_its_manifest_listed() -> None:
    after = listing(entry(b"one", "v1")).tagging(describe(b"two"), "v1")
    assert after.digests() == {str(Digest.of(b"one")), str(Digest.of(b"two"))}
    assert after.tags()["v1"]["digest"] == str(Digest.of(b"two"))


def test_a_tag_that_moves_off_a_manifest_with_another_tag_leaves_no_second_entry() -> None:
    after = listing(entry(b"one", "v1"), entry(b"one", "latest")).tagging(describe(b"two"), "latest")
    assert [item["digest"] for item in after.entries].count(str(Digest.of(b"one"))) == 1
    assert set(after.tags()) == {"v1", "latest"}


def test_tagging_gives_the_name_to_the_entry_that_has_none() -> None:
    after = listing(entry(b"one", platform={"os": "x"})).tagging(describe(b"one"), "v1")
    assert [item.get("platform") for item in after.entries] == [{"os": "x"}]


def test_an_entry_with_the_wrong_type_is_corrected_and_keeps_what_we_do_not_know() -> None:
    wrong = entry(b"one", artifactType="application/vnd.oci.empty.v1+json", platform={"os": "x"})
    (corrected,) = listing(wrong).listing([describe(b"one")]).entries
    assert (corrected["artifactType"], corrected["annotations"]) == ("a/b", {"k": "v"})
    assert corrected["platform"] == {"os": "x"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"schemaVersion":1,"manifests":[]}',
        b'{"schemaVersion":2}',
        b'{"schemaVersion":2,"manifests":[1]}',
        b'{"schemaVersion":2,"manifests":[{"size":1}]}',
        b'{"schemaVersion":2,"manifests":[{"digest":"sha256:x","annotations":{"a":1}}]}',
        b'{"schemaVersion":2,"manifests":[],"mediaType":"application/vnd.oci.image.manifest.v1+json"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_index_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        Listing.parse(raw, "index")


def test_a_number_that_json_cannot_carry_is_an_error_and_not_written() -> None:
    with pytest.raises(MalformedError):
        Listing.parse(b'{"schemaVersion":2,"manifests":[],"x":1e999}', "index").encode()


TAGS = st.sampled_from(["v1", "v2", "latest"])
CONTENTS = st.sampled_from([b"one", b"two", b"three"])


@given(
    st.lists(st.tuples(CONTENTS, TAGS | st.none()), max_size=6),
    st.lists(st.tuples(CONTENTS, TAGS), min_size=1, max_size=6),
)
def test_after_any_moves_each_tag_names_what_it_was_last_given_and_no_manifest_is_lost(
    start: list[tuple[bytes, str | None]], moves: list[tuple[bytes, str]]
) -> None:
    held = listing(*(entry(content, tag) for content, tag in start))
    wanted = {tag: found["digest"] for tag, found in held.tags().items()}
    digests = set(held.digests())
    for content, tag in moves:
        held = held.tagging(describe(content), tag)
        wanted[tag] = str(Digest.of(content))
        digests.add(wanted[tag])
        assert held.tagging(describe(content), tag) == held
    assert {tag: found["digest"] for tag, found in held.tags().items()} == wanted
    assert held.digests() == digests
