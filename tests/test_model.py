"""The walk and the one read: what a model may hold, and what ends in a clear error instead."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighlock.errors import InputError, UnfinishedError, WeighlockError
from weighlock.model import PATH_LIMIT, check_path, open_regular, walk, weigh


def make(root: Path, **files: bytes) -> Path:
    root.mkdir(exist_ok=True)
    for name, content in files.items():
        (root / name).write_bytes(content)
    return root


def test_files_come_in_the_order_of_their_bytes_and_are_digested(tmp_path: Path) -> None:
    root = make(tmp_path / "m", b=b"2", a=b"1", B=b"3")
    (root / "B").rename(root / "Z")
    (root / "sub").mkdir()
    (root / "sub" / "c").write_bytes(b"4")
    files = [weigh(entry) for entry in walk(root)]
    assert [file.path for file in files] == ["Z", "a", "b", "sub/c"]
    assert files[1].digest.hex == hashlib.sha256(b"1").hexdigest()


def test_sinks_see_every_byte_of_the_one_read(tmp_path: Path) -> None:
    class Sink:
        seen = b""

        def feed(self, chunk: bytes) -> None:
            self.seen += chunk

    content = os.urandom(3_000_000)
    (entry,) = walk(make(tmp_path / "m", a=content))
    sink = Sink()
    assert weigh(entry, [sink]).size == len(content)
    assert sink.seen == content


def test_gits_own_files_at_the_root_are_left_out_and_no_other_hidden_file(tmp_path: Path) -> None:
    root = make(tmp_path / "m", a=b"1")
    for name in (".gitattributes", ".gitignore", ".evil.pkl"):
        (root / name).write_bytes(b"x")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(b"x")
    assert [entry.path for entry in walk(root)] == [".evil.pkl", "a"]


def test_one_file_is_a_model_too(tmp_path: Path) -> None:
    root = make(tmp_path / "m", **{"a.onnx": b"1", "other": b"2"})
    assert [entry.path for entry in walk(root / "a.onnx")] == ["a.onnx"]


def test_a_link_inside_counts_as_its_content(tmp_path: Path) -> None:
    root = make(tmp_path / "m", a=b"1")
    (root / "sub").mkdir()
    (root / "sub" / "c").write_bytes(b"4")
    (root / "link").symlink_to("a")
    (root / "folder").symlink_to("sub")
    files = {entry.path: weigh(entry).digest.hex for entry in walk(root)}
    assert files["link"] == files["a"]
    assert files["folder/c"] == files["sub/c"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("/etc/hostname", "points out of the model"),
        ("../outside", "points out of the model"),
        ("nowhere", "points at nothing"),
        ("link", "points at nothing"),
        (".", "in a circle"),
    ],
)
def test_a_link_that_leads_astray_is_refused(tmp_path: Path, target: str, words: str) -> None:
    make(tmp_path / "outside", secret=b"s")
    root = make(tmp_path / "m", a=b"1")
    (root / "link").symlink_to(target)
    with pytest.raises(InputError, match=words):
        walk(root)


@pytest.mark.parametrize("content", ["missing", "empty", "folders only"])
def test_a_model_without_files_is_refused(tmp_path: Path, content: str) -> None:
    root = tmp_path / "m"
    if content != "missing":
        (root / "sub" if content == "folders only" else root).mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        walk(root)
    assert caught.value.exit_code == 2
    assert caught.value.remedy


@pytest.mark.parametrize(
    "name", [b"a\nb", b"a\x1b[31m", b"\xff\xfe", b"a\\b", b"c:evil", "a\u202eb".encode(), b"x" * 200 + b"\n"]
)
def test_a_name_that_other_systems_could_not_hold_is_refused_and_never_printed_raw(tmp_path: Path, name: bytes) -> None:
    root = make(tmp_path / "m", a=b"1")
    Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"x")
    with pytest.raises(InputError) as caught:
        walk(root)
    assert str(caught.value).isprintable() or str(caught.value).replace("\n  ", "").isprintable()


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "..", "a/../b", "a//b", "./a", "a/", "C:/x", "a" * (PATH_LIMIT + 1), "x/" * 2048 + "x"]
)
def test_a_path_that_is_not_plainly_relative_is_refused(path: str) -> None:
    with pytest.raises(InputError):
        check_path(path)


def test_a_path_of_4096_bytes_on_disk_is_refused(tmp_path: Path) -> None:
    root = make(tmp_path / "m", a=b"1")
    here = os.open(root, os.O_RDONLY)
    for _ in range(17):  # deeper than any absolute path may be, so by descriptors
        os.mkdir("d" * 240, dir_fd=here)
        below = os.open("d" * 240, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    with pytest.raises(InputError, match="bytes, the limit is"):
        walk(root)


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="differ only in case"):
        walk(make(tmp_path / "m", model=b"1", Model=b"2"))


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make(tmp_path / "m", a=b"1")
    if kind == "fifo":
        os.mkfifo(root / "thing")
    else:
        monkeypatch.chdir(root)  # a socket's path may have 107 bytes only
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("thing")
    with pytest.raises(InputError, match="neither a file nor a folder"):
        walk(root)


def test_an_unreadable_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    def refuse(_source: Path) -> BinaryIO:
        raise PermissionError(13, "Permission denied")

    (entry,) = walk(make(tmp_path / "m", secret=b"1"))
    with pytest.raises(InputError, match="'secret' cannot be read: Permission denied"):
        weigh(entry, opener=refuse)


def test_a_file_that_grows_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    root = make(tmp_path / "m", a=b"1" * 2_000_000)

    class Writer:
        def feed(self, _chunk: bytes) -> None:
            with (root / "a").open("ab") as stream:
                stream.write(b"!")

    with pytest.raises(UnfinishedError, match="changed while it was in use") as caught:
        weigh(walk(root)[0], [Writer()])
    assert caught.value.exit_code == 3


def test_a_file_that_was_replaced_after_weighing_does_not_open(tmp_path: Path) -> None:
    root = make(tmp_path / "m", a=b"good")
    file = weigh(walk(root)[0])
    (root / "new").write_bytes(b"evil")
    (root / "new").replace(root / "a")
    with pytest.raises(UnfinishedError, match="changed"):
        file.open()


def test_a_pipe_or_link_never_opens(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    for name in ("pipe", "link"):
        with pytest.raises(OSError):
            open_regular(tmp_path / name)


@given(st.text())
def test_a_path_that_passes_stays_inside_any_folder(path: str) -> None:
    try:
        check_path(path)
    except WeighlockError:
        return
    joined = os.path.normpath(os.path.join("/top", path))
    assert joined.startswith("/top/")
    assert joined == "/top/" + path
