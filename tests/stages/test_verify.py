"""Verify and pull against an attacker who owns the store: what is touched, swapped or hung on is seen."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from commands import Keys, weighlock
from fake_registry import FakeRegistry
from weighlock import evidence
from weighlock.errors import InputError, NotFoundError, RefusedError
from weighlock.evidence import PREDICATE_TYPE, push_bytes
from weighlock.intoto import Statement, Subject
from weighlock.oci import EMPTY_BYTES, EMPTY_DESCRIPTOR, Descriptor, Digest, Manifest
from weighlock.predicates import PROVENANCE, SIGNATURE, TEST_RESULT
from weighlock.signing import BUNDLE
from weighlock.signing.key import KeySigner
from weighlock.stages import Context, copy, inspect, pull, release, verify
from weighlock.store.targets import Target, open_store


@dataclasses.dataclass(frozen=True)
class Released:
    """A release in a layout, and ways to look at it and to harm it."""

    folder: Path
    digest: Digest
    keys: Keys

    @property
    def target(self) -> str:
        return f"oci:{self.folder}:v1"

    def blob(self, digest: Digest) -> Path:
        return self.folder / "blobs" / "sha256" / digest.hex

    def manifest(self) -> Manifest:
        return Manifest.parse(self.blob(self.digest).read_bytes())

    def descriptor(self) -> Descriptor:
        return self.manifest().descriptor(self.blob(self.digest).read_bytes())

    def verify(self) -> verify.Outputs:
        return verify.run(verify.Inputs(self.target, key=self.keys.public), Context())

    def failed(self) -> list[str]:
        return [check.name for check in self.verify().verification.checks if not check.ok]

    def referrers(self) -> dict[str, Digest]:
        store = open_store(Target.parse(self.target))
        return {item.annotations[PREDICATE_TYPE]: item.digest for item in store.referrers(self.digest)}

    def edit_index(self, edit: Any) -> None:
        index = self.folder / "index.json"
        document = json.loads(index.read_text())
        document["manifests"] = edit(document["manifests"])
        index.write_text(json.dumps(document))


@pytest.fixture
def released(model: Path, keys: Keys, tmp_path: Path) -> Released:
    folder = tmp_path / "out"
    outputs = release.run(release.Inputs(model, f"oci:{folder}:v1", key=keys.private), Context())
    assert outputs.passed
    return Released(folder, Digest.parse(outputs.digest), keys)


def test_an_untouched_release_passes_and_says_what_was_enforced(released: Released) -> None:
    outputs = released.verify()
    assert outputs.passed
    assert KeySigner.load(released.keys.private, None).identity in outputs.text()
    numbers = [int(line[:2]) for line in outputs.text().splitlines() if line[:2].strip().isdigit()]
    assert numbers == list(range(1, len(outputs.verification.checks) + 1))


def test_one_flipped_byte_of_a_layer_is_named(released: Released) -> None:
    layer = next(item for item in released.manifest().layers if "safetensors" in str(item.annotations))
    data = bytearray(released.blob(layer.digest).read_bytes())
    data[-1] ^= 1
    released.blob(layer.digest).write_bytes(data)
    outputs = released.verify()
    assert released.failed() == ["content"]
    assert "model.safetensors" in outputs.text()


@pytest.mark.parametrize("harm", ["cut", "longer", "missing", "a link out"])
def test_a_blob_that_is_not_as_described_fails(released: Released, harm: str, tmp_path: Path) -> None:
    place = released.blob(released.manifest().layers[0].digest)
    data = place.read_bytes()
    place.unlink()
    if harm == "a link out":
        (tmp_path / "same").write_bytes(data)
        place.symlink_to(tmp_path / "same")
    elif harm != "missing":
        place.write_bytes(data[:-1] if harm == "cut" else data + b"!")
    assert released.failed() == ["content"]


def test_a_manifest_that_is_not_its_digest_fails_and_nothing_else_is_read(released: Released) -> None:
    place = released.blob(released.digest)
    place.write_bytes(place.read_bytes().replace(b'"typeflag', b'"typeflaG'))
    assert released.failed() == ["manifest"]


@pytest.mark.parametrize(
    ("predicate_type", "failed"),
    [(SIGNATURE, ["signature"]), (PROVENANCE, ["provenance"]), (TEST_RESULT, ["scan", "closure"])],
)
def test_evidence_that_was_taken_away_is_missed(released: Released, predicate_type: str, failed: list[str]) -> None:
    gone = str(released.referrers()[predicate_type])
    released.edit_index(lambda entries: [entry for entry in entries if entry["digest"] != gone])
    assert released.failed() == failed


def test_another_key_proves_nothing(released: Released, other_keys: Keys) -> None:
    outputs = verify.run(verify.Inputs(released.target, key=other_keys.public), Context())
    assert not outputs.passed
    assert all("another key" in item.reason for item in outputs.verification.collected.ignored)
    assert len(outputs.verification.collected.ignored) == 4


def test_evidence_by_somebody_else_is_ignored_and_reported(released: Released) -> None:
    store = open_store(Target.parse(released.target))
    statement = Statement((Subject("m", released.digest),), "https://example.org/praise", {"score": 11})
    evidence.attach(store, released.descriptor(), [statement], KeySigner.generate(), created="2026-01-01T00:00:00Z")
    outputs = released.verify()
    assert outputs.passed
    assert "ignored" in outputs.text()
    assert len(outputs.verification.collected.ignored) == 1


def hang(released: Released, data: bytes, **changes: Any) -> None:
    """Hang a referrer with this content on the release, as an attacker may."""
    store = open_store(Target.parse(released.target))
    layer = Descriptor.of(data, BUNDLE)
    push_bytes(store, layer, data)
    push_bytes(store, EMPTY_DESCRIPTOR, EMPTY_BYTES)
    manifest = Manifest(EMPTY_DESCRIPTOR, (layer,), BUNDLE, released.descriptor())
    store.attach(released.descriptor(), [dataclasses.replace(manifest, **changes).encode()])


def test_a_referrer_of_any_shape_cannot_break_the_verification(released: Released) -> None:
    bundle = Descriptor.of(b"{}", BUNDLE)
    hang(released, b"not json")
    hang(released, b"[]")
    hang(released, b"{}", layers=())
    hang(released, b"{}", layers=(bundle, bundle))
    hang(released, b"{}", layers=(dataclasses.replace(bundle, size=2**50),))
    hang(released, b"{}", layers=(Descriptor(BUNDLE, Digest.of(b"nowhere"), 7),))
    hang(released, b"{}", layers=(dataclasses.replace(bundle, media_type="text/plain"),))
    outputs = released.verify()
    assert outputs.passed
    assert len(outputs.verification.collected.ignored) == 7


def test_a_bundle_under_another_type_is_no_evidence_wherever_it_hangs(
    released: Released, keys: Keys, fake_registry: FakeRegistry
) -> None:
    """What a registry that was asked for bundles leaves out does not count where one lists it."""
    signature = released.referrers()[SIGNATURE]
    manifest = Manifest.parse(released.blob(signature).read_bytes())
    released.edit_index(lambda entries: [entry for entry in entries if entry["digest"] != str(signature)])
    disguised = dataclasses.replace(manifest, artifact_type="application/x\x1b[2J\n::error::").encode()
    open_store(Target.parse(released.target)).attach(released.descriptor(), [disguised])
    fake_registry.referrers_api = False
    copy.run(copy.Inputs(released.target, f"{fake_registry.address}/m:v1"), Context())
    outputs = [
        released.verify(),
        verify.run(verify.Inputs(f"{fake_registry.address}/m:v1", key=keys.public), Context()),
    ]
    assert [len(one.verification.collected.ignored) for one in outputs] == [0, 1]
    for one in outputs:
        assert [check.name for check in one.verification.checks if not check.ok] == ["signature"]
        assert "\x1b" not in one.text()
        assert "\n::" not in one.text()


def test_a_bundle_of_another_subject_does_not_count(released: Released, model: Path, keys: Keys) -> None:
    """A good bundle is moved from one model to another: the signature holds, the subject does not."""
    gone = released.referrers()[SIGNATURE]
    bundle = Manifest.parse(released.blob(gone).read_bytes()).layers[0]
    moved = released.blob(bundle.digest).read_bytes()
    (model / "README.md").write_text("# Another model\n")
    outputs = release.run(release.Inputs(model, f"oci:{released.folder}:v2", key=keys.private), Context())
    other = Released(released.folder, Digest.parse(outputs.digest), keys)
    signature = str(other.referrers()[SIGNATURE])
    other.edit_index(lambda entries: [entry for entry in entries if entry["digest"] != signature])
    hang(other, moved)
    second = verify.run(verify.Inputs(f"oci:{released.folder}:v2", key=keys.public), Context())
    assert [check.name for check in second.verification.checks if not check.ok] == ["signature"]


def test_a_manifest_of_an_unknown_kind_is_refused(released: Released) -> None:
    store = open_store(Target.parse(released.target))
    strange = released.blob(released.digest).read_bytes().replace(b"weight.config.v1.raw", b"weight.config.v1.tar")
    store.tag(store.push_manifest(strange), "strange")
    outputs = verify.run(verify.Inputs(f"oci:{released.folder}:strange", key=released.keys.public), Context())
    assert not outputs.passed
    assert "unknown media type" in outputs.text()


def test_the_tag_is_set_only_when_the_verdict_is_pass(released: Released, other_keys: Keys) -> None:
    at = f"oci:{released.folder}@{released.digest}"
    assert not verify.run(verify.Inputs(at, key=other_keys.public, tag="blessed"), Context()).passed
    with pytest.raises(NotFoundError):
        verify.run(verify.Inputs(f"oci:{released.folder}:blessed", key=released.keys.public), Context())
    assert verify.run(verify.Inputs(at, key=released.keys.public, tag="blessed"), Context()).passed
    assert verify.run(verify.Inputs(f"oci:{released.folder}:blessed", key=released.keys.public), Context()).passed


@pytest.mark.parametrize("tag", ["../v1", "a b", "v1@sha256:0", "x" * 129, "v1/../v2"])
def test_what_is_no_tag_is_not_set(released: Released, tag: str) -> None:
    with pytest.raises(InputError, match="is not a tag"):
        verify.run(verify.Inputs(released.target, key=released.keys.public, tag=tag), Context())


def test_without_a_pinned_identity_there_is_no_verification(released: Released) -> None:
    with pytest.raises(InputError, match="no identity is pinned"):
        verify.run(verify.Inputs(released.target), Context())


def test_exit_codes_and_json_on_the_command_line(released: Released, other_keys: Keys) -> None:
    good = weighlock("verify", released.target, "--key", released.keys.public, "--json")
    assert good.code == 0
    assert set(good.json) >= {"verdict", "digest", "checks"}
    assert all(set(item) == {"name", "ok", "reason"} for item in good.json["checks"])
    bad = weighlock("verify", released.target, "--key", other_keys.public, "--json")
    assert bad.code == 1
    assert bad.json["verdict"] == "fail"


def pulled(released: Released, directory: Path) -> pull.Outputs:
    return pull.run(pull.Inputs(released.target, directory, key=released.keys.public), Context())


def test_a_pull_gives_the_files_back(released: Released, model: Path, tmp_path: Path) -> None:
    (model / "run.sh").write_text("#!/bin/sh\n")
    assert pulled(released, tmp_path / "new" / "there").passed
    names = sorted(path.name for path in (tmp_path / "new" / "there").iterdir())
    assert names == ["README.md", "config.json", "model.safetensors"]
    for name in names:
        assert (tmp_path / "new" / "there" / name).read_bytes() == (model / name).read_bytes()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["there"], "nothing temporary is left"


def test_a_pull_into_the_same_files_changes_nothing(released: Released, tmp_path: Path) -> None:
    pulled(released, tmp_path / "there")
    before = (tmp_path / "there").stat().st_ino
    assert pulled(released, tmp_path / "there").passed
    assert (tmp_path / "there").stat().st_ino == before


@pytest.mark.parametrize("content", ["another file", "a changed file", "a file", "a link"])
def test_a_folder_that_differs_is_never_merged(released: Released, tmp_path: Path, content: str) -> None:
    there = tmp_path / "there"
    if content == "a file":
        there.write_text("")
    elif content == "a link":
        (tmp_path / "elsewhere").mkdir()
        there.symlink_to("elsewhere")
    else:
        pulled(released, there)
        (there / ("more" if content == "another file" else "README.md")).write_text("mine")
    with pytest.raises(InputError):
        pulled(released, there)
    if there.is_dir() and not there.is_symlink():
        assert (there / ("more" if content == "another file" else "README.md")).read_text() == "mine"


def test_an_empty_folder_is_a_place_to_pull_to(released: Released, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert pulled(released, tmp_path / "there").passed
    assert (tmp_path / "there" / "README.md").exists()


def test_what_does_not_verify_is_not_written(released: Released, other_keys: Keys, tmp_path: Path) -> None:
    outputs = pull.run(pull.Inputs(released.target, tmp_path / "there", key=other_keys.public), Context())
    assert not outputs.passed
    assert not (tmp_path / "there").exists()
    assert "nothing was written" in outputs.text()


def test_content_that_changes_after_the_verification_is_not_written(released: Released, tmp_path: Path) -> None:
    """The store answers honestly while it is verified and lies when the files are fetched."""
    layer = released.manifest().layers[-1]

    def lie(words: str) -> None:
        if words.startswith("writing"):
            released.blob(layer.digest).write_bytes(b"evil")

    with pytest.raises(RefusedError):
        pull.run(pull.Inputs(released.target, tmp_path / "there", key=released.keys.public), Context(say=lie))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "tiny"]


def test_the_executable_bit_comes_back_and_no_other(model: Path, keys: Keys, tmp_path: Path) -> None:
    (model / "README.md").chmod(0o4775)
    release.run(release.Inputs(model, f"oci:{tmp_path}/o:v1", key=keys.private), Context())
    pull.run(pull.Inputs(f"oci:{tmp_path}/o:v1", tmp_path / "there", key=keys.public), Context())
    modes = {path.name: oct(path.stat().st_mode & 0o7777) for path in (tmp_path / "there").iterdir()}
    assert modes == {"README.md": "0o755", "config.json": "0o644", "model.safetensors": "0o644"}


def test_a_pull_that_was_killed_leaves_nothing_in_the_way(released: Released, tmp_path: Path) -> None:
    for digest in (released.digest.hex[:12], "0123456789ab"):
        rest = tmp_path / f".there.{digest}.partial"
        rest.mkdir()
        (rest / "half").write_text("x")
    assert pulled(released, tmp_path / "there").passed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "there", "tiny"]
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_a_pull_that_was_killed_is_taken_up(released: Released, tmp_path: Path) -> None:
    layer = max(released.manifest().layers, key=lambda layer: layer.size)
    rest = tmp_path / f".there.{released.digest.hex[:12]}.partial"
    rest.mkdir()
    (rest / layer.digest.hex).write_bytes(released.blob(layer.digest).read_bytes()[:7])
    taken = (rest / layer.digest.hex).stat().st_ino
    assert pulled(released, tmp_path / "there").passed
    assert taken in {path.stat().st_ino for path in (tmp_path / "there").iterdir()}


def test_equal_files_come_back_as_files_of_their_own(model: Path, keys: Keys, tmp_path: Path) -> None:
    (model / "sub").mkdir()
    (model / "sub" / "same.md").write_bytes((model / "README.md").read_bytes())
    release.run(release.Inputs(model, f"oci:{tmp_path}/o:v1", key=keys.private), Context())
    pull.run(pull.Inputs(f"oci:{tmp_path}/o:v1", tmp_path / "there", key=keys.public), Context())
    one, other = tmp_path / "there" / "README.md", tmp_path / "there" / "sub" / "same.md"
    assert one.read_bytes() == other.read_bytes()
    assert not one.samefile(other)


def test_inspect_shows_what_hangs_there_without_judging(released: Released, other_keys: Keys) -> None:
    plain = inspect.run(inspect.Inputs(released.target), Context())
    assert plain.digest == str(released.digest)
    assert [item.signed for item in plain.referrers] == [None] * 4
    known = inspect.run(inspect.Inputs(released.target, key=released.keys.public), Context())
    assert [item.signed for item in known.referrers] == [True] * 4
    unknown = inspect.run(inspect.Inputs(released.target, key=other_keys.public), Context())
    assert [item.signed for item in unknown.referrers] == [False] * 4
    assert "model.safetensors" in plain.text()
    assert {item["predicateType"] for item in plain.data()["referrers"]} == set(released.referrers())


def test_a_layout_can_be_carried_to_another_machine(released: Released, tmp_path: Path) -> None:
    shutil.copytree(released.folder, tmp_path / "usb")
    moved = verify.run(verify.Inputs(f"oci:{tmp_path}/usb:v1", key=released.keys.public), Context())
    assert moved.passed
