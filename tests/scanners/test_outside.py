"""Engines of other projects: asked only by name, in an environment of their own, and never able to clear a file."""

from __future__ import annotations

import json
import os
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jsonschema
import pytest

import hostile
from weighlock.errors import InputError
from weighlock.ledger import Ledger
from weighlock.scanners import Report, Severity, Status, Verdict, outside
from weighlock.scanners.isolation import Limits
from weighlock.scanners.outside import Outside, chosen
from weighlock.scanners.strict import Strict
from weighlock.stages import Context
from weighlock.stages.scan import Inputs, run, scan_model

SCHEMA = json.loads((Path(__file__).parents[2] / "scripts/weighlock/schemas/ledger.json").read_text())
LIMITS = Limits(memory=1024**3, seconds=4.0, patience=1.0)
FAKE = """
import enum, os, socket, sys, time
from types import SimpleNamespace

class SafetyLevel(enum.Enum):
    Innocuous = "innocuous"
    Dangerous = "dangerous"

def scan_bytes(stream, name, ending):
    print("noise")
    words = stream.read()
    if b"hang" in words:
        time.sleep(600)
    if b"die" in words:
        os._exit(7)
    if b"raise" in words:
        raise ValueError("choked")
    if b"connect" in words:
        socket.create_connection(("127.0.0.1", 9))
    found = []
    if b"where" in words:
        found = [("where", " ".join([name, str(os.listdir() == []), str(os.environ.get("SECRET_TOKEN"))]))]
    if b"system" in words:
        found = [("posix", "system")]
    listed = [SimpleNamespace(module=module, name=name, safety=SafetyLevel.Dangerous) for module, name in found]
    return SimpleNamespace(globals=listed, scan_err=b"odd" in words)
"""


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of environments, with a picklescan that does as the file says."""
    folder = tmp_path_factory.mktemp("engines")
    venv.create(folder / "picklescan", symlinks=os.name != "nt")
    (packages,) = (folder / "picklescan").rglob("site-packages")
    (packages / "picklescan").mkdir()
    (packages / "picklescan" / "__init__.py").touch()
    (packages / "picklescan" / "scanner.py").write_text(FAKE)
    (packages / "picklescan-9.9.dist-info").mkdir()
    (packages / "picklescan-9.9.dist-info" / "METADATA").write_text("Name: picklescan\nVersion: 9.9\n")
    venv.create(folder / "hayward", symlinks=os.name != "nt")
    return folder


@pytest.fixture
def engine(engines: Path) -> Iterator[Outside]:
    python = next((engines / "picklescan").glob("[bS]*/python*"))
    with Outside("picklescan", python, limits=LIMITS) as made:
        yield made


def scan(folder: Path, engine: Outside, **files: str) -> dict[str, tuple[Verdict, Report]]:
    """Scan text files of these contents; return the verdict and what the engine says of each."""
    for name, content in files.items():
        (folder / f"{name}.txt").write_text(content)
    _, ledger = scan_model(folder, scanners=[Strict()], more=[engine])
    jsonschema.validate(ledger.to_json(), SCHEMA)
    return {row.path.removesuffix(".txt"): (row.verdict, row.reports[-1]) for row in ledger.rows}


def test_its_finding_makes_a_file_unsafe(engine: Outside, tmp_path: Path) -> None:
    verdict, report = scan(tmp_path, engine, a="system")["a"]
    assert verdict is Verdict.UNSAFE
    assert (report.engine, report.version, report.status) == ("picklescan", "9.9", Status.PARTIAL)
    assert [(item.rule, item.severity, item.message) for item in report.findings] == [
        ("picklescan.dangerous", Severity.HIGH, "uses posix.system")
    ]


def test_its_silence_makes_no_file_safe(engine: Outside, tmp_path: Path) -> None:
    (tmp_path / "mystery").write_bytes(bytes(range(256)))
    assert scan(tmp_path, engine)["mystery"][0] is Verdict.UNSCANNED


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("hang", "took longer than 4 seconds"),
        ("die", "ended with exit code 7"),
        ("raise", "ValueError: choked"),
        ("odd", "picklescan failed on it"),
    ],
)
def test_its_trouble_is_recorded_and_ends_nothing(words: str, reason: str, engine: Outside, tmp_path: Path) -> None:
    found = scan(tmp_path, engine, a=words, b="system")
    verdict, report = found["a"]
    assert (verdict, report.status) == (Verdict.SAFE, Status.ERROR)
    assert reason in report.reason
    assert found["b"][0] is Verdict.UNSAFE


def test_it_sees_neither_secrets_nor_the_network(
    engine: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    found = scan(tmp_path, engine, a="where", b="connect")
    assert [item.message for item in found["a"][1].findings] == ["uses where.a.txt True None"]
    refused = "PermissionError" if sys.platform == "linux" else "ConnectionRefusedError"
    assert refused in found["b"][1].reason


def test_it_is_not_given_large_files(engines: Path, tmp_path: Path) -> None:
    python = next((engines / "picklescan").glob("[bS]*/python*"))
    with Outside("picklescan", python, limits=LIMITS, size_limit=3) as small:
        report = scan(tmp_path, small, a="system")["a"][1]
    assert (report.status, "more than picklescan is given" in report.reason) == (Status.SKIPPED, True)


def test_content_chooses_the_ending(engine: Outside, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(hostile.PLAIN.replace(b"honest", b"where!"))
    assert "blob.pkl" in scan(tmp_path, engine)["model.safetensors"][1].findings[0].message


def ledger(model: Path, engines: tuple[str, ...], environ: dict[str, str]) -> Ledger:
    return run(Inputs(model, engines=engines), Context(environ={"CI": "true", **environ})).ledger


def test_only_engines_that_are_named_are_asked(engines: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("system")
    environ = {outside.VARIABLE: str(engines)}
    assert ledger(tmp_path, (), environ).verdict is Verdict.SAFE
    assert ledger(tmp_path, ("picklescan",), environ).verdict is Verdict.UNSAFE
    python = next((engines / "picklescan").glob("[bS]*/python*"))
    assert ledger(tmp_path, (f"picklescan={python}",), {}).verdict is Verdict.UNSAFE


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("clamav",), "is no engine"),
        (("../picklescan",), "is no engine"),
        (("picklescan", "picklescan"), "stands twice"),
        (("fickling",), "there is no Python for the engine fickling"),
        (("picklescan=python",), "there is no Python for the engine picklescan"),
        (("hayward",), "the engine hayward does not start: ModuleNotFoundError"),
    ],
)
def test_an_engine_that_is_not_there_is_no_scan(
    words: tuple[str, ...], reason: str, engines: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(InputError, match=reason):
        ledger(tmp_path, words, {outside.VARIABLE: str(engines)})


@pytest.mark.parametrize("name", outside.NAMES)
def test_the_real_ones_know_the_classic(name: str, tmp_path: Path) -> None:
    if not os.environ.get(outside.VARIABLE):
        pytest.skip(f"{outside.VARIABLE} is not set")
    (tmp_path / "evil").write_bytes(hostile.payload())
    (tmp_path / "plain").write_bytes(hostile.PLAIN)
    with ExitStack() as stack:
        more = chosen([name], os.environ, stack)
        _, found = scan_model(tmp_path, scanners=[Strict()], more=more)
    assert [len(row.reports[-1].findings) for row in found.rows] == [1, 0]
