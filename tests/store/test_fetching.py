"""Fetching into a folder: going on where a killed run stopped, and healing what it left wrong."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts import put_blob
from clock import Clock
from fake_registry import FakeRegistry, Reply, Rule
from weighlock.errors import IntegrityError, NotFoundError, RefusedError, StoreError, UnfinishedError
from weighlock.oci import Descriptor
from weighlock.store.fetching import fetch, workplace
from weighlock.store.layout import Layout
from weighlock.store.progress import Display
from weighlock.store.registry import Registry, open_registry
from weighlock.store.targets import Repository

SILENT = Display(lambda _: None)
DATA = b"0123456789"
BLOB = Descriptor.of(DATA, "application/octet-stream")
BLOBS = "/blobs/sha256:"


@pytest.fixture
def registry(fake_registry: FakeRegistry) -> Registry:
    repository = Repository(fake_registry.address, "m")
    store = open_registry(repository, plain_http=False, environ={}, retries=Clock().retries())
    put_blob(store, DATA)
    fake_registry.seen.clear()
    return store


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    with workplace(tmp_path / "work") as folder:
        yield folder


def ranges(fake: FakeRegistry) -> list[str | None]:
    return [seen.headers.get("range") for seen in fake.requests("GET", BLOBS)]


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        (b"", [None]),
        (b"0123", ["bytes=4-9"]),
        (b"012345678", ["bytes=9-9"]),
        (DATA, []),
        (b"9876", ["bytes=4-9", None]),
        (b"9876543210", [None]),
        (b"0123456789 and more", [None]),
    ],
    ids=["nothing", "a beginning", "all but one", "all", "a wrong beginning", "something wrong", "too much"],
)
def test_what_an_earlier_run_left_is_used_or_healed(
    registry: Registry, fake_registry: FakeRegistry, work: Path, left: bytes, asked: list[str | None]
) -> None:
    (work / BLOB.digest.hex).write_bytes(left)
    fetch(registry, [BLOB], work, SILENT)
    assert (work / BLOB.digest.hex).read_bytes() == DATA
    assert ranges(fake_registry) == asked


def test_a_layout_is_read_from_where_the_file_ends(tmp_path: Path, work: Path) -> None:
    data = secrets.token_bytes(3_000_000)
    layout = Layout(tmp_path / "out")
    blob = put_blob(layout, data)
    (work / blob.digest.hex).write_bytes(data[:1_500_000])
    fetch(layout, [blob], work, SILENT)
    assert (work / blob.digest.hex).read_bytes() == data


def test_equal_blobs_are_fetched_once(registry: Registry, fake_registry: FakeRegistry, work: Path) -> None:
    fetch(registry, [BLOB, BLOB], work, SILENT)
    assert len(fake_registry.requests("GET", BLOBS)) == 1


def test_a_download_that_fails_leaves_what_came_for_the_next_run(
    registry: Registry, fake_registry: FakeRegistry, tmp_path: Path
) -> None:
    fake_registry.rules += [
        Rule("GET", BLOBS, change=lambda reply: replace(reply, cut=6), times=1),
        Rule("GET", BLOBS, instead=Reply(400), times=1),
    ]
    with pytest.raises(StoreError, match="400"), workplace(tmp_path / "w") as folder:
        fetch(registry, [BLOB], folder, SILENT)
    assert (tmp_path / "w" / BLOB.digest.hex).read_bytes() == b"012345"
    with workplace(tmp_path / "w") as folder:
        fetch(registry, [BLOB], folder, SILENT)
        assert (folder / BLOB.digest.hex).read_bytes() == DATA
    assert ranges(fake_registry) == [None, "bytes=6-9", "bytes=6-9"]
    assert not (tmp_path / "w").exists()


def test_a_download_of_other_bytes_is_refused_and_leaves_nothing(
    registry: Registry, fake_registry: FakeRegistry, tmp_path: Path
) -> None:
    fake_registry.blobs[str(BLOB.digest)] = DATA[::-1]
    with pytest.raises(IntegrityError, match="holds other bytes"), workplace(tmp_path / "w") as folder:
        fetch(registry, [BLOB], folder, SILENT)
    assert not (tmp_path / "w").exists()


def test_a_blob_that_lost_its_end_is_refused(registry: Registry, fake_registry: FakeRegistry, work: Path) -> None:
    (work / BLOB.digest.hex).write_bytes(b"0123456")
    fake_registry.blobs[str(BLOB.digest)] = b"01234"
    fake_registry.rules.append(
        Rule("GET", BLOBS, instead=Reply(416, {"Content-Length": "10"}, b"short", cut=5), times=1)
    )
    with pytest.raises(IntegrityError, match="has 5 bytes, described are 10"):
        fetch(registry, [BLOB], work, SILENT)


def test_a_registry_that_has_no_ranges_is_read_from_the_start(
    registry: Registry, fake_registry: FakeRegistry, work: Path
) -> None:
    (work / BLOB.digest.hex).write_bytes(b"0123")
    fake_registry.rules.append(Rule("GET", BLOBS, instead=Reply(200, {}, DATA)))
    fetch(registry, [BLOB], work, SILENT)
    assert (work / BLOB.digest.hex).read_bytes() == DATA


def test_a_link_in_the_place_of_a_file_is_not_followed(registry: Registry, tmp_path: Path, work: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (work / BLOB.digest.hex).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        fetch(registry, [BLOB], work, SILENT)
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_disk_without_room_is_said_before_a_byte_comes(
    registry: Registry, fake_registry: FakeRegistry, work: Path
) -> None:
    (work / BLOB.digest.hex).write_bytes(b"0123")
    with pytest.raises(UnfinishedError, match="has room for 5 B, and 6 B are to come"):
        fetch(registry, [BLOB], work, SILENT, free=lambda _: 5)
    assert fake_registry.seen == []
    fetch(registry, [BLOB], work, SILENT, free=lambda _: 6)


def test_two_runs_do_not_write_to_one_place(tmp_path: Path) -> None:
    with workplace(tmp_path / "w"), pytest.raises(UnfinishedError, match="another run"), workplace(tmp_path / "w"):
        pass


def begun_by(mode: int) -> Callable[[Path], None]:
    def begin(folder: Path) -> None:
        folder.mkdir()
        folder.chmod(mode)
        (folder / "planted").write_text("x")

    return begin


@pytest.mark.parametrize(
    ("begin", "kept"),
    [
        (begun_by(0o700), True),
        (begun_by(0o770), False),
        (begun_by(0o702), False),
        (lambda folder: folder.write_text("x"), False),
        (lambda folder: folder.symlink_to(folder.parent / "elsewhere"), False),
    ],
    ids=["ours", "the group's", "everybody's", "a file", "a link"],
)
def test_a_place_that_others_could_write_to_is_begun_anew(
    tmp_path: Path, begin: Callable[[Path], object], kept: bool
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "planted").write_text("x")
    begin(tmp_path / "w")
    with workplace(tmp_path / "w") as folder:
        assert (folder / "planted").exists() is kept
        assert not folder.is_symlink()
        assert kept or folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "elsewhere" / "planted").exists()


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RefusedError("no"), False),
        (StoreError("later"), True),
        (NotFoundError("gone"), True),
        (KeyboardInterrupt(), True),
    ],
)
def test_only_what_may_come_to_something_is_kept(tmp_path: Path, error: BaseException, kept: bool) -> None:
    with pytest.raises(type(error)), workplace(tmp_path / "w"):
        raise error
    assert (tmp_path / "w").exists() is kept
