"""Uploads in pieces, lost uploads, uploads that are given up, and asking for permission."""

from __future__ import annotations

import io
import os
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from artifacts import content, opener
from clock import Clock
from fake_registry import FakeRegistry, Reply, Rule
from weighlock.errors import InputError, IntegrityError, StoreError, UnfinishedError
from weighlock.oci import Descriptor
from weighlock.store.layout import Layout
from weighlock.store.registry import Registry, open_registry
from weighlock.store.targets import Repository

MIB = 1024 * 1024
UPLOADS = "/blobs/uploads/"
DATA = secrets.token_bytes(9 * MIB + 5)
BLOB = Descriptor.of(DATA, "application/octet-stream")


@pytest.fixture
def registry(fake_registry: FakeRegistry) -> Registry:
    repository = Repository(fake_registry.address, "m")
    return open_registry(repository, plain_http=False, environ={}, retries=Clock().retries())


def ranges(fake: FakeRegistry) -> list[str]:
    return [seen.headers["content-range"] for seen in fake.requests("PATCH")]


def test_one_piece_is_the_rule(registry: Registry, fake_registry: FakeRegistry) -> None:
    registry.push_blob(BLOB, opener(DATA))
    assert [seen.method for seen in fake_registry.seen] == ["HEAD", "POST", "PUT"]


@pytest.mark.parametrize("status", [405, 411, 413])
def test_a_registry_that_refuses_one_piece_gets_several_from_then_on(
    registry: Registry, fake_registry: FakeRegistry, status: int
) -> None:
    fake_registry.largest_body = 4 * MIB
    fake_registry.rules.append(Rule("PUT", UPLOADS, instead=Reply(status), times=1))
    assert registry.push_blob(BLOB, opener(DATA)) is True
    assert content(registry, BLOB) == DATA
    assert ranges(fake_registry) == ["0-4194303", "4194304-8388607", "8388608-9437188"]
    fake_registry.seen.clear()
    other = secrets.token_bytes(4 * MIB + 1)
    registry.push_blob(Descriptor.of(other, "a/b"), opener(other))
    registry.push_blob(Descriptor.of(b"small", "a/b"), opener(b"small"))
    assert ranges(fake_registry) == ["0-4194303", "4194304-4194304"]
    assert len(fake_registry.requests("PUT")) == 2
    assert fake_registry.uploads == set()


def test_a_source_in_odd_pieces_goes_out_in_even_ones(registry: Registry, fake_registry: FakeRegistry) -> None:
    class Odd(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 777_777))

    fake_registry.largest_body = 4 * MIB
    assert registry.push_blob(BLOB, lambda: Odd(DATA)) is True
    assert content(registry, BLOB) == DATA


def test_what_is_refused_in_every_size_is_an_error_that_says_so(
    registry: Registry, fake_registry: FakeRegistry
) -> None:
    fake_registry.largest_body = 1 * MIB
    with pytest.raises(StoreError, match="413, in one piece and in small ones") as caught:
        registry.push_blob(BLOB, opener(DATA))
    assert "split the file" in caught.value.remedy


def test_other_bytes_are_seen_before_an_upload_in_pieces_is_closed(
    registry: Registry, fake_registry: FakeRegistry
) -> None:
    fake_registry.largest_body = 4 * MIB
    for other in (DATA[:-1] + bytes([DATA[-1] ^ 1]), DATA + b".", DATA[:-1]):
        with pytest.raises((IntegrityError, StoreError)):
            registry.push_blob(BLOB, opener(other))
    assert fake_registry.blobs == {}


def test_a_registry_that_took_less_than_a_piece_gets_all_again(registry: Registry, fake_registry: FakeRegistry) -> None:
    fake_registry.largest_body = 4 * MIB
    less = {"Range": "0-99"}
    fake_registry.rules.append(
        Rule(
            "PATCH",
            UPLOADS,
            change=lambda reply: replace(
                reply, headers={**reply.headers, **less} if reply.status == 202 else reply.headers
            ),
            times=3,
        )
    )
    assert registry.push_blob(BLOB, opener(DATA)) is True
    assert content(registry, BLOB) == DATA


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_upload_that_the_registry_lost_begins_anew(
    registry: Registry, fake_registry: FakeRegistry, method: str
) -> None:
    fake_registry.largest_body = 4 * MIB if method == "PATCH" else 1 << 40
    fake_registry.rules.append(Rule(method, UPLOADS, change=lambda _: Reply(404), times=2))
    assert registry.push_blob(BLOB, opener(DATA)) is True
    assert content(registry, BLOB) == DATA


def test_an_upload_that_is_always_lost_is_given_up(registry: Registry, fake_registry: FakeRegistry) -> None:
    fake_registry.rules.append(Rule("PUT", UPLOADS, instead=Reply(404)))
    with pytest.raises(StoreError, match="lost the upload"):
        registry.push_blob(BLOB, opener(DATA))


@pytest.mark.parametrize("error", [UnfinishedError("the file changed"), KeyboardInterrupt()])
def test_an_upload_that_is_given_up_is_cancelled(
    registry: Registry, fake_registry: FakeRegistry, error: BaseException
) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > MIB:
                raise error
            return super().read(size)

    with pytest.raises(type(error)):
        registry.push_blob(BLOB, lambda: Failing(DATA))
    assert len(fake_registry.requests("DELETE", UPLOADS)) == 1
    assert fake_registry.uploads == set()


def test_permission_is_asked_for_without_leaving_anything(registry: Registry, fake_registry: FakeRegistry) -> None:
    registry.probe()
    assert [seen.method for seen in fake_registry.seen] == ["POST", "DELETE"]
    assert fake_registry.uploads == set()


def test_a_registry_that_would_refuse_says_so_at_once(registry: Registry, fake_registry: FakeRegistry) -> None:
    fake_registry.rules.append(Rule("POST", UPLOADS, instead=Reply(403)))
    with pytest.raises(StoreError, match="asking whether blobs may be stored was answered with 403") as caught:
        registry.probe()
    assert "the right to push" in caught.value.remedy


def test_a_layout_is_probed_without_a_trace(tmp_path: Path) -> None:
    Layout(tmp_path / "a" / "b").probe()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="cannot be written to"):
        Layout(tmp_path / "a").probe()


def test_a_file_in_the_way_of_a_layout_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(InputError, match="is a file"):
        Layout(tmp_path / "a" / "b").probe()
