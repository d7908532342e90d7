"""Plans: what a dry run says and does not do, what an unchanged release does not send, what is known too early to fail late."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands import Keys
from fake_registry import FakeRegistry, Reply, Rule
from weighlock.errors import InputError, StoreError, UnfinishedError
from weighlock.stages import Context, package, release

UPLOADS = "/blobs/uploads/"


@pytest.fixture
def words() -> list[str]:
    return []


@pytest.fixture
def context(words: list[str]) -> Context:
    return Context(environ={}, say=words.append)


def wrote(fake: FakeRegistry) -> list[str]:
    return [seen.method for seen in fake.seen if seen.method not in {"GET", "HEAD"}]


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(
    fake_registry: FakeRegistry, model: Path, keys: Keys, context: Context, words: list[str]
) -> None:
    inputs = release.Inputs(model, f"{fake_registry.address}/m:v1", key=keys.private, dry_run=True)
    planned = release.run(inputs, context)
    assert planned.passed
    assert "to send: 4 blobs" in "\n".join(words)
    assert planned.text().endswith("nothing was written\n")
    assert {move["move"] for move in planned.data()["plan"]} == {"send"}
    assert wrote(fake_registry) == []
    real = release.run(replace(inputs, dry_run=False), context)
    assert real.digest == planned.digest
    again = release.run(inputs, context)
    assert {move["move"] for move in again.data()["plan"]} == {"present"}


def test_a_dry_run_of_what_the_gate_refuses_is_refused(
    fake_registry: FakeRegistry, model: Path, keys: Keys, context: Context
) -> None:
    (model / "mystery").write_bytes(bytes(range(256)))
    inputs = release.Inputs(model, f"{fake_registry.address}/m:v1", key=keys.private, dry_run=True)
    assert not release.run(inputs, context).passed


def test_an_unchanged_release_sends_no_blob(
    fake_registry: FakeRegistry, model: Path, keys: Keys, context: Context
) -> None:
    inputs = release.Inputs(model, f"{fake_registry.address}/m:v1", key=keys.private)
    first = release.run(inputs, context)
    fake_registry.seen.clear()
    assert release.run(inputs, context) == replace(first, sealed=replace(first.sealed, added=0, moved=False))
    assert fake_registry.requests("PUT", "/blobs/") == []
    assert fake_registry.requests("PATCH") == []
    begun, cancelled = fake_registry.requests("POST", UPLOADS), fake_registry.requests("DELETE", UPLOADS)
    assert (len(begun), len(cancelled)) == (1, 1), "the one question whether it may write"


def test_a_changed_file_is_all_that_is_sent(fake_registry: FakeRegistry, model: Path, context: Context) -> None:
    inputs = package.Inputs(model, f"{fake_registry.address}/m")
    package.run(inputs, context)
    (model / "README.md").write_text("# Another model\n")
    fake_registry.seen.clear()
    package.run(inputs, context)
    sent = {seen.body for seen in fake_registry.requests("PUT", UPLOADS)}
    assert b"# Another model\n" in sent
    assert len(sent) == 2, "the file and the config"


def test_a_registry_that_may_not_be_written_to_is_known_before_a_blob_is_sent(
    fake_registry: FakeRegistry, model: Path, keys: Keys, context: Context
) -> None:
    fake_registry.rules.append(Rule("POST", UPLOADS, instead=Reply(403)))
    with pytest.raises(StoreError, match="403"):
        release.run(release.Inputs(model, f"{fake_registry.address}/m:v1", key=keys.private), context)
    assert len(fake_registry.requests("POST", UPLOADS)) == 1


def test_a_refused_model_is_no_reason_to_begin_an_upload(
    fake_registry: FakeRegistry, model: Path, keys: Keys, context: Context
) -> None:
    (model / "mystery").write_bytes(bytes(range(256)))
    outputs = release.run(release.Inputs(model, f"{fake_registry.address}/m:v1", key=keys.private), context)
    assert not outputs.passed
    assert {seen.method for seen in fake_registry.seen} <= {"GET", "HEAD"}


def test_a_file_too_large_for_github_is_refused_before_anybody_is_asked(
    model: Path, keys: Keys, context: Context
) -> None:
    with (model / "huge.safetensors").open("wb") as stream:
        stream.truncate(11_000_000_000)
    with pytest.raises(InputError, match=r"'huge\.safetensors' has 11\.0 GB"):
        release.run(release.Inputs(model, "ghcr.io/acme/m:v1", key=keys.private), context)


@pytest.mark.parametrize("stage", [package, release])
def test_a_layout_on_a_disk_without_room_is_refused_before_a_byte_is_read(
    model: Path, keys: Keys, context: Context, tmp_path: Path, stage: Any
) -> None:
    with (model / "model.safetensors").open("wb") as stream:
        stream.truncate(shutil.disk_usage(tmp_path).free + 10**9)
    signer = {"key": keys.private} if stage is release else {}
    with pytest.raises(UnfinishedError, match=r"out has room for .*B, and .*B are to come"):
        stage.run(stage.Inputs(model, f"oci:{tmp_path}/out:v1", **signer), context)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("origin", ["other.example/m", "oci:out"])
def test_files_are_mounted_from_the_same_registry_only(model: Path, context: Context, origin: str) -> None:
    with pytest.raises(InputError, match="not in the registry of"):
        package.run(package.Inputs(model, "registry.example/m", mount_from=origin), context)
