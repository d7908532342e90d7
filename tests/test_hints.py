"""Hints, as a list of attacks: what makes a kept digest void, and what names may claim."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from weighlock.errors import InputError
from weighlock.hints import LEAST, Weighed, named
from weighlock.model import ModelFile, walk, weigh
from weighlock.oci import Digest

SECOND = 10**9
CONTENT = b"\1" * LEAST
OTHER = b"\2" * LEAST


def later() -> int:
    """Return a time at which nothing here is fresh any more."""
    return time.time_ns() + 10 * SECOND


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "w.bin").write_bytes(CONTENT)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def weighed(model: Path) -> ModelFile:
    return weigh(walk(model)[0])


def known(model: Path, kept: Path) -> ModelFile | None:
    """Return what a later run knows of the model's first file."""
    return Weighed(kept).known(walk(model)[0])


def entry(kept: Path) -> Path:
    (found,) = (path for path in kept.rglob("*") if path.is_file())
    return found


def sealed(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_a_file_that_did_not_change_is_known_unread(model: Path, kept: Path) -> None:
    file = weighed(model)
    Weighed(kept, now=later).keep([file])
    assert known(model, kept) == file


def restored(change: Callable[[Path], object]) -> Callable[[Path], None]:
    """Return the change, followed by setting the times back."""

    def run(file: Path) -> None:
        before = file.stat()
        change(file)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    return run


def in_place(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.write(b"\3")


def replaced(file: Path) -> None:
    twin = file.with_name("twin")
    twin.write_bytes(OTHER)
    twin.replace(file)


def made_anew(file: Path) -> None:
    """Delete the file and make another, which may get the same inode."""
    file.unlink()
    file.write_bytes(OTHER)


@pytest.mark.parametrize(
    "change",
    [
        in_place,
        replaced,
        made_anew,
        restored(in_place),
        restored(replaced),
        restored(made_anew),
        lambda file: os.truncate(file, LEAST + 1),
        restored(lambda file: os.truncate(file, LEAST + 1)),
        lambda file: os.utime(file, ns=(1, 1)),
    ],
)
def test_a_file_that_may_have_changed_is_not_known(model: Path, kept: Path, change: Callable[[Path], object]) -> None:
    Weighed(kept, now=later).keep([weighed(model)])
    assert known(model, kept)
    change(model / "w.bin")
    assert known(model, kept) is None


@pytest.mark.parametrize("part", range(1, 6), ids=["device", "inode", "size", "mtime", "ctime"])
def test_each_part_of_the_stamp_counts(model: Path, kept: Path, part: int) -> None:
    Weighed(kept, now=later).keep([weighed(model)])
    words = entry(kept).read_bytes().partition(b"\n")[2].split(b" ")
    words[part] = b"%d" % (int(words[part]) + 1)
    entry(kept).write_bytes(sealed(b" ".join(words)))
    assert known(model, kept) is None


@pytest.mark.parametrize("substitute", ["link", "pipe"])
def test_what_is_no_file_any_more_is_not_known(model: Path, kept: Path, tmp_path: Path, substitute: str) -> None:
    Weighed(kept, now=later).keep([weighed(model)])
    (found,) = walk(model)
    (model / "w.bin").rename(tmp_path / "w.bin")
    if substitute == "link":
        (model / "w.bin").symlink_to(tmp_path / "w.bin")
    else:
        os.mkfifo(model / "w.bin")
    assert Weighed(kept).known(found) is None


def test_a_file_at_another_place_is_not_known(model: Path, kept: Path) -> None:
    Weighed(kept, now=later).keep([weighed(model)])
    (model / "w.bin").rename(model / "v.bin")
    assert known(model, kept) is None


@pytest.mark.parametrize(("age", "is_kept"), [(-3600.0, False), (0.0, False), (1.9, False), (2.1, True)])
def test_a_file_that_changed_just_before_the_run_or_in_the_future_is_not_kept(
    model: Path, kept: Path, age: float, is_kept: bool
) -> None:
    file = weighed(model)
    Weighed(kept, now=lambda: max(file.stamp[3:]) + int(age * SECOND)).keep([file])
    assert (known(model, kept) is not None) is is_kept


def test_an_old_mtime_does_not_make_a_fresh_file_old(model: Path, kept: Path) -> None:
    os.utime(model / "w.bin", ns=(1, 1))
    Weighed(kept).keep([weighed(model)])
    assert known(model, kept) is None


def test_a_file_that_changes_between_reading_and_keeping_is_not_known(model: Path, kept: Path) -> None:
    file = weighed(model)
    restored(in_place)(model / "w.bin")
    Weighed(kept, now=later).keep([file])
    assert known(model, kept) is None


def test_small_files_are_always_read(model: Path, kept: Path) -> None:
    os.truncate(model / "w.bin", LEAST - 1)
    Weighed(kept, now=later).keep([weighed(model)])
    assert known(model, kept) is None
    assert not kept.exists()


@pytest.mark.parametrize(
    "poison",
    [
        lambda body: body[:-1],
        lambda body: body.replace(b"sha256:", b"sha512:"),
        lambda body: body.replace(b"sha256:", b"sha256: "),
        lambda body: body.rpartition(b" ")[0],
        lambda body: b"0" + body[1:] if body[:1] != b"0" else b"1" + body[1:],
        lambda _: b"\xff\xfe\0",
        lambda _: b"",
    ],
)
def test_an_entry_that_is_not_as_we_write_it_is_none(model: Path, kept: Path, poison: Callable[[bytes], bytes]) -> None:
    Weighed(kept, now=later).keep([weighed(model)])
    entry(kept).write_bytes(sealed(poison(entry(kept).read_bytes().partition(b"\n")[2])))
    assert known(model, kept) is None


def test_an_entry_of_another_file_is_none(model: Path, kept: Path) -> None:
    (model / "v.bin").write_bytes(OTHER)
    Weighed(kept, now=later).keep(weigh(found) for found in walk(model))
    one, other = (path for path in kept.rglob("*") if path.is_file())
    one.write_bytes(other.read_bytes())
    assert sum(Weighed(kept).known(found) is not None for found in walk(model)) == 1


def test_what_is_forgotten_is_not_known(model: Path, kept: Path) -> None:
    cache = Weighed(kept, now=later)
    cache.keep([weighed(model)])
    cache.forget([weighed(model)])
    assert known(model, kept) is None


def test_a_cache_that_cannot_be_written_is_said_and_no_failure(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    said: list[str] = []
    Weighed(tmp_path / "file", said.append, later).keep([weighed(model)])
    assert any("cannot be written" in words for words in said)


def test_what_cannot_be_forgotten_is_said(model: Path, kept: Path) -> None:
    said: list[str] = []
    cache = Weighed(kept, said.append, later)
    cache.keep([weighed(model)])
    place = entry(kept)
    place.unlink()
    place.mkdir()
    cache.forget([weighed(model)])
    assert any("remove it" in words for words in said)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def commit_pointer(model: Path, digest: str, size: int) -> None:
    """Commit a pointer in place of ``w.bin``, whose content stays in the work tree, as Git LFS leaves it."""
    content = (model / "w.bin").read_bytes()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"
    (model / "w.bin").write_text(pointer)
    git(model.parent, "init", "-q")
    git(model.parent, "add", "model")
    git(model.parent, "commit", "-q", "-m", "x")
    (model / "w.bin").write_bytes(content)


def test_git_s_pointer_names_the_file(model: Path) -> None:
    commit_pointer(model, "a" * 64, LEAST)
    assert named(model, walk(model)) == {"w.bin": Digest("a" * 64)}
    single = model / "w.bin"
    assert named(single, walk(single)) == {"w.bin": Digest("a" * 64)}


def test_a_pointer_of_another_size_names_nothing(model: Path) -> None:
    commit_pointer(model, "a" * 64, LEAST + 1)
    assert named(model, walk(model)) == {}


def test_a_pointer_that_was_not_fetched_names_nothing(model: Path) -> None:
    commit_pointer(model, "a" * 64, LEAST)
    git(model.parent, "checkout", "-q", "--", "model/w.bin")
    assert named(model, walk(model)) == {}


def test_a_repository_without_a_commit_or_with_a_broken_one_names_nothing(model: Path) -> None:
    git(model.parent, "init", "-q")
    assert named(model, walk(model)) == {}
    commit_pointer(model, "a" * 64, LEAST)
    shutil.rmtree(model.parent / ".git" / "objects")
    assert named(model, walk(model)) == {}


def hub(top: Path) -> Path:
    """Make Hugging Face's cache of one model, whose weights are large and whose configuration is git's."""
    folder = top / "models--acme--m"
    (folder / "blobs").mkdir(parents=True)
    (folder / "blobs" / ("b" * 64)).write_bytes(b"weights")
    (folder / "blobs" / ("c" * 40)).write_bytes(b"{}")
    snapshot = folder / "snapshots" / ("d" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "w.bin").symlink_to(f"../../blobs/{'b' * 64}")
    (snapshot / "config.json").symlink_to(f"../../blobs/{'c' * 40}")
    return folder


def test_hugging_face_s_blob_names_name_the_files_that_link_to_them(tmp_path: Path) -> None:
    folder = hub(tmp_path)
    snapshot = f"snapshots/{'d' * 40}"
    told = named(folder, walk(folder))
    assert told == dict.fromkeys([f"blobs/{'b' * 64}", f"{snapshot}/w.bin"], Digest("b" * 64))
    with pytest.raises(InputError, match="points out of the model"):
        walk(folder / snapshot)


def note(model: Path, text: str) -> Path:
    place = model / ".cache/huggingface/download/w.bin.metadata"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


@pytest.mark.parametrize(
    ("etag", "is_named"), [("e" * 64, True), ("e" * 40, False), ("E" * 64, False), ("e" * 65, False), ("", False)]
)
def test_hugging_face_s_note_beside_a_download_names_the_file(model: Path, etag: str, is_named: bool) -> None:
    note(model, f"{'d' * 40}\n{etag}\n1700000000.0\n")
    assert named(model, walk(model)) == ({"w.bin": Digest("e" * 64)} if is_named else {})


def test_a_note_that_is_none_names_nothing(model: Path, tmp_path: Path) -> None:
    entries = walk(model)
    place = note(model, "one line")
    assert named(model, entries) == {}
    place.write_bytes(b"\xff" * 5000)
    assert named(model, entries) == {}
    (tmp_path / "secret").write_text(f"x\n{'e' * 64}\n")
    place.unlink()
    place.symlink_to(tmp_path / "secret")
    assert named(model, entries) == {}
