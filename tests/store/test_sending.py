"""Sending many blobs: each once, side by side, and none after an error."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from artifacts import content, opener
from clock import Clock
from fake_registry import FakeRegistry, Reply, Rule
from weighlock.errors import StoreError
from weighlock.oci import Descriptor
from weighlock.store import Opener, Readable
from weighlock.store.layout import Layout
from weighlock.store.progress import Display
from weighlock.store.registry import Registry, open_registry
from weighlock.store.sending import send
from weighlock.store.targets import Repository

SILENT = Display(lambda _: None)
PUT = "/blobs/uploads/"


def blobs(*contents: bytes) -> list[tuple[Descriptor, Opener]]:
    return [(Descriptor.of(data, "application/octet-stream"), opener(data)) for data in contents]


def store(fake: FakeRegistry, clock: Clock) -> Registry:
    return open_registry(Repository(fake.address, "m"), plain_http=False, environ={}, retries=clock.retries())


def test_equal_blobs_are_sent_once_and_those_that_are_there_not_at_all(fake_registry: FakeRegistry) -> None:
    registry = store(fake_registry, Clock())
    wanted = blobs(b"one", b"two", b"one", b"three")
    assert [item.size for item in send(registry, wanted, SILENT)] == [3, 3, 5]
    assert len(fake_registry.requests("PUT", PUT)) == 3
    assert send(registry, wanted, SILENT) == []
    assert len(fake_registry.requests("PUT", PUT)) == 3


def test_a_layout_takes_many_at_once(tmp_path: Path) -> None:
    wanted = blobs(*(bytes([number]) * 3_000_000 for number in range(12)))
    layout = Layout(tmp_path / "out")
    assert len(send(layout, wanted, SILENT)) == 12
    for descriptor, _ in wanted:
        content(layout, descriptor)
    assert list((tmp_path / "out" / "ingest").iterdir()) == []


def test_blobs_travel_side_by_side(fake_registry: FakeRegistry) -> None:
    together = threading.Barrier(3, timeout=10)

    class Waiting(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if not self.tell():
                together.wait()
            return super().read(size)

    wanted: list[tuple[Descriptor, Opener]] = [
        (Descriptor.of(data, "a/b"), lambda data=data: Waiting(data))  # type: ignore[misc]
        for data in (b"one", b"two", b"six")
    ]
    assert len(send(store(fake_registry, Clock()), wanted, SILENT)) == 3


def test_the_error_of_one_ends_all(fake_registry: FakeRegistry) -> None:
    class Endless:
        def read(self, _size: int = -1, /) -> bytes:
            return bytes(1024)

        def close(self) -> None:
            pass

    huge = Descriptor("a/b", Descriptor.of(b"huge", "a/b").digest, 10**15)
    refused = Descriptor.of(b"refused", "a/b")
    fake_registry.rules.append(Rule("HEAD", refused.digest.hex, instead=Reply(400)))
    wanted: list[tuple[Descriptor, Opener]] = [(huge, Endless), (refused, opener(b"refused"))]
    with pytest.raises(StoreError, match="answered with 400"):
        send(store(fake_registry, Clock()), wanted, SILENT)


def test_bytes_that_are_sent_again_count_once(fake_registry: FakeRegistry) -> None:
    seen: list[int] = []

    class Measured:
        def __init__(self) -> None:
            self._stream: Readable = io.BytesIO(b"0123456789")

        def read(self, size: int = -1, /) -> bytes:
            return self._stream.read(size)

        def close(self) -> None:
            seen.append(1)

    fake_registry.rules.append(Rule("PUT", PUT, instead=Reply(503), times=2))
    screen: list[str] = []
    now = iter(range(0, 10_000, 10))
    display = Display(screen.append, None, lambda: float(next(now)))
    send(store(fake_registry, Clock()), [(Descriptor.of(b"0123456789", "a/b"), Measured)], display)
    assert len(seen) == 3
    assert screen[-1].startswith("sending 10 B of 10 B")


def test_an_empty_blob_is_sent_with_its_length(fake_registry: FakeRegistry) -> None:
    send(store(fake_registry, Clock()), blobs(b""), SILENT)
    (put,) = fake_registry.requests("PUT", PUT)
    assert put.headers["content-length"] == "0"
    assert "transfer-encoding" not in put.headers
