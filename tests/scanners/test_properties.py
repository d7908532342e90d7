"""Whatever the bytes: no engine crashes, nothing random is safe, and a valid file that was cut or changed is not either."""

from __future__ import annotations

import gzip
import io
import pickle
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hostile
from scanning import scanned
from weighlock.ledger import Row
from weighlock.scanners import Blob, Severity, Status, Verdict
from weighlock.scanners.examine import examine
from weighlock.scanners.sniff import Sniffer, recognised
from weighlock.scanners.strict import Strict

STARTS = (
    b"",
    b"\x80\x04",
    b"\x80\x02",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"BZh9",
    b"\x89PNG\r\n\x1a\n",
    b"\x93NUMPY\x01\0",
    b"GIF89a",
    b"\xff\xd8\xff",
)

BINARY = {
    name: hostile.HONEST[name]
    for name in (
        "model.safetensors",
        "plain.pkl",
        "plain.pkl.gz",
        "checkpoint.pt",
        "script.pt",
        "packed.zip",
        "logo.png",
        "array.npy",
        "data.tar.gz",
    )
}


def row(content: bytes, name: str = "file") -> Row:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        return scanned(Path(folder)).rows[0]


def judged(content: bytes) -> tuple[Verdict, str]:
    """Judge content by the strict engine alone, without a file."""
    sniffer = Sniffer()
    sniffer.feed(content)

    def opener() -> io.BytesIO:
        return io.BytesIO(content)

    blob = Blob("file", recognised(sniffer, opener), len(content), opener)
    examined = examine(blob, [Strict()], Severity.LOW)
    return examined.verdict, "; ".join(report.reason for report in examined.reports)


@given(st.sampled_from(STARTS), st.binary(min_size=1, max_size=200))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_random_bytes_crash_nothing_and_are_never_safe(start: bytes, rest: bytes) -> None:
    verdict, reason = judged(start + b"\0" + rest + b"\xff")
    assert verdict is not Verdict.SAFE
    assert "failed" not in reason


@pytest.mark.parametrize("name", BINARY)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_cut_is_never_safe(name: str, data: st.DataObject) -> None:
    content = BINARY[name]
    length = data.draw(st.integers(min_value=8, max_value=len(content) - 1))
    verdict, reason = judged(content[:length])
    assert "failed" not in reason
    assert verdict is not Verdict.SAFE


@pytest.mark.parametrize("name", BINARY)
@given(tail=st.binary(min_size=1, max_size=64))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_has_a_foreign_tail_is_never_safe(name: str, tail: bytes) -> None:
    verdict, reason = judged(BINARY[name] + b"\xff" + tail)
    assert "failed" not in reason
    assert verdict is not Verdict.SAFE


@pytest.mark.parametrize("name", BINARY)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_changed_byte_crashes_nothing(name: str, data: st.DataObject) -> None:
    content = bytearray(BINARY[name])
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert "failed" not in judged(bytes(content))[1]


@given(st.binary(max_size=40), st.sampled_from([0, 1, 2, 4]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_payload_behind_any_honest_stream_is_found(noise: bytes, protocol: int, packed: bool) -> None:

    content = pickle.dumps(noise, 4) + hostile.payload(protocol)
    assert judged(gzip.compress(content) if packed else content)[0] is Verdict.UNSAFE


def test_all_engines_agree_that_an_empty_file_is_nothing() -> None:
    assert [report.status for report in row(b"").reports] == [Status.COMPLETE, Status.SKIPPED]
