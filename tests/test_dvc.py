"""What DVC keeps: read from its own files, brought from a cache, and held against what lies in the work tree.

Names, digests and the layout of the cache are those that DVC 3.67.1 made of these files.
"""

from __future__ import annotations

import json
from hashlib import md5
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.dvc import Out, content, outs

FILES = {"a.txt": b"c", "sub/b": b"b\n", "ü.txt": b"hello\n"}
FOLDER = Out("m", "3fd9a1d1f7ef158c362800c878518d5f", 9, folder=True)
FILE = Out("one.pkl", "dd5c07036f2975ff4bce568b6511d3bc", 6)
MADE = b"""\
outs:
- md5: 3fd9a1d1f7ef158c362800c878518d5f.dir
  size: 9
  nfiles: 3
  hash: md5
  path: m
"""
LOCK = b"stages: {train@a: {outs: [{path: ../m/w.pkl, md5: '1'}]}, plain: {outs: [{path: p.pkl, md5: '2'}]}}"
PIPELINE = b"stages: {train: {foreach: [a], do: {cmd: x, wdir: steps}}, plain: {cmd: y}}"


def store(cache: Path, raw: bytes, ending: str = "", layout: str = "files/md5") -> str:
    """Put content where DVC has it."""
    digest = md5(raw, usedforsecurity=False).hexdigest()
    place = cache / layout / digest[:2] / (digest[2:] + ending)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(raw)
    return digest


def store_folder(cache: Path, files: dict[str, bytes]) -> Out:
    listing = [{"md5": store(cache, raw), "relpath": name} for name, raw in sorted(files.items())]
    return Out("m", store(cache, json.dumps(listing).encode(), ".dir"), folder=True)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "top/.git").mkdir(parents=True)
    return tmp_path / "top"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_what_dvc_wrote_is_read() -> None:
    assert list(outs("m.dvc", MADE)) == [FOLDER]
    assert [out.path for out in outs("sub/m.dvc", MADE)] == ["sub/m"]


def test_a_stage_may_run_in_another_folder() -> None:
    assert [out.path for out in outs("x/dvc.lock", LOCK, PIPELINE)] == ["x/m/w.pkl", "x/p.pkl"]


@pytest.mark.parametrize("path", ["/etc/x", "../x", "..", "a/../../x"])
def test_no_name_leads_out(path: str) -> None:
    assert list(outs("m.dvc", f"outs: [{{path: {path}, md5: '1'}}]".encode())) == []


@given(st.binary(max_size=200), st.sampled_from(["a.dvc", "dvc.lock"]))
def test_a_broken_file_names_nothing_and_raises_nothing(raw: bytes, name: str) -> None:
    assert isinstance(list(outs(name, raw, raw)), list)


@pytest.mark.parametrize("layout", ["files/md5", "."])
def test_a_file_comes_from_the_cache_of_either_layout(top: Path, cache: Path, layout: str) -> None:
    store(cache, b"single", layout=layout)
    content.bring(top, [FILE], cache)
    assert (top / "one.pkl").read_bytes() == b"single"
    assert content.wrong(top, FILE) == ""


def test_a_folder_comes_from_the_cache_and_has_the_digest_that_dvc_gave_it(top: Path, cache: Path) -> None:
    assert store_folder(cache, FILES).md5 == FOLDER.md5
    content.bring(top, [FOLDER], cache)
    assert {name: (top / "m" / name).read_bytes() for name in FILES} == FILES
    assert content.wrong(top, FOLDER) == ""
    (top / "m/more").write_text("")
    assert content.wrong(top, FOLDER) == "what lies here is not what DVC names"


def test_what_is_not_there_or_not_the_same_is_said(top: Path, cache: Path) -> None:
    content.bring(top, [FILE, FOLDER], cache)
    assert "is not here" in content.wrong(top, FILE)
    assert "is not here" in content.wrong(top, FOLDER)
    (top / "one.pkl").write_bytes(b"another")
    store(cache, b"single")
    content.bring(top, [FILE], cache)
    assert (top / "one.pkl").read_bytes() == b"another"
    assert "not what DVC names" in content.wrong(top, FILE)
    assert "names no MD5" in content.wrong(top, Out("one.pkl", ""))
    (top / "m").write_text("a file")
    assert content.wrong(top, FOLDER)


def test_a_cache_that_lies_is_found_out(top: Path, cache: Path) -> None:
    store(cache, b"single")
    (cache / "files/md5" / FILE.md5[:2] / FILE.md5[2:]).write_bytes(b"forged")
    store_folder(cache, FILES)
    (cache / "files/md5" / FOLDER.md5[:2] / f"{FOLDER.md5[2:]}.dir").write_bytes(b"[]")
    content.bring(top, [FILE, FOLDER], cache)
    assert "not what DVC names" in content.wrong(top, FILE)
    assert "not here" in content.wrong(top, FOLDER)


@pytest.mark.parametrize(
    "name", [".git/hooks/x", "../x", "/tmp/x", "sub/../../x", ".GIT/config", ".dvc/config", "link/x", "a\\b", ""]
)
def test_a_hostile_name_is_written_nowhere(top: Path, cache: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").mkdir()
    (top / "link").symlink_to(tmp_path / "outside")
    (top / "m").mkdir()
    (top / "m/link").symlink_to(tmp_path / "outside")
    before = sorted(tmp_path.rglob("*"))
    listed = store_folder(cache, {name: b"single"})
    content.bring(top, [Out(name, FILE.md5), listed], cache)
    assert [path for path in sorted(tmp_path.rglob("*")) if cache not in (path, *path.parents)] == before


def test_a_link_in_the_work_tree_is_not_followed(top: Path, cache: Path) -> None:
    (top / "same").symlink_to(".")
    store(cache, b"single")
    content.bring(top, [Out("same/weighlock.yml", FILE.md5)], cache)
    assert sorted(path.name for path in top.iterdir()) == [".git", "same"]


@given(st.binary(max_size=200))
def test_a_broken_list_brings_nothing(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    place = tmp_path_factory.mktemp("x")
    digest = store(place / "cache", raw, ".dir")
    content.bring(place, [Out("m", digest, folder=True)], place / "cache")
    assert not (place / "m").exists()
