"""What is fuzzed: every rule and every unpacker of the scanner by itself, recognition, and our other parsers.

A target takes bytes. An error that belongs to the parser's contract is an answer; whatever else comes out is a defect.
Rules and unpackers are taken from the scanner's own tables, so that a new format is fuzzed from its first day on.
"""

from __future__ import annotations

import functools
import io
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import hostile
from fuzz import documents
from weighlock import config, sarif
from weighlock.auditing import lines, requirements
from weighlock.errors import WeighlockError
from weighlock.intoto import Statement
from weighlock.ledger import Ledger, Row, recorded
from weighlock.oci import Digest, Index, Manifest
from weighlock.scanners import Blob, Report, Severity, Status, strict
from weighlock.scanners.examine import UNPACKERS, Examined, examine
from weighlock.scanners.sniff import Sniffer, recognised
from weighlock.signing import Bundle
from weighlock.stages.scan import Outputs
from weighlock.store.targets import Target as Reference

CORPUS = Path(__file__).resolve().parents[1] / "corpus" / "honest"
SEED = 64 * 1024  # bytes of a seed; larger files only make the fuzzer slow
_SCRIPTS = frozenset({".py", ".json"})


NATIVE = frozenset({"hdf5"})
"""Formats that a C library parses. What it does with broken files is held by the scan's isolation, not by its rule."""


class DefectError(Exception):
    """A parser gave an answer that it must not give."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads hostile bytes, and files that it reads without complaint."""

    name: str
    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


@dataclass(slots=True)
class Witness:
    """The engine `strict`, which lets nobody turn its exceptions into a report, and which keeps what it is shown."""

    engine: strict.Strict
    blobs: list[tuple[str, bytes]]
    raised: list[BaseException]
    native: bool = False
    """Whether to let C libraries read, which no limit in this process could stop."""
    name: str = strict.NAME
    version: str = "0"

    @classmethod
    def new(cls, *, native: bool = False) -> Witness:
        """Return one that has seen nothing."""
        return cls(strict.Strict(), [], [], native)

    def scan(self, blob: Blob) -> Report:
        """Scan, keeping content and exception."""
        with blob.open() as stream:
            self.blobs.append((blob.format, stream.read(SEED + 1)))
        if blob.format in NATIVE and not self.native:
            return Report(self.name, self.version, Status.ERROR, reason="left to its own target")
        try:
            return self.engine.scan(blob)
        except Exception as error:
            self.raised.append(error)
            raise


def scanned(content: bytes, form: str | None = None, *, witness: Witness | None = None) -> Examined:
    """Scan content as `form`, by default as what it is recognised as, and write everything that was found.

    What an engine or an unpacker raises is raised here.
    """
    witness = witness or Witness.new(native=form in NATIVE)

    def opener() -> io.BytesIO:
        return io.BytesIO(content)

    if form is None:
        sniffer = Sniffer()
        sniffer.feed(content)
        form = recognised(sniffer, opener)
    blob = Blob("model/file", form, len(content), opener, beside={"model/weights.bin": 64})
    examined = examine(blob, [witness], Severity.LOW)
    if witness.raised:
        raise witness.raised[0]
    for report in examined.reports:
        if "unpacking failed: " in report.reason:
            raise DefectError(report.reason[:300])
    _write(content, form, examined)
    return examined


def _write(content: bytes, form: str, examined: Examined) -> None:
    """Write ledger, SARIF and words, as a terminal or a file would get them: hostile strings must not break them."""
    row = Row("model/file", len(content), Digest.of(content), form, examined.verdict, examined.reports)
    ledger = Ledger((row,))
    json.dumps(ledger.to_json(), indent=2).encode()
    json.dumps(sarif.log(ledger)).encode()
    Outputs(ledger, "x", 1, 0, None, None).text().encode()


def names(*, native: bool = False) -> list[str]:
    """Return the names of all targets, those that may end the process only if `native`."""
    formats = sorted((set(strict.RULES) | set(UNPACKERS)) - (frozenset() if native else NATIVE))
    return ["recognition", *(f"format {form}" for form in formats), *PARSERS]


def target(name: str, *, hard: bool = False) -> Target:
    """Return a target; a `hard` one starts from hostile files, too."""
    if name in PARSERS:
        return Target(name, *PARSERS[name])
    seeds = [_honest_seeds(), _hostile_seeds() if hard else {}]
    if name == "recognition":
        return Target(
            name, scanned, tuple(item[:4096] for known in seeds for form in known.values() for item in form[:3])
        )
    form = name.removeprefix("format ")
    found = tuple(item for known in seeds for item in known.get(form, ()))
    return Target(name, functools.partial(scanned, form=form), found or (bytes(16),))


def honest() -> dict[str, bytes]:
    """Return the honest files: name to content."""
    paths = [path for path in sorted(CORPUS.rglob("*")) if path.is_file() and path.parent != CORPUS]
    return (
        hostile.HONEST | documents.PICTURES | {path.relative_to(CORPUS).as_posix(): path.read_bytes() for path in paths}
    )


@functools.cache
def _honest_seeds() -> dict[str, tuple[bytes, ...]]:
    """Return the honest files and their members at every depth: format to contents, the smallest first."""
    return _by_format(list(honest().values()))


@functools.cache
def _hostile_seeds() -> dict[str, tuple[bytes, ...]]:
    from corpus.hostile import cases

    return _by_format([content for case in cases() if len(content := case.build()) <= SEED])


def _by_format(contents: Sequence[bytes]) -> dict[str, tuple[bytes, ...]]:
    witness = Witness.new()
    for content in contents:
        scanned(content, witness=witness)
    found: dict[str, set[bytes]] = {}
    for form, content in witness.blobs:
        if len(content) <= SEED:
            found.setdefault(form, set()).add(content)
    return {form: tuple(sorted(known, key=lambda item: (len(item), item))) for form, known in found.items()}


def run(target: Target, content: bytes) -> None:
    """Give content to the target; what comes out of here is a defect."""
    try:
        target.run(content)
    except WeighlockError as error:
        str(error).encode()  # it goes to a terminal


def _manifest(content: bytes) -> None:
    manifest = Manifest.parse(content)
    if Manifest.parse(manifest.encode()) != manifest:
        raise DefectError("the manifest is another one once it was written")


def _reference(content: bytes) -> None:
    reference = Reference.parse(content.decode("utf-8", "surrogateescape"))
    if Reference.parse(str(reference)) != reference:
        raise DefectError("the reference is another one once it was written")


def _requirements(content: bytes) -> None:
    try:
        text = lines.decode(content)
    except lines.UnreadableError:
        return
    for _, line in lines.logical(text):
        try:
            requirements.parse(line)
        except (requirements.UnauditableError, RecursionError):  # the reader of the file reports either
            continue


def _sealed(content: bytes) -> None:
    """Scan a 7z archive with this header: in a whole archive, a checksum keeps most mutations from being read."""
    start = struct.pack("<QQL", 0, len(content), zlib.crc32(content))
    scanned(b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<L", zlib.crc32(start)) + start + content, "7z")


def _seven_headers() -> tuple[bytes, ...]:
    return tuple(
        content[32 + int.from_bytes(content[12:20], "little") :]
        for name, content in honest().items()
        if name.endswith(".7z")
    )


PARSERS: dict[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]] = {
    "manifest": (_manifest, documents.MANIFESTS),
    "index": (lambda content: Index.parse(content).encode(), documents.INDEXES),
    "statement": (lambda content: Statement.parse(content).encode(), documents.STATEMENTS),
    "bundle": (lambda content: Bundle.parse(content).signed_bytes(), documents.BUNDLES),
    "ledger": (lambda content: recorded(documents.parsed(content)), documents.LEDGERS),
    "configuration": (config.parse, documents.CONFIGURATIONS),
    "reference": (_reference, documents.REFERENCES),
    "requirements": (_requirements, documents.REQUIREMENTS),
    "7z header": (_sealed, _seven_headers()),
}
"""Name to the parser and to documents that it takes."""
