"""modelscan is fed by content, isolated from the working directory, and never believed when it is unsure."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import hostile
from weighlock.errors import UnfinishedError
from weighlock.scanners import Blob, Severity, Status
from weighlock.scanners.modelscan_engine import ModelScan


def blob(content: bytes, kind: str = "pickle") -> Blob:
    return Blob("model.safetensors", kind, len(content), lambda: io.BytesIO(content))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Work in a folder of its own for the test."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def test_a_pickle_is_scanned_whatever_its_name() -> None:
    report = ModelScan().scan(blob(hostile.payload()))
    assert [(finding.severity, finding.message) for finding in report.findings] == [
        (Severity.CRITICAL, "uses posix.system")
    ]
    assert report.status is Status.PARTIAL


def test_its_silence_is_no_claim() -> None:
    report = ModelScan().scan(blob(hostile.PLAIN))
    assert (report.status, report.findings, report.reason) == (Status.PARTIAL, (), "")


def test_other_formats_are_outside_its_remit() -> None:
    report = ModelScan().scan(blob(b"{}", "json"))
    assert (report.status, report.reason) == (Status.SKIPPED, "")


def test_its_error_is_an_error() -> None:
    report = ModelScan().scan(blob(hostile.PLAIN[:-5]))
    assert report.status is Status.ERROR
    assert "PICKLE_GENOPS" in report.reason


def test_its_skip_is_an_error() -> None:
    report = ModelScan().scan(blob(b"\x93NUMPY" + bytes(50), "npy"))
    assert report.status is Status.ERROR
    assert "modelscan could not tell" in report.reason


def test_a_large_pickle_is_not_given_to_it() -> None:
    report = ModelScan(size_limit=10).scan(blob(hostile.PLAIN))
    assert (report.status, "more than modelscan is given" in report.reason) == (Status.SKIPPED, True)


def test_a_dense_pickle_is_not_given_to_it() -> None:
    report = ModelScan(operations_limit=10).scan(blob(hostile.PLAIN))
    assert (report.status, "operations" in report.reason) == (Status.SKIPPED, True)


def test_a_settings_file_in_the_working_directory_is_not_read(elsewhere: Path) -> None:
    (elsewhere / "modelscan-settings.toml").write_text("broken = [")
    report = ModelScan().scan(blob(hostile.payload()))
    assert report.findings


def test_there_is_no_scan_without_it() -> None:
    with pytest.raises(UnfinishedError, match="modelscan is not installed"):
        _ = ModelScan(distribution="modelscan-that-is-not-there").version
