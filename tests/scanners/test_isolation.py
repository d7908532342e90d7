"""Whatever a file does to the process that reads it: that file is unscanned, with the reason, and no other is harmed."""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import hostile
from weighlock.errors import UnfinishedError
from weighlock.model import walk, weigh
from weighlock.scanners import Finding, Severity, Status, Verdict, rounds
from weighlock.scanners.examine import Examined
from weighlock.scanners.files import LostError, Weighed
from weighlock.scanners.isolation import PACKAGE, Engine, Isolated, Limits, wire
from weighlock.scanners.sniff import Sniffer
from weighlock.stages.scan import SCANNERS, scan_model

HERE = Path(__file__).parent
HOG = Engine("hog", "1", "hogs", "Hog")
LIMITS = Limits(memory=1024**3, seconds=30.0, answer=1_000_000)
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limits differ elsewhere")


def weighed(folder: Path) -> list[Weighed]:
    found = []
    for entry in walk(folder):
        sniffer = Sniffer()
        file = weigh(entry, [sniffer])
        found.append(Weighed(file, sniffer.text))
    return found


@contextmanager
def isolated(files: list[Weighed], engine: Engine = HOG, limits: Limits = LIMITS) -> Iterator[Isolated]:
    sizes = {item.file.path: item.file.size for item in files}
    with Isolated([engine], Severity.LOW, sizes, limits=limits, path=[PACKAGE, HERE]) as examiner:
        yield examiner


def scan(folder: Path, *names: str, limits: Limits = LIMITS) -> dict[str, Examined]:
    """Scan files of these names by the engine that does what they say."""
    for name in names:
        (folder / name).write_bytes(b"text")
    files = weighed(folder)
    with isolated(files, limits=limits) as examiner:
        return {item.file.path: rounds.examined(item, examiner) for item in rounds.recognised(files, examiner)}


QUICK = replace(LIMITS, seconds=1.0, patience=60.0)
IMPATIENT = replace(LIMITS, seconds=4.0, patience=1.0)


@pytest.mark.parametrize(
    ("deed", "limits", "reason"),
    [
        pytest.param("spin", QUICK, "used more processor time than it is given", marks=LINUX),
        pytest.param("allocate", LIMITS, "MemoryError", marks=LINUX),
        ("hang", IMPATIENT, "took longer than 4 seconds"),
        ("crash", LIMITS, "crashed with signal 11"),
        ("exit", LIMITS, "ended with exit code 0"),
        ("kill", LIMITS, "was killed"),
        ("shout", LIMITS, "said more than 1000000 bytes"),
        ("close", LIMITS, "closed its answers"),
    ],
)
def test_a_file_that_costs_its_process_is_unscanned_and_no_other_is(
    deed: str, limits: Limits, reason: str, tmp_path: Path
) -> None:
    found = scan(tmp_path, "a", deed, "z", limits=limits)
    verdicts = {name: examined.verdict for name, examined in found.items()}
    assert verdicts == {"a": Verdict.SAFE, deed: Verdict.UNSCANNED, "z": Verdict.SAFE}
    (report,) = found[deed].reports
    assert (report.engine, report.status) == ("hog", Status.ERROR)
    assert reason in report.reason


def test_a_process_that_is_left_behind_does_not_hold_the_scan(tmp_path: Path) -> None:
    before = time.monotonic()
    assert scan(tmp_path, "fork", limits=IMPATIENT)["fork"].verdict is Verdict.UNSCANNED
    assert time.monotonic() - before < 60


def test_what_a_scanner_prints_is_no_answer(tmp_path: Path) -> None:
    assert [report.reason for report in scan(tmp_path, "print")["print"].reports] == ["printed"]


@LINUX
@pytest.mark.parametrize("deed", ["connect", "program"])
def test_there_is_no_way_out(deed: str, tmp_path: Path) -> None:
    if os.uname().machine not in {"x86_64", "aarch64"}:
        pytest.skip("no filter for this architecture")
    assert [report.reason for report in scan(tmp_path, deed)[deed].reports] == ["forbidden"]


@LINUX
def test_a_hostile_folder_and_environment_do_not_reach_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = tmp_path / "evil"
    (tmp_path / "model").mkdir()
    evil.mkdir()
    for name in ("sitecustomize.py", "usercustomize.py", "weighlock.py", "json.py", "hogs.py"):
        (evil / name).write_text("raise SystemExit('ran')")
    monkeypatch.chdir(evil)
    monkeypatch.setenv("PYTHONPATH", str(evil))
    monkeypatch.setenv("PYTHONSTARTUP", str(evil / "json.py"))
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    found = scan(tmp_path / "model", "surroundings")
    seen = ast.literal_eval(found["surroundings"].reports[0].reason)
    assert seen == {"cwd": [], "path": str(PACKAGE), "customised": False, "names": seen["names"]}
    assert not {"PYTHONPATH", "PYTHONSTARTUP", "SECRET_TOKEN"} & set(seen["names"])


def test_settings_beside_the_model_do_not_switch_modelscan_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "a.pkl").write_bytes(hostile.payload())
    (tmp_path / "modelscan-settings.toml").write_text("broken = [")
    monkeypatch.chdir(tmp_path)
    _, ledger = scan_model(model)
    rules = {finding.rule for report in ledger.rows[0].reports for finding in report.findings}
    assert rules == {"pickle.dangerous-global", "modelscan.unsafe"}


def test_the_worker_and_this_process_say_the_same(tmp_path: Path) -> None:
    for name in ("plain.pkl", "packed.zip", "model.onnx", "README.md"):
        (tmp_path / name).write_bytes(hostile.HONEST[name])
    (tmp_path / "evil.zip").write_bytes(hostile.zipped({"\x1b[31m": hostile.payload()}))
    (tmp_path / "broken.pkl").write_bytes(hostile.PLAIN[:-5])
    assert scan_model(tmp_path) == scan_model(tmp_path, scanners=[make() for make in SCANNERS.values()])


def test_one_worker_serves_all_files(tmp_path: Path) -> None:
    found = scan(tmp_path, "process", "process again", "process anew")
    assert len({examined.reports[0].reason for examined in found.values()}) == 1


def test_a_scan_without_an_engine_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    files = weighed(tmp_path)
    absent = pytest.raises(UnfinishedError, match="cannot start: ImportError: no such engine")
    with isolated(files, Engine("hog", "1", "hogs", "Absent")) as examiner, absent:
        rounds.recognised(files, examiner)


def test_a_file_that_changes_ends_the_scan(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    files = weighed(tmp_path)
    (tmp_path / "a").write_bytes(b"other text")
    with isolated(files) as examiner, pytest.raises(UnfinishedError, match="'a' changed"):
        rounds.recognised(files, examiner)


def said(*finding: object) -> bytes:
    report = {"engine": "strict", "version": "1", "status": "COMPLETE", "reason": "", "findings": [finding]}
    return json.dumps({"verdict": "SAFE", "asked": {}, "reports": [report]}).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[]",
        b"{}",
        b'{"verdict": "FINE", "asked": {}, "reports": []}',
        b'{"verdict": "SAFE", "asked": {"a": "b"}, "reports": []}',
        b'{"verdict": "SAFE", "asked": {}, "reports": [{}]}',
        said("rule", "WORSE", "", None, None),
        said("rule", "HIGH", "", None, -1),
        said("rule", "HIGH"),
    ],
)
def test_an_answer_that_is_none_is_no_result(line: bytes) -> None:
    with pytest.raises(LostError, match="what the scan's process said"):
        wire.answer(line, wire.examined_from)


def test_an_answer_is_read_to_the_last_field() -> None:
    examined = wire.answer(said("rule", "HIGH", "words", "member", 5), wire.examined_from)
    assert examined.reports[0].findings == (Finding("rule", Severity.HIGH, "words", "member", 5),)


def test_hostile_words_of_an_error_are_escaped() -> None:
    with pytest.raises(UnfinishedError, match=r"^\\x1b\[31m"):
        wire.answer(b'{"unfinished": "\\u001b[31m", "remedy": ""}', wire.examined_from)


@pytest.mark.parametrize(
    ("size", "least", "most"),
    [
        pytest.param(0, 20, 40, id="a small file on which a parser never returns costs no two minutes"),
        pytest.param(2_000_000, 45, 60, id="what may unpack to much more has time for it"),
        pytest.param(4 * 1024**3, 120 + 500, 120 + 1000, id="a large one has time to be read"),
    ],
)
def test_time_grows_with_the_file(size: int, least: float, most: float) -> None:
    assert least <= Limits().of(size) <= most
