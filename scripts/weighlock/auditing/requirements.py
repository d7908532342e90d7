"""Reading a hostile requirements file: plain requirements are rewritten, everything else is unaudited with its reason.

A line is plain when it is ``name[extras] specifier ; marker``, with or without ``--hash`` options. Digests are dropped:
they bind the bytes that an installer takes, the audit is about names and versions. ``-r`` and ``-c`` are followed inside
the folder of the file that was given. Nothing else ever reaches pip: no URL, path, editable install or option.
Markers are evaluated for the Python and platform that run the audit.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from weighlock.auditing import Excluded, Origin, Requirement, RequirementsFile, Unaudited
from weighlock.auditing.lines import UnreadableError, decode, logical
from weighlock.errors import InputError
from weighlock.model import open_regular
from weighlock.oci import Digest
from weighlock.text import printable

FILES_LIMIT = 32
FILE_LIMIT = 4 * 1024 * 1024  # bytes; a lock with every digest of 300 packages has about one third
LINES_LIMIT = 5000  # in all files, comments not counted
LINE_LIMIT = 64 * 1024  # characters, continuations and digests included
PLAIN_LIMIT = 4000  # characters without digests; Python reads no number with more than 4300 digits

_DIGESTS = re.compile(r"(--hash[= ]\s*sha(256|384|512):[0-9a-fA-F]+\s*)*")
_SAFE = re.compile(r"[A-Za-z0-9._+!<>=~*,\[\]-]+")
_ARCHIVES = (".whl", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tar.lzma", ".tlz")
_URL = "it is a URL or a path, which no index vouches for: name a released version"
_HARMLESS = frozenset({"--require-hashes", "--prefer-binary", "--only-binary=:all:", "--only-binary :all:"})


class UnauditableError(ValueError):
    """A line that is not audited, with the reason."""


@dataclass(slots=True)
class Reading:
    """What the files hold, filled while they are read."""

    files: list[RequirementsFile] = field(default_factory=list)
    requirements: list[Requirement] = field(default_factory=list)
    constraints: list[Requirement] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)
    unaudited: list[Unaudited] = field(default_factory=list)


def read(path: Path) -> Reading:
    """Read the requirements file at `path` and what it includes; a missing or unreadable one is an `InputError`."""
    try:
        folder = path.parent.resolve(strict=True)
        raw = _content(path.resolve(strict=True))
    except (OSError, RuntimeError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(
            f"the requirements file {printable(str(path))} cannot be read: {printable(reason)}",
            remedy="Give a requirements file; an empty one says that the model needs nothing.",
        ) from None
    reader = _Reader(folder)
    reader.take(path, raw, Origin(printable(path.name)), constraint=False)
    return reader.reading


def parse(text: str) -> Parsed:
    """Return the requirement in one logical line; `UnauditableError` for anything that is not plain."""
    words = text.split(" ")
    options = next((position for position, word in enumerate(words) if word.startswith("-")), len(words))
    if not _DIGESTS.fullmatch(" ".join(words[options:]).strip()):
        raise UnauditableError("it carries an option; only --hash is read here: remove the others")
    plain = " ".join(words[:options]).strip()
    if len(plain) > PLAIN_LIMIT:
        raise UnauditableError(f"it is longer than {PLAIN_LIMIT} characters without its digests")
    # pip takes "name.zip" for a file, where there is one.
    head = plain.split(";")[0].split("[")[0].strip().lower()
    if "/" in plain.split(";")[0] or "\\" in head or head.startswith((".", "git+")) or head.endswith(_ARCHIVES):
        raise UnauditableError(_URL)
    try:
        requirement = Parsed(plain)
    except InvalidRequirement:
        raise UnauditableError("it is not of the form NAME[EXTRAS] SPECIFIER ; MARKER: correct it") from None
    if requirement.url is not None:
        raise UnauditableError(_URL)
    return requirement


@dataclass(slots=True)
class _Reader:
    folder: Path
    reading: Reading = field(default_factory=Reading)
    taken: set[tuple[Path, bool]] = field(default_factory=set)
    open: list[tuple[Path, bool]] = field(default_factory=list)
    lines: int = 0

    def take(self, path: Path, raw: bytes, origin: Origin, *, constraint: bool) -> None:
        """Read one file's lines; `path` is spelled as the including line spells it, since includes are relative to it."""
        if (file := RequirementsFile(origin.path, Digest.of(raw))) not in self.reading.files:
            self.reading.files.append(file)
        try:
            text = decode(raw)
        except UnreadableError as error:
            self.reading.unaudited.append(Unaudited(origin.path, f"the file cannot be audited: {error}", origin))
            return
        key = (path.resolve(), constraint)
        self.taken.add(key)
        self.open.append(key)
        for number, line in logical(text):
            place = Origin(origin.path, number)
            self.lines += 1
            if self.lines > LINES_LIMIT:
                rest = f"what stands here and below: more than {LINES_LIMIT} lines in all"
                self.reading.unaudited.append(Unaudited(origin.path, rest, place))
                break
            try:
                self._line(path, line, place, constraint=constraint)
            except UnauditableError as error:
                self.reading.unaudited.append(Unaudited(printable(line), str(error), place))
            except RecursionError:
                self.reading.unaudited.append(Unaudited(printable(line), "its marker is nested too deeply", place))
        self.open.pop()

    def _line(self, path: Path, line: str, place: Origin, *, constraint: bool) -> None:
        if len(line) > LINE_LIMIT:
            raise UnauditableError(f"the line is longer than {LINE_LIMIT} characters")
        if line.startswith("-"):
            self._option(path, line)
            return
        requirement = parse(line)
        if not _applies(requirement):
            self.reading.excluded.append(Excluded(printable(line), place))
            return
        if constraint and requirement.extras:
            raise UnauditableError("a constraint cannot have extras: remove them")
        rewritten = _rewrite(requirement, place)
        (self.reading.constraints if constraint else self.reading.requirements).append(rewritten)

    def _option(self, path: Path, line: str) -> None:
        if line in _HARMLESS:
            return
        kind, name = _include(line)
        if kind is None:
            raise UnauditableError(
                "it is an option, and a requirements file may not choose where packages come from or how they are"
                " built: remove it (an index is chosen by PIP_INDEX_URL in the audit's environment)"
            )
        self._follow(path.parent / name, constraint=kind == "c")

    def _follow(self, path: Path, *, constraint: bool) -> None:
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            raise UnauditableError("the included file is not there: add it or remove the line") from None
        if self.folder not in target.parents:
            raise UnauditableError("the included file lies outside the folder of the first one: move it inside")
        if (target, constraint) in self.open:
            raise UnauditableError("the file includes itself: remove the line")
        if (target, constraint) in self.taken:
            return
        if len(self.reading.files) >= FILES_LIMIT:
            raise UnauditableError(f"more than {FILES_LIMIT} files are included")
        try:
            raw = _content(target)
        except (OSError, UnreadableError) as error:
            raise UnauditableError(f"the included file cannot be read: {printable(str(error))}") from None
        self.take(path, raw, Origin(printable(target.relative_to(self.folder).as_posix())), constraint=constraint)


def _include(line: str) -> tuple[str | None, str]:
    """Return ("r" or "c", file) for an include, (None, "") for another option."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None, ""
    match words:
        case ["-r" | "--requirement" | "-c" | "--constraint" as option, name]:
            return option.strip("-")[0], name
        case [word] if word.startswith(("--requirement=", "--constraint=")):
            return word[2], word.partition("=")[2]
        case [word] if word.startswith(("-r", "-c")) and len(word) > 2:
            return word[1], word[2:]
        case _:
            return None, ""


def _applies(requirement: Parsed) -> bool:
    try:
        return requirement.marker is None or requirement.marker.evaluate()
    except (UndefinedComparison, UndefinedEnvironmentName):
        raise UnauditableError("its marker makes no sense: correct it") from None


def _rewrite(requirement: Parsed, place: Origin) -> Requirement:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    text = f"{requirement.name}{extras}{requirement.specifier}"
    if not _SAFE.fullmatch(text):
        raise UnauditableError("its specifier holds characters that no version has: correct it")
    return Requirement(canonicalize_name(requirement.name), text, place, _pin(requirement))


def _pin(requirement: Parsed) -> str | None:
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator not in {"==", "==="}:
        return None
    try:
        return str(Version(specifiers[0].version))
    except InvalidVersion:
        return None


def _content(path: Path) -> bytes:
    with open_regular(path) as stream:
        pieces = []
        left = FILE_LIMIT + 1
        while left and (piece := stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
    if not left:
        raise UnreadableError(f"it is larger than {FILE_LIMIT} bytes")
    return b"".join(pieces)
