"""The `Resolver` that asks pip: a dry run with wheels only, in a process that can start no other."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from weighlock import jsonio
from weighlock.auditing import Dependency, Package, Unresolved, process
from weighlock.errors import InputError, UnfinishedError
from weighlock.jsonio import Json
from weighlock.text import printable

_SCRIPT = Path(__file__).with_name("wheels_only.py")
_COMMAND = (
    *("install", "--dry-run", "--ignore-installed", "--only-binary", ":all:", "--no-input", "--no-cache-dir"),
    *("--disable-pip-version-check", "--report", "report.json", "--log", "log.txt"),
    *("-r", "requirements.txt", "-c", "constraints.txt"),
)
# 404 and the like are answers about a package; anything else means that the index could not be asked.
_UNREACHED = re.compile(r"Could not fetch URL (\S+): (?!4\d\d Client Error)(.{1,200})")
_BROKEN = re.compile(
    r"^ERROR: (?:HTTP error 5\d\d|Exception:|Could not install packages due to an OSError: HTTP)", re.MULTILINE
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class PipResolver:
    """pip of the Python that runs this; `deadline` is the `time.monotonic` (seconds) at which all runs must be done."""

    environ: Mapping[str, str]
    deadline: float

    def resolve(self, requirements: Sequence[str], constraints: Sequence[str]) -> tuple[Package, ...] | Unresolved:
        """Return what pip would install; see `Resolver`."""
        with tempfile.TemporaryDirectory(prefix="weighlock-audit-") as name:
            folder = Path(name)
            (folder / "requirements.txt").write_text("".join(line + "\n" for line in requirements), "utf-8")
            (folder / "constraints.txt").write_text("".join(line + "\n" for line in constraints), "utf-8")
            seconds = max(1.0, self.deadline - time.monotonic())
            done = process.run(_SCRIPT, _COMMAND, folder=folder, environ=self.environ, seconds=seconds)
            log = folder / "log.txt"
            _check_reached((log.read_text("utf-8", "replace") if log.exists() else "") + done.stderr)
            if done.code:
                return _unresolved(done.stderr)
            report = jsonio.parse((folder / "report.json").read_bytes(), "pip's report")
        items = jsonio.objects(report, "install", "pip's report")
        return next(filter(None, map(_misnamed, items)), None) or tuple(map(_package, items))


def _check_reached(words: str) -> None:
    if "No module named pip" in words:
        raise InputError("pip is not installed beside weighlock", remedy="Install weighlock[audit].")
    unreached = _UNREACHED.search(words)
    broken = _BROKEN.search(words)
    if unreached or broken:
        where = f"at {unreached[1]}: {unreached[2]}" if unreached else words[broken.start() :] if broken else ""
        raise UnfinishedError(
            f"the package index could not be asked {printable(where)}",
            remedy="Check PIP_INDEX_URL, proxy and network, and run again.",
        )


def _unresolved(stderr: str) -> Unresolved:
    said = [line.removeprefix("ERROR: ").strip() for line in stderr.splitlines() if line.startswith("ERROR: ")]
    names = frozenset(canonicalize_name(name) for line in said for name in _NAME.findall(line))
    shown = printable(said[0] if said else stderr.strip()[-200:] or "no reason given", 400)
    return Unresolved(f"pip finds no set of wheels that fits this Python and platform: {shown}", names)


def _misnamed(item: Json) -> Unresolved | None:
    """Refuse a wheel that is another release than its name says; pip does so only on Python 3.11 and later."""
    inside = _package(item).dependency
    url = jsonio.field(jsonio.field(item, "download_info", dict, "pip's report"), "url", str, "pip's report")
    file = PurePosixPath(unquote(urlsplit(url).path)).name
    try:
        name, version, _, _ = parse_wheel_filename(file)
    except InvalidWheelFilename:
        return Unresolved(f"pip took {printable(file)}, which is not a wheel")
    if (name, version) == (inside.name, Version(inside.version)):
        return None
    return Unresolved(f"the wheel {printable(file)} calls itself {inside}", frozenset({str(name)}))


def _package(item: Json) -> Package:
    what = "pip's report"
    metadata = jsonio.field(item, "metadata", dict, what)
    name = jsonio.field(metadata, "name", str, what)
    version = jsonio.field(metadata, "version", str, what)
    try:
        version = str(Version(version))
    except InvalidVersion:
        raise UnfinishedError(
            f"pip chose '{printable(name)}' in a version that is none: {printable(version)}"
        ) from None
    needs = jsonio.optional(metadata, "requires_dist", list, what) or []
    dependency = Dependency(printable(canonicalize_name(name)), version)
    return Package(dependency, _names(needs), jsonio.field(item, "is_direct", bool, what))


def _names(requirements: list[object]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for text in requirements:
        try:
            names[canonicalize_name(Requirement(str(text)).name)] = None
        except InvalidRequirement:
            continue  # pip has resolved it; only the chain shown to people is shorter
    return tuple(names)
