"""A layout that is hostile, damaged, half written, full, or written to by many at once."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tools
from artifacts import content, opener, put_blob, put_model, referrer
from weighlock.errors import InputError, IntegrityError, MalformedError, NotFoundError, StoreError
from weighlock.oci import MANIFEST, REF_NAME, Descriptor, Digest, Manifest
from weighlock.store.layout import Layout

MARK = b'{"imageLayoutVersion":"1.0.0"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def blob_path(folder: Path, digest: Digest) -> Path:
    return folder / "blobs" / "sha256" / digest.hex


def write(layout: Layout) -> object:
    return put_blob(layout, b"x")


def index(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "index.json").read_bytes())
    return document


def test_a_release_leaves_the_files_of_the_specification_and_nothing_else(folder: Path) -> None:
    layout = Layout(folder)
    model = put_model(layout, b"one")
    layout.attach(model, [referrer(layout, model, "e")])
    layout.tag(model, "v1")
    assert (folder / "oci-layout").read_bytes() == MARK
    assert {path.name for path in folder.iterdir()} == {"oci-layout", "index.json", "blobs", "ingest"}
    assert list((folder / "ingest").iterdir()) == []
    for path in (folder / "blobs" / "sha256").iterdir():
        assert str(Digest.of(path.read_bytes())) == f"sha256:{path.name}"


def test_a_release_again_rewrites_nothing(folder: Path) -> None:
    def release() -> None:
        layout = Layout(folder)
        model = put_model(layout, b"one")
        layout.attach(model, [referrer(layout, model, "e")])
        layout.tag(model, "v1")

    def state() -> dict[str, tuple[int, int]]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}

    release()
    before = state()
    release()
    assert state() == before


@pytest.mark.parametrize("damage", [lambda data: data[:-1], bytes.swapcase, lambda data: b""])
def test_a_damaged_blob_is_replaced_by_pushing_it_again(folder: Path, damage: Callable[[bytes], bytes]) -> None:
    descriptor = put_blob(Layout(folder), b"layer")
    blob_path(folder, descriptor.digest).write_bytes(damage(b"layer"))
    with pytest.raises(IntegrityError):
        Layout(folder).examine(descriptor)
    assert Layout(folder).push_blob(descriptor, opener(b"layer")) is True
    assert content(Layout(folder), descriptor) == b"layer"


def test_a_damaged_manifest_is_replaced_by_pushing_it_again(folder: Path) -> None:
    model = put_model(Layout(folder), b"one")
    raw = Layout(folder).manifest(model.digest)
    blob_path(folder, model.digest).write_bytes(b"{}")
    Layout(folder).push_manifest(raw)
    assert Layout(folder).manifest(model.digest) == raw


def test_a_damaged_referrer_is_left_out_and_named_in_the_log(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    layout = Layout(folder)
    model = put_model(layout, b"one")
    good, bad, gone = layout.attach(model, [referrer(layout, model, label) for label in ("good", "bad", "gone")])
    blob_path(folder, bad.digest).write_bytes(b"{}")
    blob_path(folder, gone.digest).unlink()
    assert layout.referrers(model.digest) == (good,)
    assert str(bad.digest) in caplog.text


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_a_blob_that_is_no_plain_file_is_refused_and_replaced(folder: Path, tmp_path: Path, kind: str) -> None:
    descriptor = put_blob(Layout(folder), b"layer")
    path = blob_path(folder, descriptor.digest)
    path.unlink()
    outside = tmp_path / "outside"
    if kind == "link":
        outside.write_bytes(b"layer")
    if kind in {"link", "dangling"}:
        path.symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(IntegrityError, match="not a plain file"):
        content(Layout(folder), descriptor)
    with pytest.raises(IntegrityError, match="not a plain file"):
        Layout(folder).manifest(descriptor.digest)
    if kind != "folder":
        assert Layout(folder).push_blob(descriptor, opener(b"layer")) is True
        assert path.is_file()
        assert not path.is_symlink()
    assert not outside.exists() or outside.read_bytes() == b"layer"


@pytest.mark.parametrize("name", ["blobs", "ingest"])
def test_nothing_is_written_through_a_linked_folder(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside" / "sha256").mkdir(parents=True)
    folder.mkdir()
    (folder / name).symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="is a link"):
        put_blob(Layout(folder), b"layer")
    assert list((tmp_path / "outside" / "sha256").iterdir()) == []


@pytest.mark.parametrize("name", ["index.json", "oci-layout"])
def test_a_linked_index_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    layout = Layout(folder)
    layout.tag(put_model(layout, b"one"), "v1")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(StoreError, match=f"{name} .* cannot be read"):
        Layout(folder).resolve("v1")


def test_a_manifest_larger_than_any_registry_takes_is_not_read(folder: Path) -> None:
    descriptor = put_blob(Layout(folder), b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(IntegrityError, match="too large"):
        Layout(folder).manifest(descriptor.digest)


@pytest.mark.parametrize("written", [b"", b"{", b'{"schemaVersion":2,"manif', b"\xff\xfe", b"null"])
def test_a_broken_index_is_a_clear_error_and_stays_as_it_is(folder: Path, written: bytes) -> None:
    layout = Layout(folder)
    model = put_model(layout, b"one")
    layout.tag(model, "v1")
    (folder / "index.json").write_bytes(written)
    with pytest.raises(MalformedError, match=r"index\.json of oci:.*") as caught:
        Layout(folder).resolve("v1")
    assert "Restore" in caught.value.remedy
    with pytest.raises(MalformedError):
        Layout(folder).tag(model, "v2")
    assert (folder / "index.json").read_bytes() == written


def test_a_folder_with_other_files_is_not_taken_over(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    for use in (Layout.tags, write):
        with pytest.raises(InputError, match="no OCI layout") as caught:
            use(Layout(folder))
        assert "empty folder" in caught.value.remedy
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_layout(folder: Path) -> None:
    folder.write_text("mine")
    for use in (Layout.tags, write):
        with pytest.raises(InputError, match="is a file"):
            use(Layout(folder))


@pytest.mark.parametrize("mark", [b'{"imageLayoutVersion":"2.0.0"}', b'{"imageLayoutVersion":1}', b"[]", b"oci"])
def test_a_layout_of_an_unknown_version_is_refused(folder: Path, mark: bytes) -> None:
    folder.mkdir()
    (folder / "oci-layout").write_bytes(mark)
    with pytest.raises((InputError, MalformedError)):
        Layout(folder).resolve("v1")
    with pytest.raises((InputError, MalformedError)):
        put_blob(Layout(folder), b"x")


def test_a_layout_may_hold_files_of_others(folder: Path) -> None:
    put_model(Layout(folder), b"one")
    (folder / "README").write_text("a layout")
    layout = Layout(folder)
    layout.tag(put_model(layout, b"two"), "v1")
    assert Layout(folder).tags() == ("v1",)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"oci-layout": b""},
        {"oci-layout": MARK[:9]},
        {"oci-layout": MARK},
        {"blobs/sha256/00": b"", "ingest/weighlock-1": b"half"},
        {"oci-layout": MARK[:9], "ingest/weighlock-1": b"half"},
    ],
)
def test_a_half_written_layout_holds_nothing_and_is_finished_by_the_next_writer(
    folder: Path, files: dict[str, bytes]
) -> None:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    layout = Layout(folder)
    assert layout.resolve("v1") is None
    with pytest.raises(NotFoundError):
        layout.manifest(Digest.of(b"x"))
    layout.tag(put_model(layout, b"one"), "v1")
    assert (folder / "oci-layout").read_bytes() == MARK
    assert Layout(folder).tags() == ("v1",)
    assert list((folder / "ingest").iterdir()) == []


KILLED = """
import io, os, signal, sys
from pathlib import Path
from weighlock.oci import Descriptor, Digest
from weighlock.store.layout import Layout

class Killer(io.BytesIO):
    def read(self, size=-1):
        if self.tell():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(5)

Layout(Path(sys.argv[1])).push_blob(Descriptor.of(b"0123456789", "a/b"), lambda: Killer(b"0123456789"))
"""


def test_what_a_killed_writer_leaves_is_no_blob_and_is_cleared_away(folder: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder)], env=environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((folder / "ingest").iterdir())) == 1
    descriptor = Descriptor.of(b"0123456789", "a/b")
    with pytest.raises(NotFoundError):
        Layout(folder).examine(descriptor)
    assert Layout(folder).push_blob(descriptor, opener(b"0123456789")) is True
    assert list((folder / "ingest").iterdir()) == []


def test_a_writer_at_work_keeps_its_unfinished_file_and_other_programs_keep_theirs(folder: Path) -> None:
    data = b"0123456789"
    put_blob(Layout(folder), b"make the layout")
    (folder / "ingest" / "oras_oci_1").write_bytes(b"half")

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            put_blob(Layout(folder), b"another writer, beginning %d" % self.tell())
            return super().read(5)

    assert Layout(folder).push_blob(Descriptor.of(data, "a/b"), lambda: Slow(data)) is True
    assert content(Layout(folder), Descriptor.of(data, "a/b")) == data
    assert [path.name for path in (folder / "ingest").iterdir()] == ["oras_oci_1"]


FULL = """
import io, resource, signal, sys
from pathlib import Path
from weighlock.errors import StoreError
from weighlock.oci import Descriptor
from weighlock.store.layout import Layout

layout = Layout(Path(sys.argv[1]))
small, large = b"x" * 1000, b"x" * 100_000
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
layout.push_blob(Descriptor.of(small, "a/b"), lambda: io.BytesIO(small))
try:
    layout.push_blob(Descriptor.of(large, "a/b"), lambda: io.BytesIO(large))
except StoreError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_that_leaves_nothing_half_written(folder: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], env=environ, check=True, capture_output=True, text=True
    )
    assert "could not be written" in run.stdout
    assert "Make room" in run.stdout
    assert list((folder / "ingest").iterdir()) == []
    assert [path.stat().st_size for path in (folder / "blobs" / "sha256").iterdir()] == [1000]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error(folder: Path) -> None:
    put_blob(Layout(folder), b"one")
    (folder / "ingest").chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        put_blob(Layout(folder), b"two")


def write_much(folder: str, writer: int) -> None:
    """Tag and attach ten times; runs in a process of its own."""
    for turn in range(10):
        layout = Layout(Path(folder))
        model = put_model(layout, b"shared")
        layout.attach(model, [referrer(layout, model, f"{writer}-{turn}")])
        layout.tag(put_model(layout, b"%d" % writer), f"w{writer}-{turn}")


def test_writers_at_the_same_time_lose_nothing(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_much, args=(str(folder), number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    layout = Layout(folder)
    wanted = {f"{writer}-{turn}" for writer in range(4) for turn in range(10)}
    assert set(layout.tags()) == {f"w{name}" for name in wanted}
    shared = put_model(layout, b"shared")
    assert {found.annotations["label"] for found in layout.referrers(shared.digest)} == wanted
    assert list((folder / "ingest").iterdir()) == []


def test_threads_with_one_store_lose_nothing(folder: Path) -> None:
    layout = Layout(folder)
    models = [put_model(layout, b"%d" % number) for number in range(8)]
    threads = [threading.Thread(target=layout.tag, args=(model, f"t{n}")) for n, model in enumerate(models)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert layout.tags() == tuple(f"t{number}" for number in range(8))


def test_an_annotation_of_a_referrer_does_not_become_a_tag(folder: Path) -> None:
    layout = Layout(folder)
    model = put_model(layout, b"one")
    layout.tag(model, "v1")
    hostile = Manifest(put_blob(layout, b"{}"), (), "a/b", model, {REF_NAME: "v1"}).encode()
    layout.attach(model, [hostile])
    assert layout.resolve("v1") == model
    assert layout.tags() == ("v1",)


def test_entries_of_others_are_kept_as_they_came(folder: Path) -> None:
    layout = Layout(folder)
    model = put_model(layout, b"one")
    foreign = {"mediaType": MANIFEST, "digest": str(Digest.of(b"x")), "size": 1, "platform": {"os": "x"}, "later": 1}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [foreign], "later": [2]}))
    layout.tag(model, "v1")
    layout.attach(model, [referrer(layout, model, "e")])
    assert foreign in index(folder)["manifests"]
    assert index(folder)["later"] == [2]


def test_skopeo_carries_an_artifact_between_layout_and_registry_with_its_digest(
    folder: Path, tmp_path: Path, fresh_repository: Callable[[], str]
) -> None:
    tools.require("skopeo")
    layout = Layout(folder)
    model = put_model(layout, b"weights", b"", b"{ }")
    layout.tag(model, "v1")
    remote = f"docker://{fresh_repository()}:v1"
    for source, target in ((f"oci:{folder}:v1", remote), (remote, f"oci:{tmp_path}/back:v1")):
        insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        subprocess.run(["skopeo", "copy", *insecure, source, target], check=True, capture_output=True)
    back = Layout(tmp_path / "back")
    found = back.resolve("v1")
    assert found is not None
    assert found.digest == model.digest
    assert back.manifest(found.digest) == layout.manifest(model.digest)
