"""The scan cache: what is known is not examined again, what changed is, and a damaged entry is no entry."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import hostile
from weighlock.config import ScanPolicy
from weighlock.ledger import Row
from weighlock.scanners import Blob, Finding, Report, Severity, Status, Verdict, cache
from weighlock.stages import Context
from weighlock.stages.scan import Inputs, run, scan_model


@dataclass
class Engine:
    """A scanner that remembers what it read, and asks for what it is told to."""

    status: Status = Status.COMPLETE
    findings: tuple[Finding, ...] = ()
    version: str = "1"
    asks: str = ""
    lists: bool = False
    name: str = "fake"
    read: list[str] = field(default_factory=list)

    def scan(self, blob: Blob) -> Report:
        self.read.append(blob.path)
        reason = f"{blob.beside.get(self.asks)}" if self.asks else f"{len(blob.beside)}" if self.lists else ""
        return Report(self.name, self.version, self.status, self.findings, reason)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one")
    (folder / "b.txt").write_bytes(b"two")
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def scan(model: Path, kept: Path, engine: Engine | None = None, policy: ScanPolicy | None = None) -> list[str]:
    """Scan, and return what the engine had to read."""
    engine = engine or Engine()
    scan_model(model, scanners=[engine], kept=kept, policy=policy)
    return engine.read


def rows(model: Path, kept: Path, engine: Engine) -> tuple[Row, ...]:
    return scan_model(model, scanners=[engine], kept=kept)[1].rows


def test_what_is_known_is_not_read_again_and_says_the_same(model: Path, kept: Path) -> None:
    engine = Engine(findings=(Finding("rule", Severity.HIGH, "words", "member", 7),))
    first = rows(model, kept, engine)
    assert engine.read == ["a.txt", "b.txt"]
    assert rows(model, kept, engine) == first
    assert engine.read == ["a.txt", "b.txt"]


def test_only_what_changed_is_read_again(model: Path, kept: Path) -> None:
    scan(model, kept)
    (model / "b.txt").write_bytes(b"new")
    (model / "c.txt").write_bytes(b"three")
    assert scan(model, kept) == ["b.txt", "c.txt"]


def test_a_new_date_is_no_change_and_an_old_date_hides_none(model: Path, kept: Path) -> None:
    scan(model, kept)
    os.utime(model / "a.txt")
    assert scan(model, kept) == []
    before = (model / "a.txt").stat()
    (model / "a.txt").write_bytes(b"eno")
    os.utime(model / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scan(model, kept) == ["a.txt"]


def test_a_name_is_part_of_what_was_judged(model: Path, kept: Path) -> None:
    scan(model, kept)
    (model / "a.txt").rename(model / "a.png")
    assert scan(model, kept) == ["a.png"]


@pytest.mark.parametrize(
    ("engine", "policy"),
    [
        (Engine(version="2"), None),
        (Engine(name="other"), None),
        (Engine(), ScanPolicy(fail_on=Severity.HIGH)),
        (Engine(), ScanPolicy(profiles=("numpy",))),
        (Engine(), ScanPolicy(globals=("a.b",))),
    ],
)
def test_another_engine_or_policy_reads_anew(
    engine: Engine, policy: ScanPolicy | None, model: Path, kept: Path
) -> None:
    scan(model, kept)
    assert scan(model, kept, engine, policy) == ["a.txt", "b.txt"]


def test_a_policy_for_later_reads_nothing_anew(model: Path, kept: Path) -> None:
    scan(model, kept)
    assert scan(model, kept, policy=ScanPolicy(review_passes=True)) == []


def test_an_error_is_not_kept(model: Path, kept: Path) -> None:
    scan(model, kept, Engine(Status.ERROR))
    assert scan(model, kept, Engine(Status.ERROR)) == ["a.txt", "b.txt"]


def test_who_asked_for_another_file_is_asked_again_when_that_one_changes(model: Path, kept: Path) -> None:
    assert scan(model, kept, Engine(asks="b.txt")) == ["a.txt", "b.txt"]
    (model / "c.txt").write_bytes(b"three")
    assert scan(model, kept, Engine(asks="b.txt")) == ["c.txt"]
    (model / "b.txt").unlink()
    assert scan(model, kept, Engine(asks="b.txt")) == ["a.txt", "c.txt"]


def test_who_asked_for_a_file_that_was_not_there_is_asked_again_when_it_is(model: Path, kept: Path) -> None:
    scan(model, kept, Engine(asks="c.txt"))
    (model / "c.txt").write_bytes(b"three")
    assert scan(model, kept, Engine(asks="c.txt")) == ["a.txt", "b.txt", "c.txt"]


def test_who_looked_at_all_files_is_asked_again_when_one_is_added(model: Path, kept: Path) -> None:
    scan(model, kept, Engine(lists=True))
    assert scan(model, kept, Engine(lists=True)) == []
    (model / "c.txt").write_bytes(b"three")
    assert scan(model, kept, Engine(lists=True)) == ["a.txt", "b.txt", "c.txt"]


def test_what_follows_from_the_content_of_other_files_is_not_kept(tmp_path: Path, kept: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "m.onnx").write_bytes(hostile.onnx(location="w.bin"))
    (folder / "w.bin").write_bytes(b"\xff\xfe\0\1\2\3\4\5")
    assert scan_model(folder, kept=kept)[1].verdict is Verdict.SAFE
    assert scan_model(folder, kept=kept)[1].verdict is Verdict.SAFE
    (folder / "m.onnx").write_bytes(hostile.onnx())
    assert scan_model(folder, kept=kept)[1].verdict is Verdict.UNSCANNED


def entries(kept: Path) -> list[Path]:
    return sorted(path for path in kept.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"",
        lambda raw: raw[:-10],
        lambda raw: raw.replace(b"UNSAFE", b"SAFE"),
        lambda raw: raw.partition(b"\n")[2],
        lambda raw: resealed(b"[]"),
        lambda raw: resealed(b'{"key": "other"}'),
        lambda raw: resealed(raw.partition(b"\n")[2].replace(b'"UNSAFE"', b'"FINE"')),
    ],
)
def test_a_damaged_entry_is_none(damage: object, model: Path, kept: Path) -> None:
    engine = Engine(findings=(Finding("rule", Severity.HIGH, "words"),))
    assert callable(damage)
    first = rows(model, kept, engine)
    for entry in entries(kept):
        entry.write_bytes(damage(entry.read_bytes()))
    engine.read.clear()
    assert rows(model, kept, engine) == first
    assert engine.read == ["a.txt", "b.txt"]


def resealed(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_an_entry_of_another_file_is_none(model: Path, kept: Path) -> None:
    scan(model, kept)
    first, second = entries(kept)
    first.write_bytes(second.read_bytes())
    assert len(scan(model, kept)) == 1


def test_a_cache_that_cannot_be_written_costs_no_scan(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    said: list[str] = []
    _, ledger = scan_model(model, scanners=[Engine()], kept=tmp_path / "file", say=said.append)
    assert ledger.verdict is Verdict.SAFE
    assert any("cannot be written" in words for words in said)


def test_a_poisoned_cache_is_not_read_in_ci(model: Path, tmp_path: Path) -> None:
    (model / "evil.pkl").write_bytes(hostile.payload())
    here = {"WEIGHLOCK_CACHE_DIR": str(tmp_path / "kept")}
    assert run(Inputs(model), Context(environ=here)).verdict == "unsafe"
    for entry in entries(tmp_path / "kept"):
        body = entry.read_bytes().partition(b"\n")[2].replace(b'"UNSAFE"', b'"SAFE"')
        entry.write_bytes(resealed(body))
    assert run(Inputs(model), Context(environ=here)).verdict == "safe"  # who can write there decides
    assert run(Inputs(model), Context(environ={**here, "CI": "true"})).verdict == "unsafe"
    assert run(Inputs(model, cache=False), Context(environ=here)).verdict == "unsafe"


def test_conditions_name_what_reads_files_and_nothing_else() -> None:
    names = {line.split()[0] for line in cache.installed()[1:]}
    assert names >= {"modelscan", "numpy", "h5py", "jinja2", "lz4", "backports.zstd", "pyyaml"}
    assert not names & {"pytest", "ruff", "sigstore", "weighlock"}
