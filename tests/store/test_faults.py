"""A real registry behind a line that breaks: every fault ends in the right digest or in the right error."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts import content, opener, put_blob, put_model
from clock import Clock
from faulty_proxy import Fault, FaultyProxy, faulty_proxy
from weighlock.errors import IntegrityError, StoreError
from weighlock.oci import Descriptor
from weighlock.store.fetching import fetch, workplace
from weighlock.store.progress import Display
from weighlock.store.registry import Registry, open_registry
from weighlock.store.targets import Repository
from weighlock.store.wire import Wire

MIB = 1024 * 1024
DATA = secrets.token_bytes(6 * MIB)
BLOB = Descriptor.of(DATA, "application/octet-stream")
SILENT = Display(lambda _: None)
PATIENCE = 2.0  # seconds


@pytest.fixture
def proxy(registry: str) -> Iterator[FaultyProxy]:
    with faulty_proxy(registry) as running:
        yield running


@pytest.fixture
def store(proxy: FaultyProxy) -> Registry:
    """Return a fresh repository, its scheme already known: no fault is spent on finding that out."""
    opened = open_registry(
        Repository(proxy.address, f"faults/{secrets.token_hex(8)}"),
        plain_http=True,
        environ={},
        retries=Clock().retries(),
        wire=Wire(plain_http=True, patience=PATIENCE),
    )
    assert opened.resolve("v1") is None
    return opened


@pytest.mark.parametrize("kind", ["reset", "close", "hang"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_upload_that_breaks_is_made_again(store: Registry, proxy: FaultyProxy, kind: str, times: int) -> None:
    proxy.faults += [Fault(kind, 2 * MIB, up=True)] * times
    assert store.push_blob(BLOB, opener(DATA)) is True
    assert proxy.faults == []
    assert content(store, BLOB) == DATA


@pytest.mark.parametrize("kind", ["reset", "close", "hang"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_download_that_breaks_goes_on(store: Registry, proxy: FaultyProxy, kind: str, times: int) -> None:
    put_blob(store, DATA)
    proxy.faults += [Fault(kind, MIB)] * times
    assert content(store, BLOB) == DATA
    assert proxy.faults == []


def test_bytes_that_were_damaged_on_the_way_up_are_not_stored(store: Registry, proxy: FaultyProxy) -> None:
    proxy.faults.append(Fault("corrupt", 2 * MIB, up=True))
    with pytest.raises(StoreError, match="DIGEST_INVALID"):
        store.push_blob(BLOB, opener(DATA))
    assert store.push_blob(BLOB, opener(DATA)) is True


def test_bytes_that_were_damaged_on_the_way_down_are_refused(
    store: Registry, proxy: FaultyProxy, tmp_path: Path
) -> None:
    put_blob(store, DATA)
    proxy.faults.append(Fault("corrupt", MIB))
    with pytest.raises(IntegrityError), workplace(tmp_path / "w") as folder:
        fetch(store, [BLOB], folder, SILENT)
    assert not (tmp_path / "w").exists()


def test_a_line_that_always_breaks_is_given_up_with_its_reason(store: Registry, proxy: FaultyProxy) -> None:
    proxy.faults += [Fault("reset", 2 * MIB, up=True)] * 1000
    with pytest.raises(StoreError, match=r"cannot be reached|broke off"):
        store.push_blob(BLOB, opener(DATA))


def test_a_line_that_breaks_at_any_byte_of_a_release_delays_it_only(store: Registry, proxy: FaultyProxy) -> None:
    proxy.faults += [Fault("reset", 1), Fault("close", 300), Fault("reset", 200, up=True), Fault("close", 900)]
    model = put_model(store, b"one", b"two")
    store.tag(model, "v1")
    assert store.resolve("v1") == model
