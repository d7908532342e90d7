"""A large blob in parts: several streams, one file, one digest, whatever the store or an earlier run did to it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artifacts import opener, put_blob
from clock import Clock
from fake_registry import FakeRegistry, Reply, Rule
from faulty_proxy import Fault, faulty_proxy
from weighlock.errors import IntegrityError, StoreError, UnfinishedError
from weighlock.oci import Descriptor
from weighlock.store.fetching import fetch, workplace
from weighlock.store.layout import Layout
from weighlock.store.parallel import Meter, StoppedError
from weighlock.store.parts import Parts, help_out
from weighlock.store.progress import Display
from weighlock.store.registry import Registry, open_registry
from weighlock.store.targets import Repository

SILENT = Display(lambda _: None)
PART = 10
DATA = bytes(range(75))  # seven parts and a half
BLOB = Descriptor.of(DATA, "application/octet-stream")
BLOBS = "/blobs/sha256:"
ASKED = "bytes=0-0"  # for whether parts are served


@pytest.fixture
def store(fake_registry: FakeRegistry) -> Registry:
    opened = open_registry(
        Repository(fake_registry.address, "m"), plain_http=False, environ={}, retries=Clock().retries()
    )
    put_blob(opened, DATA)
    fake_registry.seen.clear()
    return opened


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Path]:
    with workplace(tmp_path / "work") as folder:
        yield folder


@pytest.fixture
def parts(store: Registry, work: Path) -> Parts:
    return Parts(store, BLOB, work / BLOB.digest.hex, PART)


def ranges(fake: FakeRegistry) -> list[str | None]:
    return [seen.headers.get("range") for seen in fake.requests("GET", BLOBS)]


def written(work: Path) -> bytes:
    return (work / BLOB.digest.hex).read_bytes()


def test_one_stream_alone_makes_one_request(parts: Parts, fake_registry: FakeRegistry, work: Path) -> None:
    meter = Meter()
    parts.follow(meter)
    assert written(work) == DATA
    assert ranges(fake_registry) == [None]
    assert meter.moved == len(DATA)


def test_others_take_what_is_ahead_and_nothing_is_fetched_twice(
    parts: Parts, fake_registry: FakeRegistry, work: Path
) -> None:
    meter = Meter()
    assert [parts.help(meter), parts.help(meter)] == [True, True]
    parts.follow(meter)
    assert written(work) == DATA
    assert ranges(fake_registry) == [ASKED, "bytes=20-29", "bytes=30-39", None, "bytes=40-74"]
    assert meter.moved == len(DATA)


def test_what_is_next_is_left_to_the_first_stream(parts: Parts, fake_registry: FakeRegistry, work: Path) -> None:
    meter = Meter()
    help_out([parts], meter)
    assert ranges(fake_registry)[1:] == [f"bytes={at}-{at + 9}" for at in range(20, 70, 10)] + ["bytes=70-74"]
    parts.follow(meter)
    assert written(work) == DATA
    assert parts.help(meter) is False


def test_a_later_run_fetches_the_other_parts_only(
    store: Registry, parts: Parts, fake_registry: FakeRegistry, work: Path
) -> None:
    assert [parts.help(Meter()), parts.help(Meter())] == [True, True]
    fake_registry.seen.clear()
    later, meter = Parts(store, BLOB, work / BLOB.digest.hex, PART), Meter()
    assert later.missing == 55
    later.follow(meter)
    assert written(work) == DATA
    assert ranges(fake_registry) == [None, "bytes=40-74"]
    assert meter.moved == len(DATA)
    fake_registry.seen.clear()
    last = Parts(store, BLOB, work / BLOB.digest.hex, PART)
    last.follow(Meter())
    assert (last.missing, fake_registry.seen) == (0, [])


def map_of(work: Path) -> Path:
    return work / f"{BLOB.digest.hex}.{PART}"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda work: (work / BLOB.digest.hex).write_bytes(DATA[:20] + bytes(55)),
        lambda work: map_of(work).write_bytes(b"\1" * 8),
        lambda work: map_of(work).write_bytes(b"\1" * 1000),
        lambda work: (work / BLOB.digest.hex).write_bytes(DATA[:30]),
        lambda work: (work / BLOB.digest.hex).write_bytes(DATA + b"more"),
        lambda work: map_of(work).write_bytes(b""),
    ],
    ids=["other bytes", "a map that lies", "a map too long", "a file too short", "a file too long", "no map"],
)
def test_what_an_earlier_run_left_wrong_is_healed(
    store: Registry, parts: Parts, fake_registry: FakeRegistry, work: Path, spoil: Callable[[Path], object]
) -> None:
    assert parts.help(Meter()) is True
    spoil(work)
    fake_registry.seen.clear()
    fetch(store, [BLOB], work, SILENT, part=PART)
    assert written(work) == DATA
    assert ranges(fake_registry).count(None) <= 2  # what was left was tried, then all came once


def test_a_part_of_other_bytes_costs_one_download_from_the_start(
    store: Registry, fake_registry: FakeRegistry, work: Path
) -> None:
    parts = Parts(store, BLOB, work / BLOB.digest.hex, PART)
    fake_registry.rules.append(
        Rule("GET", BLOBS, instead=Reply(206, {"Content-Range": f"bytes 0-0/{len(DATA)}"}, b"x"), times=1)
    )
    fake_registry.rules.append(
        Rule("GET", BLOBS, instead=Reply(206, {"Content-Range": f"bytes 20-29/{len(DATA)}"}, b"0123456789"), times=1)
    )
    assert parts.help(Meter()) is True
    with pytest.raises(IntegrityError):
        parts.follow(Meter())
    assert parts.whole_from_one is False
    fetch(store, [BLOB], work, SILENT, part=PART)
    assert written(work) == DATA


def test_a_part_that_comes_short_is_left_to_the_first_stream(
    parts: Parts, fake_registry: FakeRegistry, work: Path
) -> None:
    fake_registry.rules.append(
        Rule("GET", BLOBS, instead=Reply(206, {"Content-Range": f"bytes 0-0/{len(DATA)}"}, b"x"), times=1)
    )
    fake_registry.rules.append(
        Rule("GET", BLOBS, instead=Reply(206, {"Content-Range": f"bytes 20-29/{len(DATA)}"}, b"01"), times=1)
    )
    assert [parts.help(Meter()), parts.help(Meter())] == [True, False]
    parts.follow(Meter())
    assert written(work) == DATA


def test_more_than_a_part_is_cut_off(parts: Parts, fake_registry: FakeRegistry, work: Path) -> None:
    assert parts.help(Meter()) is True
    fake_registry.rules.append(Rule("GET", BLOBS, instead=Reply(200, {}, DATA), times=1))  # all instead of the part
    assert parts.help(Meter()) is True
    assert written(work)[40:] == bytes(35)
    parts.follow(Meter())
    assert written(work) == DATA


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, {}, DATA),
        Reply(206, {"Content-Range": "bytes 0-0/76"}, b"\0"),
        Reply(206, {}, b"\0"),
        Reply(416),
        Reply(500),
    ],
    ids=["all", "of another length", "without a range", "416", "500"],
)
def test_a_store_without_parts_is_read_from_one_end_to_the_other(
    store: Registry, fake_registry: FakeRegistry, work: Path, answer: Reply
) -> None:
    parts = Parts(store, BLOB, work / BLOB.digest.hex, PART)
    fake_registry.rules.append(Rule("GET", BLOBS, instead=answer, times=1))
    assert parts.help(Meter()) is False
    parts.follow(Meter())
    assert written(work) == DATA
    assert ranges(fake_registry) == [ASKED, None]


def test_a_layout_has_no_parts(tmp_path: Path, work: Path) -> None:
    layout = Layout(tmp_path / "out")
    put_blob(layout, DATA)
    assert b"".join(layout.part(BLOB, 20, 30)) == DATA[20:30]
    fetch(layout, [BLOB], work, SILENT, part=PART)
    assert written(work) == DATA


def test_other_bytes_in_one_answer_are_refused_at_once(
    store: Registry, fake_registry: FakeRegistry, work: Path
) -> None:
    fake_registry.blobs[str(BLOB.digest)] = DATA[::-1]
    parts = Parts(store, BLOB, work / BLOB.digest.hex, PART)
    with pytest.raises(IntegrityError, match="holds other bytes"):
        parts.follow(Meter())
    assert parts.whole_from_one is True
    assert ranges(fake_registry) == [None]


def test_other_bytes_are_refused_over_many_streams_too(
    store: Registry, fake_registry: FakeRegistry, tmp_path: Path
) -> None:
    fake_registry.blobs[str(BLOB.digest)] = DATA[::-1]
    with pytest.raises(IntegrityError), workplace(tmp_path / "w") as folder:
        fetch(store, [BLOB], folder, SILENT, part=PART)
    assert not (tmp_path / "w").exists()


def test_a_blob_that_lost_its_end_is_refused(store: Registry, fake_registry: FakeRegistry, work: Path) -> None:
    fake_registry.blobs[str(BLOB.digest)] = DATA[:-1]
    with pytest.raises(IntegrityError):
        fetch(store, [BLOB], work, SILENT, part=PART)


def test_the_first_stream_does_not_wait_for_one_that_failed(
    parts: Parts, fake_registry: FakeRegistry, work: Path
) -> None:
    meter = Meter()
    assert parts.help(meter) is True
    fake_registry.rules.append(Rule("GET", BLOBS, instead=Reply(403)))
    with pytest.raises(StoreError, match="403"):
        parts.help(meter)
    fake_registry.rules.clear()
    ended: list[BaseException] = []

    def follow() -> None:
        try:
            parts.follow(meter)
        except StoppedError as error:
            ended.append(error)

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.1)
    meter.stop()
    thread.join(5)
    assert len(ended) == 1


def test_a_disk_without_room_counts_what_is_whole(store: Registry, parts: Parts, work: Path) -> None:
    assert parts.help(Meter()) is True
    with pytest.raises(UnfinishedError, match="has room for 64 B, and 65 B are to come"):
        fetch(store, [BLOB], work, SILENT, free=lambda _: 64, part=PART)


@pytest.mark.parametrize("name", ["", f".{PART}"], ids=["the file", "its map"])
def test_a_link_in_the_place_of_either_file_is_not_followed(
    store: Registry, tmp_path: Path, work: Path, name: str
) -> None:
    (tmp_path / "precious").write_text("mine")
    (work / f"{BLOB.digest.hex}{name}").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        fetch(store, [BLOB], work, SILENT, part=PART)
    assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("kind", [None, "reset", "close"])
def test_a_real_registry_over_a_line_that_breaks(registry: str, tmp_path: Path, kind: str | None) -> None:
    data = secrets.token_bytes(6_000_000)
    blob = Descriptor.of(data, "application/octet-stream")
    with faulty_proxy(registry) as proxy:
        repository = Repository(proxy.address, f"parts/{secrets.token_hex(8)}")
        store = open_registry(repository, plain_http=True, environ={}, retries=Clock().retries())
        store.push_blob(blob, opener(data))
        proxy.faults += [Fault(kind, 300_000)] * 2 if kind else []
        with workplace(tmp_path / "w") as folder:
            fetch(store, [blob], folder, SILENT, part=500_000)
            assert (folder / blob.digest.hex).read_bytes() == data
