"""An artifact that is carried from place to place verifies there as it did at home."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artifacts import KIND, put_blob, put_model, referrer
from commands import Keys, weighlock
from fake_registry import FakeRegistry, Reply, Rule
from weighlock.errors import IntegrityError, RefusedError, UnfinishedError
from weighlock.oci import Descriptor, Digest, Manifest
from weighlock.stages import Context, copy, release, verify
from weighlock.store.targets import Target, find, open_store


@pytest.fixture
def released(model: Path, keys: Keys, tmp_path: Path) -> str:
    release.run(release.Inputs(model, f"oci:{tmp_path}/home:v1", key=keys.private), Context())
    return f"oci:{tmp_path}/home:v1"


def copied(source: str, to: str, key: Path | None = None) -> copy.Outputs:
    return copy.run(copy.Inputs(source, to, key=key), Context())


def verifies(target: str, keys: Keys) -> bool:
    return verify.run(verify.Inputs(target, key=keys.public), Context()).passed


def test_a_model_travels_from_a_folder_through_two_registries_back_into_a_folder(
    released: str, keys: Keys, tmp_path: Path, fresh_repository: Callable[[], str], fake_registry: FakeRegistry
) -> None:
    stations = [f"{fresh_repository()}:v1", f"{fake_registry.address}/m:v1", f"oci:{tmp_path}/away:v2"]
    digests, source = set(), released
    for station in stations:
        outputs = copied(source, station, keys.public)
        digests.add(outputs.digest)
        assert outputs.referrers == 4
        assert verifies(station, keys)
        source = station
    assert len(digests) == 1
    shutil.rmtree(tmp_path / "home")
    assert verifies(stations[-1], keys)


def test_inside_one_registry_no_byte_passes_through_us(
    released: str, keys: Keys, fresh_repository: Callable[[], str]
) -> None:
    first, second = fresh_repository(), fresh_repository()
    copied(released, f"{first}:v1")
    words: list[str] = []
    copy.run(copy.Inputs(f"{first}:v1", f"{second}:v1"), Context(say=words.append))
    assert any(line.startswith("to mount: ") for line in words)
    assert not any(line.startswith("to send: ") for line in words)
    assert verifies(f"{second}:v1", keys)


def test_a_second_copy_moves_nothing(released: str, fake_registry: FakeRegistry) -> None:
    to = f"{fake_registry.address}/m:v1"
    first = copied(released, to)
    fake_registry.seen.clear()
    second = copied(released, to)
    assert (first.blobs, second.blobs, second.digest) == (9, 0, first.digest)
    assert fake_registry.requests("PUT", "/blobs/") == []


def test_without_a_tag_none_is_set(released: str, tmp_path: Path) -> None:
    outputs = copied(released, f"oci:{tmp_path}/away")
    away = open_store(Target.parse(f"oci:{tmp_path}/away"))
    assert away.tags() == ()
    assert away.manifest(Digest.parse(outputs.digest))


def test_what_does_not_verify_is_not_copied(released: str, other_keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="does not verify, so it was not copied"):
        copied(released, f"oci:{tmp_path}/away:v1", other_keys.public)
    assert not (tmp_path / "away").exists()


def test_a_damaged_blob_is_not_carried_on_and_no_tag_is_set(released: str, tmp_path: Path) -> None:
    home = open_store(Target.parse(released))
    layer = find(home, Target.parse(released))
    manifest = home.manifest(layer.digest)
    damaged = next(
        path for path in (tmp_path / "home/blobs/sha256").iterdir() if path.read_bytes() == b"# A tiny model\n"
    )
    damaged.write_bytes(b"# A tidy model\n")
    assert damaged.name.encode() in manifest
    with pytest.raises(IntegrityError):
        copied(released, f"oci:{tmp_path}/away:v1")
    assert open_store(Target.parse(f"oci:{tmp_path}/away")).tags() == ()


def test_what_hangs_on_evidence_comes_along(released: str, tmp_path: Path) -> None:
    home = open_store(Target.parse(released))
    subject = find(home, Target.parse(released))
    (first, *_) = home.referrers(subject.digest)
    home.attach(first, [referrer(home, first, "a countersignature")])
    fake = open_store(Target.parse(f"oci:{tmp_path}/away"))
    outputs = copied(released, f"oci:{tmp_path}/away:v1")
    assert outputs.referrers == 5
    assert [item.annotations["label"] for item in fake.referrers(first.digest)] == ["a countersignature"]


def test_by_digest_all_that_hangs_there_travels_into_one_folder(
    released: str, keys: Keys, tmp_path: Path, fresh_repository: Callable[[], str], fake_registry: FakeRegistry
) -> None:
    """Through a registry without the referrers API and one with it, after the tag went on to another model."""
    home = open_store(Target.parse(released))
    subject = find(home, Target.parse(released))
    (first, *_) = home.referrers(subject.digest)
    home.attach(first, [referrer(home, first, "a countersignature")])
    home.tag(put_model(home, b"another model"), "v1")
    source = f"oci:{tmp_path}/home"
    for station in (fresh_repository(), f"{fake_registry.address}/m", f"oci:{tmp_path}/away"):
        outputs = copied(f"{source}@{subject.digest}", station, keys.public)
        assert (outputs.digest, outputs.referrers, outputs.skipped) == (str(subject.digest), 5, ())
        source = station
    (tmp_path / "away").rename(tmp_path / "carried")
    shutil.rmtree(tmp_path / "home")
    carried = open_store(Target.parse(f"oci:{tmp_path}/carried"))
    assert verifies(f"oci:{tmp_path}/carried@{subject.digest}", keys)
    assert [item.annotations["label"] for item in carried.referrers(first.digest)] == ["a countersignature"]
    assert carried.tags() == ()


def test_a_referrer_that_cannot_be_read_is_named_and_left_behind(
    released: str, tmp_path: Path, fake_registry: FakeRegistry
) -> None:
    copied(released, f"{fake_registry.address}/m:v1")
    home = open_store(Target.parse(released))
    (lost, *_) = home.referrers(find(home, Target.parse(released)).digest)
    fake_registry.rules.append(Rule("GET", f"manifests/{lost.digest}", instead=Reply(404)))
    words: list[str] = []
    outputs = copy.run(copy.Inputs(f"{fake_registry.address}/m:v1", f"oci:{tmp_path}/away"), Context(say=words.append))
    assert outputs.referrers == 3
    assert [str(lost.digest) in reason for reason in outputs.skipped] == [True]
    assert any(line.startswith("warning: a referrer is not copied: ") for line in words)


def test_a_folder_on_a_disk_without_room_is_refused_before_a_byte_comes(
    tmp_path: Path, fake_registry: FakeRegistry
) -> None:
    """The registry says that it holds a layer larger than the disk; nothing asks for its bytes."""
    store = open_store(Target.parse(f"{fake_registry.address}/m"))
    large = Descriptor("a/b", Digest.of(b"large"), shutil.disk_usage(tmp_path).free + 10**9)
    manifest = Manifest(put_blob(store, b"{}"), (large,), KIND)
    store.tag(store.push_manifest(manifest.encode()), "v1")
    with pytest.raises(UnfinishedError, match=r"away has room for .*B, and .*B are to come"):
        copied(f"{fake_registry.address}/m:v1", f"oci:{tmp_path}/away:v1")
    assert fake_registry.requests("GET", "/blobs/") == []
    assert not (tmp_path / "away").exists()


def test_the_command_prints_the_reference(released: str, keys: Keys, tmp_path: Path) -> None:
    done = weighlock("copy", released, f"oci:{tmp_path}/away:v1", "--key", keys.public)
    assert done.code == 0, done.err
    assert done.out.startswith(f"oci:{tmp_path}/away@sha256:")
