"""`model_signing`, the reference implementation of OpenSSF Model Signing, and we judge each other's bundles."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from releasing import Keys, Released, pull
from weighlock import oms
from weighlock.intoto import Statement
from weighlock.signing import Bundle

Judge = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def judge(oracle: Callable[[str], str]) -> Judge:
    """Return a function that runs ``model_signing`` with some words."""
    program = oracle("bin/model_signing")

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *words], capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
def pulled(released: Released, tmp_path: Path) -> Path:
    """Return a pulled folder, with ``model.sig`` beside it."""
    pull(released.target, tmp_path / "tiny", tmp_path / "model.sig", released.keys)
    return tmp_path / "tiny"


def verify(judge: Judge, folder: Path, signature: Path, keys: Keys) -> subprocess.CompletedProcess[str]:
    return judge("verify", "key", folder, "--signature", signature, "--public_key", keys.public)


def test_it_accepts_what_pull_wrote(judge: Judge, pulled: Path, released: Released) -> None:
    done = verify(judge, pulled, pulled.parent / "model.sig", released.keys)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verification succeeded" in done.stdout


def test_it_accepts_the_folder_that_was_released(judge: Judge, pulled: Path, released: Released) -> None:
    done = verify(judge, released.model, pulled.parent / "model.sig", released.keys)
    assert done.returncode == 0, done.stdout + done.stderr


def change(folder: Path) -> None:
    path = folder / "sub" / "part.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def add(folder: Path) -> None:
    (folder / "sub" / "more.txt").write_text("not released")


def remove(folder: Path) -> None:
    (folder / "empty.txt").unlink()


def swap(folder: Path) -> None:
    for old, new in (("config.json", "x"), ("README.md", "config.json"), ("x", "README.md")):
        (folder / old).rename(folder / new)


@pytest.mark.parametrize("damage", [change, add, remove, swap])
def test_it_rejects_other_files(judge: Judge, pulled: Path, released: Released, damage: Callable[[Path], None]) -> None:
    damage(pulled)
    done = verify(judge, pulled, pulled.parent / "model.sig", released.keys)
    assert done.returncode == 1
    assert "Signature mismatch" in done.stdout + done.stderr


def test_it_rejects_another_key(judge: Judge, pulled: Path, other_keys: Keys) -> None:
    assert verify(judge, pulled, pulled.parent / "model.sig", other_keys).returncode == 1


def test_both_come_to_the_same_root(judge: Judge, released: Released, pulled: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.sig"
    folder = shutil.copytree(released.model, tmp_path / "copy" / "tiny")
    done = judge("sign", "key", folder, "--signature", theirs, "--private_key", released.keys.private)
    assert done.returncode == 0, done.stdout + done.stderr
    payloads = [Bundle.parse(path.read_bytes()).payload for path in (theirs, pulled.parent / "model.sig")]
    subjects, predicates = zip(
        *((item["subject"], item["predicate"]) for item in map(json.loads, payloads)), strict=True
    )
    assert subjects[0][0]["digest"] == subjects[1][0]["digest"]
    assert predicates[0]["resources"] == predicates[1]["resources"]
    assert predicates[0]["serialization"]["method"] == predicates[1]["serialization"]["method"]
    assert oms.files(Statement.parse(payloads[0])) == oms.files(Statement.parse(payloads[1]))
