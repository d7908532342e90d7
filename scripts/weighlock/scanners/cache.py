"""Results kept for files that did not change: an `Examiner` that asks another one only for what it does not know.

A result is found again by all that it depends on: the file's digest and path, the engines with their versions, our own
rules to the last byte, what is installed, the policy's part in it, and the sizes of the other files that a rule asked
for. Waivers come later and have no part. An error or a limit is no result, and is never kept; neither is what follows
from the content of other files.

The entries are as trustworthy as the folder: who can write there can make any file safe. So it is the user's own (`usercache`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import weighlock
from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json, canonical
from weighlock.oci import Digest
from weighlock.scanners import Status
from weighlock.scanners.examine import Examined
from weighlock.scanners.files import Examiner, Weighed
from weighlock.scanners.isolation import wire
from weighlock.text import printable
from weighlock.usercache import Entries

_LIMIT = 64 * 1024**2  # bytes of an entry
_ENTRY = "an entry of the scan cache"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
LIBRARIES = ("backports.zstd", "h5py", "jinja2", "jsonschema", "lz4", "modelscan", "numpy", "pyyaml")
"""What reads files beside us: the packages of the extra ``scan``, so that every stage that scans sees the same."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is kept of a file: its format by its own content, and what was said of it."""

    format: str
    examined: Examined


class Cache:
    """A folder of entries, one file each, named by the digest of all that the result depends on."""

    def __init__(self, folder: Path, facts: Json, say: Callable[[str], None] = lambda _words: None) -> None:
        """Keep entries in `folder`; `facts` is what results depend on beside the file. Trouble with it is only said."""
        self._entries = Entries(folder, _LIMIT)
        self._facts = facts
        self._say = say

    def get(self, file: Weighed) -> Known | None:
        """Return what is known; an entry that is damaged or speaks of something else is none."""
        key = self._key(file)
        body = self._entries.read(key)
        if body is None:
            return None
        try:
            document = jsonio.parse(body, _ENTRY)
            if jsonio.field(document, "key", str, _ENTRY) != key:
                return None
            return Known(jsonio.field(document, "format", str, _ENTRY), wire.examined_from(document))
        except MalformedError:
            return None

    def put(self, file: Weighed, known: Known) -> None:
        """Keep a result; the entry appears whole or not at all."""
        key = self._key(file)
        try:
            body = canonical({"key": key, "format": known.format, **wire.examined_to(known.examined)})
            self._entries.write(key, body)
        except MalformedError:
            return  # half a surrogate pair in a name: scanned anew each time
        except OSError as error:
            self._say(f"the scan cache cannot be written: {printable(str(error))}")

    def _key(self, file: Weighed) -> str:
        return hashlib.sha256(
            canonical({"sha256": file.file.digest.hex, "path": file.file.path, **self._facts})
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class Cached:
    """An `Examiner` in front of another one, with a cache between them."""

    behind: Examiner
    cache: Cache | None
    sizes: Mapping[str, int]
    """Size in bytes of every file of the model, by path."""
    earlier: Mapping[tuple[str, Digest], Known] = field(default_factory=dict)
    """What somebody else vouches for, by path and digest, found out under the same conditions."""
    _known: dict[str, Known] = field(default_factory=dict)
    _formats: dict[str, str] = field(default_factory=dict)

    def engines(self) -> Sequence[tuple[str, str]]:
        """Return name and version of each engine."""
        return self.behind.engines()

    def recognise(self, files: Sequence[Weighed]) -> list[str]:
        """Return the format of each file, of known ones as it was found then."""
        for file in files:
            known = self._found(file)
            if known and self._still(known.examined):
                self._known[file.file.path] = known
                self._formats[file.file.path] = known.format
        strangers = [file for file in files if file.file.path not in self._known]
        if strangers:
            found = self.behind.recognise(strangers)
            self._formats.update(zip((file.file.path for file in strangers), found, strict=True))
        return [self._formats[file.file.path] for file in files]

    def settle(self, files: Sequence[Weighed]) -> list[str]:
        """Return all formats; what follows from other files' content is never taken from the cache."""
        return self.behind.settle(files)

    def examine(self, file: Weighed) -> Examined:
        """Return what is known, else examine the file and keep the result where it will hold."""
        own = file.format == self._formats.get(file.file.path)
        known = self._known.get(file.file.path)
        if known and own:
            return known.examined
        examined = self.behind.examine(file)
        if self.cache and own and all(report.status is not Status.ERROR for report in examined.reports):
            self.cache.put(file, Known(file.format, examined))
        return examined

    def vouched(self) -> int:
        """Return how many files were taken as somebody else vouches for them."""
        vouched = {id(known) for known in self.earlier.values()}
        return sum(id(known) in vouched for known in self._known.values())

    def _found(self, file: Weighed) -> Known | None:
        known = self.earlier.get((file.file.path, file.file.digest))
        return known or (self.cache.get(file) if self.cache else None)

    def _still(self, examined: Examined) -> bool:
        """Tell whether the other files are as they were, as far as anybody asked; the empty path stands for all."""
        asked = dict(examined.asked)
        if "" in asked:
            del asked[""]
            return asked == dict(self.sizes)
        return all(self.sizes.get(path) == size for path, size in asked.items())


def rules() -> str:
    """Return the digest of this package: rules, lists, and what unpacks and reads."""
    root = Path(weighlock.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + content.encode())
    return digest.hexdigest()


def installed() -> list[str]:
    """Return the versions of Python, of `LIBRARIES`, and of what these are made of; nothing else that is installed counts."""
    found: dict[str, str] = {}
    waiting = list(LIBRARIES)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        required = (item for item in distribution.requires or [] if "extra ==" not in item)
        waiting += [match[0].lower() for item in required if (match := _NAME.match(item))]
    return [sys.version, *(f"{name} {found[name]}" for name in sorted(found))]
