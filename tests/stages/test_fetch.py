"""Fetching what nobody signed: by digest only, every file as described, all of them or none."""

from __future__ import annotations

import hashlib
from pathlib import Path

from commands import weighlock


def staged(model: Path, tmp_path: Path) -> str:
    digest = weighlock("package", model, "--to", f"oci:{tmp_path}/staged").out.strip()
    return f"oci:{tmp_path}/staged@{digest}"


def test_the_files_are_those_of_the_digest_and_are_called_unverified(model: Path, tmp_path: Path) -> None:
    done = weighlock("fetch", staged(model, tmp_path), tmp_path / "there")
    assert done.code == 0, done.err
    assert "verified by nobody" in done.out
    for path in model.iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()


def test_a_tag_is_not_fetched_since_it_may_move(model: Path, tmp_path: Path) -> None:
    place = staged(model, tmp_path).partition("@")[0]
    done = weighlock("fetch", f"{place}:v1", tmp_path / "there")
    assert done.code == 2
    assert "is no digest" in done.err


def test_damaged_bytes_are_not_written(model: Path, tmp_path: Path) -> None:
    target = staged(model, tmp_path)
    digest = hashlib.sha256((model / "README.md").read_bytes()).hexdigest()
    blob = tmp_path / "staged/blobs/sha256" / digest
    blob.chmod(0o644)
    blob.write_bytes(b"# A tiny m0del\n")
    assert weighlock("fetch", target, tmp_path / "there").code == 1
    assert not (tmp_path / "there").exists()
