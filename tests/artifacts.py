"""Small artifacts, put into a store through its port."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

from weighlock.oci import EMPTY_BYTES, EMPTY_DESCRIPTOR, Descriptor, Manifest
from weighlock.store import Store

KIND = "application/vnd.example.model"
EVIDENCE = "application/vnd.example.evidence"


def opener(data: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(data)


def put_blob(store: Store, data: bytes) -> Descriptor:
    descriptor = Descriptor.of(data, "application/octet-stream")
    store.push_blob(descriptor, opener(data))
    return descriptor


def put_model(store: Store, *contents: bytes) -> Descriptor:
    """Store a manifest with one layer a content; equal contents give the same manifest."""
    config = put_blob(store, EMPTY_BYTES)
    layers = tuple(put_blob(store, data) for data in contents)
    return store.push_manifest(Manifest(config, layers, KIND).encode())


def referrer(store: Store, subject: Descriptor, label: str) -> bytes:
    """Return a manifest that hangs on `subject`, its blobs stored."""
    put_blob(store, EMPTY_BYTES)
    layer = put_blob(store, label.encode())
    return Manifest(EMPTY_DESCRIPTOR, (layer,), EVIDENCE, subject, {"label": label}).encode()


def content(store: Store, descriptor: Descriptor) -> bytes:
    return b"".join(store.blob(descriptor))
