"""Asking git runs nothing of the repository's, whatever its configuration and its files say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repositories import git as run
from weighlock import git
from weighlock.errors import InputError, UnfinishedError
from weighlock.git import Blob, Repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "repository"
    top.mkdir()
    run(top, "init", "-q", "-b", "main")
    (top / "a.bin").write_bytes(b"one\0two")
    (top / "empty").write_bytes(b"")
    (top / "link").symlink_to("a.bin")
    run(top, "add", "-A")
    run(top, "commit", "-q", "-m", "x")
    return top


def test_blobs_come_as_they_are(folder: Path, tmp_path: Path) -> None:
    repository = Repository.at(folder)
    files = repository.files("HEAD")
    assert sorted(files) == ["a.bin", "empty", "link"]
    assert [files[name].regular for name in sorted(files)] == [True, True, False]
    with repository.reading() as reader:
        assert [reader.content(files[name]) for name in ("a.bin", "empty", "a.bin")] == [b"one\0two", b"", b"one\0two"]
        reader.write(files["a.bin"], tmp_path / "copy")
        with pytest.raises(FileExistsError):
            reader.write(files["a.bin"], tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"one\0two"


def test_an_object_that_is_not_here_is_no_empty_file(folder: Path) -> None:
    with Repository.at(folder).reading() as reader, pytest.raises(UnfinishedError, match="object"):
        reader.content(Blob("1" * 40, 3, "100644"))


def test_nothing_of_the_repository_runs(folder: Path, tmp_path: Path) -> None:
    pwned = tmp_path / "pwned"
    before = run(folder, "rev-parse", "HEAD")
    (folder / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (folder / "a.bin").write_bytes(b"other")
    run(folder, "add", "-A")
    run(folder, "commit", "-q", "-m", "y")
    for key in ("filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "diff.evil.textconv"):
        run(folder, "config", key, f"touch {pwned}; cat")
    for key in ("diff.external", "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor"):
        run(folder, "config", key, f"touch {pwned}")
    hooks = folder / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "fsmonitor-watchman", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {pwned}\n")
        (hooks / name).chmod(0o755)
    repository = Repository.at(folder)
    after = repository.commit("HEAD")
    assert after is not None
    assert repository.merge_base(before, after) == before
    assert list(git.changed(repository.files(before), repository.files(after))) == [".gitattributes", "a.bin"]
    with repository.reading() as reader:
        assert reader.content(repository.files(after)["a.bin"]) == b"other"
    assert not pwned.exists()


def test_variables_do_not_lead_elsewhere(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    assert Repository.at(folder).commit("HEAD")


@pytest.mark.parametrize("name", ["--all", "-h", "HEAD:a.bin", "@{upstream}", "", " ", "\0"])
def test_what_is_no_commit_is_none(folder: Path, name: str) -> None:
    assert Repository.at(folder).commit(name) is None


def test_a_folder_without_git_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the top folder"):
        Repository.at(tmp_path)


POINTER = b"version https://git-lfs.github.com/spec/v1\n%soid sha256:" + b"ab" * 32 + b"\nsize %s\n"


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (POINTER % (b"", b"12"), 12),
        (POINTER % (b"ext-0-x sha256:1\n", b"12"), 12),
        (POINTER % (b"", b"-1"), None),
        (POINTER % (b"", b"9" * 40), None),
        (b" " + POINTER % (b"", b"12"), None),
        (POINTER % (b"x" * 1024 + b"\n", b"12"), None),
        (b"", None),
    ],
)
def test_a_pointer_is_one_to_the_letter(content: bytes, size: int | None) -> None:
    found = git.pointer(content)
    assert (found.size if found else None) == size


@given(st.binary(max_size=1100))
def test_anything_else_is_no_pointer(content: bytes) -> None:
    assert git.pointer(content) is None


def test_lfs_asks_the_remote_and_shows_it_alone_the_token(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, "remote", "add", "origin", "https://github.com/acme/consumer")
    (folder / ".lfsconfig").write_text("[lfs]\n\turl = https://evil.example/lfs\n")
    stub = tmp_path / "bin/git-lfs"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ngit config --get lfs.url >> {tmp_path}/asked\n')
    with stub.open("a") as stream:
        stream.write(f"git config --get-regexp '^http' >> {tmp_path}/asked\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}{os.pathsep}{os.environ['PATH']}")
    assert git.pull_lfs(folder, ["a.bin", "b c.bin"], {"GITHUB_TOKEN": "t"})
    asked, url, header = (tmp_path / "asked").read_text().splitlines()
    assert asked == "pull --include=a.bin,b c.bin --exclude="
    assert url == "https://github.com/acme/consumer.git/info/lfs"
    assert header.startswith("http.https://github.com/.extraheader AUTHORIZATION: basic ")
