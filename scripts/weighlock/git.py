"""What git knows, asked so that a hostile repository has no say: its objects only, by plumbing commands.

Only commands that run no hook, filter, text conversion, external diff or file-system monitor are used, since a folder's
own git configuration may be hostile. Names are separated by NUL, so that no name can end one.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from weighlock.errors import InputError, UnfinishedError
from weighlock.text import printable

SECONDS = 10
LISTING_SECONDS = 300
LFS_SECONDS = 6 * 3600
_OPTIONS = (
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "--no-replace-objects",
    "--literal-pathspecs",
)
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:[^\n]*\n)*?oid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n"
)
_PIECE = 1024 * 1024
POINTER_LIMIT = 1024  # bytes; a pointer of Git LFS is smaller


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a commit: git's id of it, its size in bytes (that of the pointer where LFS keeps it), and its mode."""

    id: str
    size: int
    mode: str

    @property
    def regular(self) -> bool:
        """Tell whether this is a file; else it is a link or another repository."""
        return self.mode.startswith("100")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer of Git LFS says of the file it stands for."""

    sha256: str
    size: int


def say(folder: Path, *words: str, seconds: int = SECONDS, environ: Mapping[str, str] | None = None) -> bytes | None:
    """Return what git prints in `folder`, None where it fails or is missing."""
    try:
        done = subprocess.run(
            ["git", *_OPTIONS, *words],
            cwd=folder,
            env={**_environ(), **(environ or {})},
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


class Reader:
    """Reads blobs by their ids; not for several threads."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Ask this ``git cat-file --batch``."""
        self._process = process

    def content(self, blob: Blob) -> bytes:
        """Return the content of a blob."""
        return b"".join(self._pieces(blob))

    def write(self, blob: Blob, target: Path) -> None:
        """Write the content of a blob to a new file, without holding it in memory."""
        with target.open("xb") as stream:
            for piece in self._pieces(blob):
                stream.write(piece)

    def pointer(self, blob: Blob) -> Pointer | None:
        """Return what the pointer says, None for a blob that is the file itself."""
        return pointer(self.content(blob)) if blob.regular and blob.size < POINTER_LIMIT else None

    def _pieces(self, blob: Blob) -> Iterator[bytes]:
        asked, answers = self._process.stdin, self._process.stdout
        if asked is None or answers is None:  # both are pipes
            raise _gone(blob)
        try:
            asked.write(f"{blob.id}\n".encode())
            asked.flush()
        except OSError:
            raise _gone(blob) from None
        words = answers.readline().split()
        if len(words) != 3 or words[1] != b"blob":
            raise _gone(blob)
        left = int(words[2])
        while left:
            piece = answers.read(min(left, _PIECE))
            if not piece:
                raise _gone(blob)
            left -= len(piece)
            yield piece
        answers.read(1)  # the newline behind the content


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository whose top folder is `top`."""

    top: Path

    @classmethod
    def at(cls, top: Path) -> Repository:
        """Return the repository at `top`, which has to be its top folder; `InputError` where it is not."""
        below = say(top, "rev-parse", "--show-prefix")
        if below is None or below.strip():
            raise InputError(
                f"{printable(str(top.resolve()))} is not the top folder of a git repository",
                remedy="Go to the top folder; in a workflow, run actions/checkout first.",
            )
        return cls(top)

    def commit(self, name: str) -> str | None:
        """Return the id of the commit that `name` stands for, None where it is not here."""
        if name.startswith("-") or "\0" in name:
            return None
        found = say(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return found.decode().strip() if found else None

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the commit at which two commits went apart, None where they have none in common."""
        found = say(self.top, "merge-base", one, other, seconds=LISTING_SECONDS)
        return found.decode().strip() if found else None

    def files(self, commit: str) -> dict[str, Blob]:
        """Return path to blob, for every file of a commit."""
        listing = self._told("ls-tree", "-r", "-l", "-z", "--full-tree", commit)
        files = {}
        for entry in filter(None, listing.split(b"\0")):
            kind, _, path = entry.partition(b"\t")
            mode, _, identity, size = kind.split()
            files[os.fsdecode(path)] = Blob(identity.decode(), int(size) if size.isdigit() else 0, mode.decode())
        return files

    def present(self) -> list[str]:
        """Return the files of the work tree that git keeps or would take: not those that it ignores."""
        listing = self._told("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        names = dict.fromkeys(os.fsdecode(name) for name in listing.split(b"\0") if name)
        return [name for name in names if os.path.lexists(self.top / name)]

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Yield what reads blobs, any number of them through one process of git."""
        process = subprocess.Popen(
            ["git", *_OPTIONS, "cat-file", "--batch"],
            cwd=self.top,
            env=_environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield Reader(process)
        finally:
            process.kill()
            process.communicate()

    def _told(self, *words: str) -> bytes:
        told = say(self.top, *words, seconds=LISTING_SECONDS)
        if told is None:
            raise UnfinishedError(f"git could not do '{printable(' '.join(words))}'", remedy="Fetch the whole history.")
        return told


def pointer(content: bytes) -> Pointer | None:
    """Return what a pointer of Git LFS says, None for content that is none."""
    found = _POINTER.match(content) if len(content) < POINTER_LIMIT else None
    return Pointer(found[1].decode(), int(found[2])) if found else None


def changed(before: Mapping[str, Blob], after: Mapping[str, Blob]) -> Iterator[str]:
    """Yield the paths that are not the same in two commits, sorted; a file that moved counts at both places."""
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            yield path


def _environ() -> dict[str, str]:
    """Return the variables that git may see; none that would name another repository or program."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def _gone(blob: Blob) -> UnfinishedError:
    return UnfinishedError(f"git could not give the object {blob.id}", remedy="Fetch the whole history.")


def pull_lfs(top: Path, paths: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Bring what Git LFS keeps of these files into the work tree; tell whether that worked.

    The server is the one of the remote `origin`, whatever a ``.lfsconfig`` says, and only it is shown the job's token.
    Names go in as patterns, so one with wildcards brings more than itself.
    """
    told = say(top, "config", "--get", "remote.origin.url")
    origin = told.decode(errors="replace").strip() if told else ""
    server = urlsplit(origin)
    settings = [("lfs.url", origin.removesuffix("/").removesuffix(".git") + ".git/info/lfs")] if server.scheme else []
    token = environ.get("GITHUB_TOKEN")
    if token and server.scheme == "https":
        pair = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        settings.append((f"http.https://{server.hostname}/.extraheader", f"AUTHORIZATION: basic {pair}"))
    variables = {"GIT_CONFIG_COUNT": str(len(settings)), "GIT_TERMINAL_PROMPT": "0"}
    for position, (key, value) in enumerate(settings):
        variables |= {f"GIT_CONFIG_KEY_{position}": key, f"GIT_CONFIG_VALUE_{position}": value}
    words = ("lfs", "pull", f"--include={','.join(paths)}", "--exclude=")
    return say(top, *words, seconds=LFS_SECONDS, environ=variables) is not None
