"""Sending many blobs: each once, side by side, and none after an error."""

from __future__ import annotations

import io
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts import content, opener
from clock import Clock
from fake_registry import FakeRegistry, Reply, Rule
from weighlock.errors import IntegrityError, StoreError
from weighlock.oci import Descriptor
from weighlock.store import Opener, Readable, Store
from weighlock.store.layout import Layout
from weighlock.store.planning import Move, Plan, plan
from weighlock.store.progress import Display
from weighlock.store.registry import Registry, open_registry
from weighlock.store.sending import send as carry_out
from weighlock.store.targets import Repository, Target, open_store

SILENT = Display(lambda _: None)
PUT = "/blobs/uploads/"


def blobs(*contents: bytes) -> list[tuple[Descriptor, Opener]]:
    return [(Descriptor.of(data, "application/octet-stream"), opener(data)) for data in contents]


def send(place: Store, wanted: list[tuple[Descriptor, Opener]], display: Display = SILENT) -> list[Descriptor]:
    """Plan and carry out."""
    planned = plan(place, [blob for blob, _ in wanted])
    return carry_out(place, planned, {blob.digest: source for blob, source in wanted}, display)


def store(fake: FakeRegistry, clock: Clock) -> Registry:
    return open_registry(Repository(fake.address, "m"), plain_http=False, environ={}, retries=clock.retries())


def test_equal_blobs_are_sent_once_and_those_that_are_there_not_at_all(fake_registry: FakeRegistry) -> None:
    registry = store(fake_registry, Clock())
    wanted = blobs(b"one", b"two", b"one", b"three")
    assert [item.size for item in send(registry, wanted)] == [3, 3, 5]
    assert len(fake_registry.requests("PUT", PUT)) == 3
    assert send(registry, wanted) == []
    assert len(fake_registry.requests("PUT", PUT)) == 3


def test_a_layout_takes_many_at_once(tmp_path: Path) -> None:
    wanted = blobs(*(bytes([number]) * 3_000_000 for number in range(12)))
    layout = Layout(tmp_path / "out")
    assert len(send(layout, wanted)) == 12
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
    assert len(send(store(fake_registry, Clock()), wanted)) == 3


def test_the_error_of_one_ends_all(fake_registry: FakeRegistry) -> None:
    class Endless:
        def read(self, _size: int = -1, /) -> bytes:
            return bytes(1024)

        def close(self) -> None:
            pass

    huge = Descriptor("a/b", Descriptor.of(b"huge", "a/b").digest, 10**15)
    refused = Descriptor.of(b"refused", "a/b")
    fake_registry.rules.append(Rule("POST", PUT, instead=Reply(400), times=1))
    wanted: list[tuple[Descriptor, Opener]] = [(huge, Endless), (refused, opener(b"refused"))]
    with pytest.raises(StoreError, match="answered with 400"):
        send(store(fake_registry, Clock()), wanted)


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


@pytest.mark.parametrize("at", [1, 7, 19])
def test_a_token_that_runs_out_under_many_streams_costs_no_blob(fake_registry: FakeRegistry, at: int) -> None:
    fake_registry.auth = "bearer"
    left = [at]

    def run_out(reply: Reply) -> Reply:
        left[0] -= 1
        if not left[0]:
            fake_registry.tokens.clear()
        return reply

    registry = store(fake_registry, Clock())
    send(registry, blobs(b"first"))
    fake_registry.rules.append(Rule("PUT", PUT, change=run_out))
    wanted = blobs(*(b"%d" % number for number in range(20)))
    assert len(send(registry, wanted)) == 20
    assert left[0] < 0, "the token ran out"
    assert len(fake_registry.blobs) == 21


def test_an_empty_blob_is_sent_with_its_length(fake_registry: FakeRegistry) -> None:
    send(store(fake_registry, Clock()), blobs(b""))
    (put,) = fake_registry.requests("PUT", PUT)
    assert put.headers["content-length"] == "0"
    assert "transfer-encoding" not in put.headers


def test_a_plan_says_what_is_there_and_what_is_not(fake_registry: FakeRegistry) -> None:
    registry = store(fake_registry, Clock())
    wanted = blobs(b"one", b"two", b"three")
    send(registry, wanted[:1])
    fake_registry.seen.clear()
    made = plan(registry, [blob for blob, _ in wanted])
    assert [move for _, move in made.moves] == [Move.PRESENT, Move.SEND, Move.SEND]
    assert made.lines() == ["there already: 1 blob, 3 B", "to send: 2 blobs, 8 B"]
    assert {seen.method for seen in fake_registry.seen} == {"HEAD"}


def test_a_damaged_blob_of_a_layout_is_planned_to_be_sent_again(tmp_path: Path) -> None:
    layout, wanted = Layout(tmp_path / "out"), blobs(b"one")
    send(layout, wanted)
    (tmp_path / "out" / "blobs" / "sha256" / wanted[0][0].digest.hex).write_bytes(b"0ne")
    assert len(send(layout, wanted)) == 1
    content(layout, wanted[0][0])


def test_what_another_repository_of_the_registry_holds_is_mounted(fresh_repository: Callable[[], str]) -> None:
    ours, theirs = (open_store(Target.parse(fresh_repository()), environ={}) for _ in range(2))
    wanted = blobs(secrets.token_bytes(100), secrets.token_bytes(200))
    send(theirs, wanted[:1])
    made = plan(ours, [blob for blob, _ in wanted], theirs)
    assert [move for _, move in made.moves] == [Move.MOUNT, Move.SEND]
    sources = {wanted[1][0].digest: wanted[1][1], wanted[0][0].digest: unreadable}
    assert len(carry_out(ours, made, sources, SILENT)) == 2
    assert [content(ours, blob) for blob, _ in wanted]


def unreadable() -> Readable:
    raise AssertionError("the bytes were wanted")


def test_what_cannot_be_mounted_is_sent(fake_registry: FakeRegistry) -> None:
    ours = store(fake_registry, Clock())
    theirs = open_registry(Repository(fake_registry.address, "theirs"), plain_http=False, environ={})
    ((blob, source),) = blobs(b"one")
    made = Plan(((blob, Move.MOUNT),), theirs)
    for status in (None, 401, 403, 404, 405):
        fake_registry.blobs.clear()
        if status:
            fake_registry.rules.append(Rule("POST", "mount=", instead=Reply(status), times=1))
        assert carry_out(ours, made, {blob.digest: source}, SILENT) == [blob]
        assert fake_registry.blobs == {str(blob.digest): b"one"}
    assert len(fake_registry.requests("POST", f"mount=sha256%3A{blob.digest.hex}&from=theirs")) == 5
    assert fake_registry.uploads == set(), "what was begun in place of a mount is cancelled"


def test_a_failure_says_what_is_there_already(fake_registry: FakeRegistry) -> None:
    registry = store(fake_registry, Clock())
    wanted = blobs(b"one", b"three", b"seven")
    send(registry, wanted[:1])
    fake_registry.rules.append(Rule("PUT", PUT, instead=Reply(400)))
    words: list[str] = []
    with pytest.raises(StoreError, match="400"):
        send(registry, wanted, Display(words.append))
    assert words == ["1 of 3 blobs are there; a rerun sends the rest"]


def test_a_registry_that_took_a_blob_for_another_is_not_believed(fake_registry: FakeRegistry) -> None:
    wrong = {"Docker-Content-Digest": f"sha256:{64 * '0'}"}
    fake_registry.rules.append(Rule("PUT", PUT, change=lambda reply: replace(reply, headers=wrong)))
    with pytest.raises(IntegrityError, match="for sha256:0000"):
        send(store(fake_registry, Clock()), blobs(b"one"))


def test_many_streams_learn_together_that_one_piece_is_too_large(fake_registry: FakeRegistry) -> None:
    fake_registry.largest_body = 4 * 1024 * 1024
    wanted = blobs(*(bytes([number]) * 4_500_000 for number in range(8)))
    assert len(send(store(fake_registry, Clock()), wanted)) == 8
    assert len(fake_registry.blobs) == 8
