"""Referrers in registries with the API, without it, and with half of it; and writers that race for the tag."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from artifacts import EVIDENCE, put_model, referrer
from clock import Clock
from fake_registry import INDEX, FakeRegistry, Reply, Rule
from weighlock.errors import MalformedError, StoreError
from weighlock.oci import EMPTY, EMPTY_DESCRIPTOR, MANIFEST, Descriptor, Digest, Manifest
from weighlock.store.registry import Registry, open_registry
from weighlock.store.targets import Repository, Target, open_store

TAG = "/manifests/sha256-"
API = "/referrers/"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(fake_registry: FakeRegistry, clock: Clock) -> Registry:
    repository = Repository(fake_registry.address, "acme/model")
    return open_registry(repository, plain_http=False, environ={}, retries=clock.retries())


@pytest.fixture
def model(store: Registry) -> Descriptor:
    return put_model(store, b"weights")


def tagged(fake: FakeRegistry, subject: Descriptor) -> list[dict[str, Any]]:
    """Return what the fallback tag lists."""
    _, body = fake.manifests[fake.references["acme/model", f"sha256-{subject.digest.hex}"]]
    entries: list[dict[str, Any]] = json.loads(body)["manifests"]
    return entries


def labels(store: Registry, subject: Descriptor) -> set[str]:
    return {found.annotations["label"] for found in store.referrers(subject.digest)}


def set_tag(fake: FakeRegistry, subject: Descriptor, media_type: str, body: bytes) -> None:
    digest = str(Digest.of(body))
    fake.manifests[digest] = (media_type, body)
    fake.references["acme/model", f"sha256-{subject.digest.hex}"] = digest


def test_with_the_api_no_tag_is_written(fake_registry: FakeRegistry, store: Registry, model: Descriptor) -> None:
    store.attach(model, [referrer(store, model, "e")])
    assert fake_registry.requests("PUT", TAG) == []


@pytest.mark.parametrize("status", [404, 405, 406])
def test_without_the_api_one_write_lists_the_whole_batch_with_its_types(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor, status: int
) -> None:
    fake_registry.referrers_api = False
    fake_registry.rules.append(Rule("GET", API, instead=Reply(status)))
    batch = [referrer(store, model, label) for label in ("one", "two", "three")]
    attached = store.attach(model, batch)
    assert len(fake_registry.requests("PUT", TAG)) == 1
    assert tagged(fake_registry, model) == [descriptor.to_json() for descriptor in attached]
    assert {entry["artifactType"] for entry in tagged(fake_registry, model)} == {EVIDENCE}
    assert store.referrers(model.digest) == attached


def test_attaching_again_does_not_write_the_tag_again(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor, clock: Clock
) -> None:
    fake_registry.referrers_api = False
    for _ in range(2):
        store.attach(model, [referrer(store, model, "e")])
    assert len(fake_registry.requests("PUT", TAG)) == 1
    assert len(clock.waits) == 1


def test_a_registry_that_promises_to_list_and_has_no_api_gets_the_tag(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    fake_registry.rules.append(Rule("GET", API, instead=Reply(404)))
    store.attach(model, [referrer(store, model, "e")])
    assert labels(store, model) == {"e"}


def test_a_web_page_in_the_apis_place_is_no_api(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    fake_registry.referrers_api = False
    fake_registry.rules.append(Rule("GET", API, instead=Reply(200, {"Content-Type": "text/html"}, b"<html>")))
    store.attach(model, [referrer(store, model, "e")])
    assert labels(store, model) == {"e"}


def test_an_api_that_lags_is_waited_for(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor, clock: Clock
) -> None:
    empty = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode()
    fake_registry.rules.append(Rule("GET", API, instead=Reply(200, {"Content-Type": INDEX}, empty), times=3))
    store.attach(model, [referrer(store, model, "e")])
    assert len(clock.waits) == 3
    fake_registry.rules.append(Rule("GET", API, instead=Reply(200, {"Content-Type": INDEX}, empty)))
    with pytest.raises(StoreError, match="does not list what was attached"):
        store.attach(model, [referrer(store, model, "f")])


def test_a_list_that_continues_on_another_host_is_refused(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    link = {"Link": '<https://evil.example/v2/more>; rel="next"'}
    fake_registry.rules.append(Rule("GET", API, change=lambda reply: replace(reply, headers={**reply.headers, **link})))
    with pytest.raises(StoreError, match="on another host"):
        store.referrers(model.digest)


def test_a_list_without_end_is_refused(fake_registry: FakeRegistry, store: Registry, model: Descriptor) -> None:
    fake_registry.rules.append(
        Rule("GET", API, change=lambda reply: replace(reply, headers={**reply.headers, "Link": "<?from=0>; rel=next"}))
    )
    with pytest.raises(StoreError, match="more than 100 pages"):
        store.referrers(model.digest)


def test_a_list_that_is_no_index_is_refused(fake_registry: FakeRegistry, store: Registry, model: Descriptor) -> None:
    fake_registry.rules.append(Rule("GET", API, instead=Reply(200, {"Content-Type": INDEX}, b'{"manifests": []}')))
    with pytest.raises(MalformedError):
        store.referrers(model.digest)


FOREIGN = "application/vnd.example.foreign+json"  # its plus must arrive as one


def crowded(fake: FakeRegistry, store: Registry, model: Descriptor, foreign: int) -> list[str]:
    """Hang referrers of a foreign type around three of ours; return the labels of ours."""
    plain = Descriptor(model.media_type, model.digest, model.size)
    labels = ["first", "second", "third"]
    for number in range(foreign):
        if number * len(labels) % foreign < len(labels):
            store.push_manifest(referrer(store, model, labels[number * len(labels) // foreign]))
        raw = Manifest(EMPTY_DESCRIPTOR, (EMPTY_DESCRIPTOR,), FOREIGN, plain, {"label": f"foreign {number}"}).encode()
        fake.manifests[str(Digest.of(raw))] = (MANIFEST, raw)
    return labels


@pytest.mark.parametrize(("filters", "pages"), [("said", 2), ("silent", 2), ("none", 17), ("forgotten", 17)])
def test_one_type_is_had_from_every_registry_and_cheaply_from_one_that_filters(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor, filters: str, pages: int
) -> None:
    """Thirty others hang there too, and a page has two."""
    wanted = crowded(fake_registry, store, model, foreign=30)
    fake_registry.filters = filters
    found = store.referrers(model.digest, EVIDENCE)
    assert [item.annotations["label"] for item in found] == wanted
    assert len(fake_registry.requests("GET", API)) == pages
    assert len(store.referrers(model.digest, FOREIGN)) == 30
    assert len(store.referrers(model.digest)) == 33


def test_evidence_is_attached_beside_more_of_others_than_are_listed(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    crowded(fake_registry, store, model, foreign=210)
    store.attach(model, [referrer(store, model, "fourth")])
    assert {item.annotations["label"] for item in store.referrers(model.digest, EVIDENCE)} > {"first", "fourth"}
    with pytest.raises(StoreError, match="more than 100 pages"):
        store.referrers(model.digest)


def test_a_batch_of_several_types_is_looked_for_whole(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    other = replace(Manifest.parse(referrer(store, model, "other"), "test"), artifact_type=FOREIGN)
    store.attach(model, [referrer(store, model, "ours"), other.encode()])
    assert [seen.path.partition("?")[2] for seen in fake_registry.requests("GET", API)] == [""]
    assert labels(store, model) == {"ours", "other"}


@pytest.mark.parametrize("said", [None, EMPTY])
def test_what_does_not_tell_its_type_is_listed_for_every_type(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor, said: str | None
) -> None:
    crowded(fake_registry, store, model, foreign=3)
    fake_registry.filters = "none"

    def untold(reply: Reply) -> Reply:
        index = json.loads(reply.body)
        for entry in index["manifests"]:
            if entry["artifactType"] == EVIDENCE:
                entry.update({"artifactType": said}) if said else entry.pop("artifactType")
        return replace(reply, body=json.dumps(index).encode())

    fake_registry.rules.append(Rule("GET", API, change=untold))
    assert len(store.referrers(model.digest, EVIDENCE)) == 3
    assert len(store.referrers(model.digest, FOREIGN)) == 6


def test_a_tag_is_not_believed_about_types(fake_registry: FakeRegistry, store: Registry, model: Descriptor) -> None:
    fake_registry.referrers_api = False
    attached = store.attach(model, [referrer(store, model, "e")])
    assert store.referrers(model.digest, FOREIGN) == attached


def test_an_update_that_another_writer_replaced_is_made_again(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    fake_registry.referrers_api = False
    store.attach(model, [referrer(store, model, "first")])
    fake_registry.rules.append(Rule("PUT", TAG, instead=Reply(201), times=2))
    store.attach(model, [referrer(store, model, "second")])
    assert labels(store, model) == {"first", "second"}
    assert len(fake_registry.requests("PUT", TAG)) == 4


def test_an_update_that_is_always_replaced_is_an_error_and_not_a_success(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor, clock: Clock
) -> None:
    fake_registry.referrers_api = False
    fake_registry.rules.append(Rule("PUT", TAG, instead=Reply(201)))
    with pytest.raises(StoreError, match="other writers keep replacing") as caught:
        store.attach(model, [referrer(store, model, "e")])
    assert "one job at a time" in caught.value.remedy
    assert clock.now < 1400


def test_what_another_writer_lost_is_put_back(fake_registry: FakeRegistry, store: Registry, model: Descriptor) -> None:
    """Another writer replaces the tag after our write with what it read before: ours goes, and so do earlier ones."""
    fake_registry.referrers_api = False
    theirs = store.push_manifest(referrer(store, model, "theirs"))

    def replaced(reply: Reply) -> Reply:
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [theirs.to_json()]}).encode()
        set_tag(fake_registry, model, INDEX, body)
        return reply

    store.attach(model, [referrer(store, model, "earlier")])
    fake_registry.rules.append(Rule("PUT", TAG, change=replaced, times=1))
    store.attach(model, [referrer(store, model, "ours")])
    assert labels(store, model) == {"earlier", "theirs", "ours"}


def test_a_registry_that_compares_before_it_sets_is_used_so(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    fake_registry.referrers_api = False
    store.attach(model, [referrer(store, model, "first")])
    fake_registry.rules += [
        Rule("GET", TAG, change=lambda reply: replace(reply, headers={**reply.headers, "ETag": '"e1"'})),
        Rule("PUT", TAG, instead=Reply(412), times=1),
    ]
    store.attach(model, [referrer(store, model, "second")])
    assert [seen.headers.get("if-match") for seen in fake_registry.requests("PUT", TAG)] == [None, '"e1"', '"e1"']
    assert labels(store, model) == {"first", "second"}


def test_entries_of_others_are_kept_and_a_wrong_type_of_ours_is_corrected(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    fake_registry.referrers_api = False
    foreign = {"mediaType": "x/y", "digest": "sha512:" + "0" * 128, "size": 1, "later": {"a": 1}}
    raw = referrer(store, model, "e")
    ours = store.push_manifest(raw)
    wrong = {**ours.to_json(), "artifactType": EMPTY}
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [foreign, wrong]}).encode()
    set_tag(fake_registry, model, INDEX, body)
    store.attach(model, [raw])
    assert tagged(fake_registry, model) == [foreign, ours.to_json()]


def test_something_else_under_the_tag_is_not_overwritten(
    fake_registry: FakeRegistry, store: Registry, model: Descriptor
) -> None:
    fake_registry.referrers_api = False
    raw = store.manifest(model.digest)
    set_tag(fake_registry, model, "application/vnd.oci.image.manifest.v1+json", raw)
    with pytest.raises(StoreError, match="is not an OCI image index"):
        store.attach(model, [referrer(store, model, "e")])
    assert fake_registry.requests("PUT", TAG) == []


def test_an_empty_batch_asks_nothing(fake_registry: FakeRegistry, store: Registry, model: Descriptor) -> None:
    before = len(fake_registry.seen)
    assert store.attach(model, []) == ()
    assert len(fake_registry.seen) == before


def test_writers_that_race_for_the_tag_lose_nothing(fresh_repository: Callable[[], str]) -> None:
    """Two writers a round, fifty rounds, on a registry that does not compare before it sets."""
    target = Target.parse(fresh_repository())
    setup = open_store(target, environ={})
    models = [put_model(setup, b"%d" % number) for number in range(50)]
    barrier = threading.Barrier(2 * len(models))
    failures: list[Exception] = []

    def write(subject: Descriptor, label: str) -> None:
        store = open_store(target, environ={})
        raw = referrer(store, subject, label)
        barrier.wait(60)
        try:
            store.attach(subject, [raw])
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    writers = [threading.Thread(target=write, args=(subject, label)) for subject in models for label in ("one", "two")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    for subject in models:
        assert {found.annotations["label"] for found in setup.referrers(subject.digest)} == {"one", "two"}
