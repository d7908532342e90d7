"""What every store does: the same tests against a layout, docker-registry, and a registry with the referrers API."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

import fake_registry as fakes
from artifacts import EVIDENCE, KIND, content, opener, put_blob, put_model, referrer
from weighlock.errors import InputError, IntegrityError, MalformedError, NotFoundError, UnfinishedError
from weighlock.oci import EMPTY_DESCRIPTOR, MANIFEST, Descriptor, Digest, Manifest
from weighlock.store import Store, read
from weighlock.store.targets import Target, find, open_store


@dataclass(frozen=True)
class Place:
    """A fresh place; `damage` replaces the bytes that it keeps under a digest."""

    target: str
    damage: Callable[[Digest, bytes], None]
    behind_a_tag: bool = False  # its referrers are

    def store(self) -> Store:
        return open_store(Target.parse(self.target), environ={})


@pytest.fixture(params=["layout", "docker-registry", "referrers-api"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "layout":
        blobs = tmp_path / "out" / "blobs" / "sha256"
        return Place(f"oci:{tmp_path}/out", lambda digest, data: _overwrite(blobs / digest.hex, data))
    if request.param == "docker-registry":
        repository = request.getfixturevalue("fresh_repository")()
        kept = request.getfixturevalue("registry_folder") / "storage/docker/registry/v2/blobs/sha256"
        return Place(
            repository, lambda digest, data: _overwrite(kept / digest.hex[:2] / digest.hex / "data", data), True
        )
    fake = request.getfixturevalue("fake_registry")
    return Place(f"{fake.address}/acme/model", lambda digest, data: _replace(fake, digest, data))


def _overwrite(path: Path, data: bytes) -> None:
    assert path.is_file()
    path.write_bytes(data)


def _replace(fake: fakes.FakeRegistry, digest: Digest, data: bytes) -> None:
    if str(digest) in fake.manifests:
        fake.manifests[str(digest)] = (MANIFEST, data)
    else:
        assert str(digest) in fake.blobs
        fake.blobs[str(digest)] = data


@pytest.fixture
def store(place: Place) -> Store:
    return place.store()


@pytest.mark.parametrize("size", [0, 5, 3 * 1024 * 1024 + 1])
def test_a_blob_comes_back_as_it_went_in(store: Store, size: int) -> None:
    data = secrets.token_bytes(size)
    descriptor = Descriptor.of(data, "application/octet-stream")
    assert store.push_blob(descriptor, opener(data)) is True
    assert content(store, descriptor) == data
    assert store.examine(descriptor)


def test_a_blob_that_is_there_is_not_opened_again(store: Store) -> None:
    data = secrets.token_bytes(100)
    descriptor = put_blob(store, data)
    opened: list[int] = []

    def source() -> BinaryIO:
        opened.append(1)
        return io.BytesIO(data)

    assert store.push_blob(descriptor, source) is False
    assert not opened


@pytest.mark.parametrize("sent", [b"BYTES", b"byte", b"bytes and more", b""], ids=["other", "short", "long", "none"])
def test_a_blob_of_other_bytes_is_not_stored(store: Store, sent: bytes) -> None:
    descriptor = Descriptor.of(b"bytes", "application/octet-stream")
    with pytest.raises(IntegrityError, match="what was to be"):
        store.push_blob(descriptor, opener(sent))
    with pytest.raises(NotFoundError):
        store.examine(descriptor)


def test_an_error_of_the_source_passes_through(store: Store) -> None:
    def source() -> BinaryIO:
        raise UnfinishedError("the file changed")

    with pytest.raises(UnfinishedError, match="the file changed"):
        store.push_blob(Descriptor.of(secrets.token_bytes(9), "a/b"), source)


def test_a_source_that_cannot_be_read_is_an_error_and_not_a_new_attempt(store: Store) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    opened: list[int] = []

    def source() -> BinaryIO:
        opened.append(1)
        return Broken()

    with pytest.raises(UnfinishedError, match="Input/output error"):
        store.push_blob(Descriptor.of(secrets.token_bytes(9), "a/b"), source)
    assert len(opened) == 1


def test_a_new_place_holds_nothing(store: Store) -> None:
    descriptor = Descriptor.of(b"absent", "a/b")
    assert store.resolve("v1") is None
    assert store.tags() == ()
    assert store.referrers(descriptor.digest) == ()
    with pytest.raises(NotFoundError):
        store.manifest(descriptor.digest)
    with pytest.raises(NotFoundError):
        content(store, descriptor)
    with pytest.raises(NotFoundError):
        store.examine(descriptor)


def test_a_manifest_comes_back_to_the_letter_and_is_described(store: Store) -> None:
    config, layer = EMPTY_DESCRIPTOR, put_blob(store, b"layer")
    put_blob(store, b"{}")
    raw = Manifest(config, (layer,), KIND, None, {"a": "ü"}).encode() + b"\n"
    pushed = store.push_manifest(raw)
    assert pushed == Descriptor(MANIFEST, Digest.of(raw), len(raw), KIND, {"a": "ü"})
    assert store.manifest(pushed.digest) == raw


def test_a_tag_is_seen_by_others_once_it_is_set(place: Place) -> None:
    descriptor = put_model(place.store(), b"one")
    assert place.store().resolve("v1") is None
    place.store().tag(descriptor, "v1")
    assert place.store().resolve("v1") == descriptor


def test_a_tag_moves_and_leaves_other_tags_alone(store: Store) -> None:
    old, new = put_model(store, b"old"), put_model(store, b"new")
    store.tag(old, "v1")
    store.tag(old, "latest")
    store.tag(new, "latest")
    assert store.resolve("v1") == old
    assert store.resolve("latest") == new
    assert store.tags() == ("latest", "v1")
    assert store.manifest(old.digest)


def test_a_tag_needs_its_manifest(store: Store) -> None:
    put_model(store, b"one")
    with pytest.raises(NotFoundError):
        store.tag(Descriptor(MANIFEST, Digest.of(b"absent"), 6), "v1")
    assert store.resolve("v1") is None


def test_referrers_are_listed_with_type_and_annotations(store: Store) -> None:
    model, other = put_model(store, b"one"), put_model(store, b"two")
    batch = [referrer(store, model, f"evidence {number}") for number in range(5)]
    attached = store.attach(model, batch)
    assert {(item.artifact_type, item.annotations["label"]) for item in attached} == {
        (EVIDENCE, f"evidence {number}") for number in range(5)
    }
    listed = {item.digest: item for item in store.referrers(model.digest)}
    assert listed == {item.digest: item for item in attached}
    assert store.referrers(other.digest) == ()


def test_all_of_one_type_are_listed_when_it_is_asked_for(store: Store, place: Place) -> None:
    model = put_model(store, b"one")
    other = replace(Manifest.parse(referrer(store, model, "other"), "test"), artifact_type=f"{EVIDENCE}.v2+json")
    attached = store.attach(model, [referrer(store, model, "ours"), other.encode()])
    # Behind a tag the types are words of its writers, so there all are listed.
    wanted = attached if place.behind_a_tag else attached[:1]
    assert {item.digest for item in store.referrers(model.digest, EVIDENCE)} == {item.digest for item in wanted}


def test_attaching_again_adds_nothing_and_a_later_batch_adds(store: Store) -> None:
    model = put_model(store, b"one")
    first, second = referrer(store, model, "first"), referrer(store, model, "second")
    attached = store.attach(model, [first])
    assert store.attach(model, [first]) == attached
    assert store.referrers(model.digest) == attached
    store.attach(model, [first, second])
    assert {item.annotations["label"] for item in store.referrers(model.digest)} == {"first", "second"}


def test_referrers_do_not_show_as_tags(store: Store) -> None:
    model = put_model(store, b"one")
    store.attach(model, [referrer(store, model, "first")])
    store.tag(model, "v1")
    assert store.tags() == ("v1",)


def test_the_referrer_of_another_subject_is_refused_before_anything_is_stored(store: Store) -> None:
    model, other = put_model(store, b"one"), put_model(store, b"two")
    mine, strange = referrer(store, model, "mine"), referrer(store, other, "strange")
    with pytest.raises(MalformedError, match="no referrer"):
        store.attach(model, [mine, strange])
    assert store.referrers(model.digest) == ()
    with pytest.raises(NotFoundError):
        store.manifest(Digest.of(mine))


@pytest.mark.parametrize("damage", [bytes.upper, lambda data: data + b".", lambda data: data[:-1]])
def test_a_damaged_blob_is_refused_when_it_is_read(place: Place, damage: Callable[[bytes], bytes]) -> None:
    data = b"layer" + secrets.token_bytes(8)
    descriptor = put_blob(place.store(), data)
    place.damage(descriptor.digest, damage(data))
    with pytest.raises(IntegrityError):
        content(place.store(), descriptor)


def test_a_damaged_manifest_is_refused(place: Place) -> None:
    store = place.store()
    model = put_model(store, secrets.token_bytes(8))
    raw = store.manifest(model.digest)
    place.damage(model.digest, raw.replace(b"application/octet-stream", b"application/octet-streak"))
    with pytest.raises((IntegrityError, UnfinishedError)):  # docker-registry refuses it by itself
        place.store().manifest(model.digest)


def test_a_small_blob_larger_than_the_limit_is_not_read(store: Store) -> None:
    descriptor = put_blob(store, b"12345")
    assert read(store, descriptor, 5) == b"12345"
    with pytest.raises(IntegrityError, match="the limit is 4"):
        read(store, descriptor, 4)


def test_find_follows_digest_and_tag_and_lists_the_tags_there_are(store: Store) -> None:
    model = put_model(store, b"one")
    store.tag(model, "v1")
    place = Target.parse("oci:any")
    assert find(store, replace(place, tag="v1")) == model
    assert find(store, replace(place, digest=model.digest)) == model
    with pytest.raises(NotFoundError, match="has no tag 'v2'") as caught:
        find(store, replace(place, tag="v2"))
    assert "v1" in caught.value.remedy
    with pytest.raises(InputError, match="neither a tag nor a digest"):
        find(store, place)
    with pytest.raises(NotFoundError):
        find(store, replace(place, digest=Digest.of(b"absent")))
