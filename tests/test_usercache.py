"""The user's cache: an entry is there whole or not at all, and nobody but the user can have written it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from weighlock import usercache
from weighlock.usercache import Entries

KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def entries(tmp_path: Path) -> Entries:
    made = Entries(tmp_path / "kept", 200)
    made.write(KEY, b"what is known")
    return made


def place(entries: Entries) -> Path:
    return entries.folder / KEY[:2] / KEY


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def to_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def to_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def too_long(path: Path) -> None:
    body = bytes(200)
    path.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b" "),
        lambda path: path.write_bytes(path.read_bytes().replace(b"known", b"wrong")),
        lambda path: path.chmod(0o666),
        lambda path: path.chmod(0o620),
        too_long,
        linked,
        to_a_pipe,
        to_a_folder,
    ],
)
def test_a_damaged_entry_or_one_that_others_may_write_is_none(entries: Entries, spoil: Callable[[Path], None]) -> None:
    assert entries.read(KEY) == b"what is known"
    spoil(place(entries))
    assert entries.read(KEY) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_an_entry_of_somebody_else_is_none(entries: Entries) -> None:
    os.chown(place(entries), 12345, 12345)
    assert entries.read(KEY) is None


def test_entries_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = usercache.folder({"XDG_CACHE_HOME": str(tmp_path)}, "kept")
        assert folder
        made = Entries(folder, 200)
        made.write(KEY, b"x")
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o077 for path in (folder, place(made).parent, place(made))] == [0, 0, 0]


def test_what_is_dropped_is_gone_and_may_be_dropped_again(entries: Entries) -> None:
    entries.drop(KEY)
    entries.drop(KEY)
    assert entries.read(KEY) is None


def test_the_oldest_go_and_what_a_killed_run_left_goes_with_them(entries: Entries) -> None:
    left = place(entries).with_name("tmpleft")
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    os.utime(place(entries), (2, 2))
    entries.write(OTHER, b"newer")
    entries.prune(2)
    assert (left.exists(), entries.read(KEY), entries.read(OTHER)) == (False, b"what is known", b"newer")
    entries.prune(1)
    assert (entries.read(KEY), entries.read(OTHER)) == (None, b"newer")


def test_a_write_that_fails_leaves_nothing_behind(entries: Entries) -> None:
    to_a_folder(place(entries))
    with pytest.raises(OSError, match=KEY):
        entries.write(KEY, b"x")
    assert list(place(entries).parent.iterdir()) == [place(entries)]


def test_writers_and_readers_at_the_same_time_see_whole_entries_only(entries: Entries) -> None:
    bodies = [letter * 100 for letter in (b"a", b"b", b"c")]
    entries.write(KEY, bodies[0])
    seen: set[bytes | None] = set()

    def write(body: bytes) -> None:
        for _ in range(200):
            entries.write(KEY, body)

    writers = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.add(entries.read(KEY))
        entries.prune(10)
    assert seen <= set(bodies)
    assert entries.read(KEY) in bodies
    assert len(list(place(entries).parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("choice", "environ", "used"),
    [
        (None, {}, True),
        (None, {"CI": "false"}, True),
        (None, {"CI": "true"}, False),
        (None, {"GITHUB_ACTIONS": "true"}, False),
        (True, {"CI": "true"}, True),
        (False, {}, False),
    ],
)
def test_ci_uses_it_only_when_told_to(choice: bool | None, environ: dict[str, str], used: bool) -> None:
    assert usercache.wanted(choice, environ) is used


def test_the_folder_is_the_user_s(tmp_path: Path) -> None:
    assert usercache.folder({"WEIGHLOCK_CACHE_DIR": str(tmp_path)}, "scan") == tmp_path / "scan"
    assert usercache.folder({"XDG_CACHE_HOME": str(tmp_path)}, "scan") == tmp_path / "weighlock" / "scan"
    (tmp_path / "scan").chmod(0o777)
    assert usercache.folder({"WEIGHLOCK_CACHE_DIR": str(tmp_path)}, "scan") is None
    (tmp_path / "file").write_bytes(b"")
    assert usercache.folder({"WEIGHLOCK_CACHE_DIR": str(tmp_path / "file")}, "scan") is None
