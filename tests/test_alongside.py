"""What was built beside the model: hashed once, by digest, none behind a link that leads out, and never too many."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from weighlock.alongside import gather
from weighlock.errors import InputError
from weighlock.intoto import SUBJECT_LIMIT, Subject
from weighlock.oci import Digest

HEX = "ab" * 32
DIGEST = Digest(HEX)


@pytest.fixture
def dist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work" / "dist"
    folder.mkdir(parents=True)
    for name in ("a.whl", "b.whl", "a.tar.gz"):
        (folder / name).write_text(name)
    monkeypatch.chdir(folder.parent)
    return folder


def names(*patterns: str) -> list[str]:
    return [subject.name for subject in gather(patterns, None, [])]


def test_patterns_name_files_each_once(dist: Path) -> None:
    assert names("dist/*.whl", "dist/a.*") == ["a.whl", "b.whl", "a.tar.gz"]
    assert names("**/*.whl") == names(f"{dist}/*.whl") == ["a.whl", "b.whl"]
    (subject,) = gather(["dist/a.whl"], None, [])
    assert subject == Subject("a.whl", Digest.of(b"a.whl"))


@pytest.mark.parametrize("pattern", ["dist/*.rpm", "dist", "nothing", ""])
def test_a_pattern_without_a_file_is_an_error(dist: Path, pattern: str) -> None:
    assert dist.is_dir()
    with pytest.raises(InputError, match="names no file"):
        gather([pattern], None, [])


def test_a_link_may_not_lead_out(dist: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.whl").write_text("x")
    (dist / "z.whl").symlink_to(tmp_path / "secret.whl")
    for pattern in ("dist/*.whl", "dist/z.whl", "**/z.whl"):
        with pytest.raises(InputError, match="leads out"):
            gather([pattern], None, [])
    (dist / "z.whl").unlink()
    (dist / "z.whl").symlink_to("a.whl")
    assert names("dist/z.whl") == ["z.whl"]


def test_a_pipe_is_no_file_and_is_not_waited_for(dist: Path) -> None:
    os.mkfifo(dist / "pipe")
    with pytest.raises(InputError, match="pipe"):
        gather(["dist/pipe"], None, [])


def test_lists_of_sha256sum_are_read_as_they_are_written(dist: Path) -> None:
    (dist / "we\\ird\nname").write_text("x")
    written = subprocess.run(
        ["sha256sum", *sorted(path.name for path in dist.iterdir())], cwd=dist, capture_output=True, check=True
    )
    (dist.parent / "sums").write_bytes(written.stdout)
    found = {subject.name: subject.digest for subject in gather([], Path("sums"), [])}
    assert found == {path.name: Digest.of(path.read_bytes()) for path in dist.iterdir()}


@pytest.mark.parametrize("line", ["", "x", f"{HEX}", f"{HEX} x", f"{HEX.upper()}  x", "MD5 (x) = 1", f"{HEX}  "])
def test_any_other_line_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "sums").write_text(f"{HEX}  ok\n{line}\n")
    with pytest.raises(InputError, match="sums:2" if line else "sums:2|ok"):
        gather([], tmp_path / "sums", [])


def test_images_come_with_their_digest() -> None:
    assert gather([], None, [f"ghcr.io/acme/app@sha256:{HEX}"]) == (Subject("ghcr.io/acme/app", DIGEST),)
    for word in ("ghcr.io/acme/app:v1", "ghcr.io/acme/app@sha256:12", f"@sha256:{HEX}", ""):
        with pytest.raises(InputError):
            gather([], None, [word])


def test_the_runners_list_is_taken_in_the_version_that_we_know(tmp_path: Path) -> None:
    listed = tmp_path / "list.json"
    subject = {"name": "app", "digest": f"sha256:{HEX}", "kind": "oci"}
    listed.write_text(json.dumps({"version": 1, "subjects": [subject]}))
    assert gather([], None, [], listed) == (Subject("app", DIGEST),)
    for wrong in (
        '{"version": 2, "subjects": []}',
        '{"version": 1}',
        '{"version": 1, "subjects": [{"name": "x"}]}',
        "[]",
    ):
        listed.write_text(wrong)
        with pytest.raises(InputError, match="GITHUB_ARTIFACTS_LIST"):
            gather([], None, [], listed)


def test_more_than_a_statement_covers_is_refused_and_nothing_is_left_out(tmp_path: Path) -> None:
    sums = tmp_path / "sums"
    lines = [f"{number:064x}  {number}\n" for number in range(SUBJECT_LIMIT)]
    sums.write_text("".join(lines[:-1]))
    assert len(gather([], sums, [])) == SUBJECT_LIMIT - 1
    sums.write_text("".join(lines))
    with pytest.raises(InputError, match="1024"):
        gather([], sums, [])
