"""Text: valid UTF-8 without control characters is data, unless it is a secret or names code for a loader to run.

No loader executes text that stands beside a model, with three exceptions that are judged here: YAML tags that make
Python objects, JSON and YAML that name code (`names`), and templates. Source files are text too; what would run them is
named in the JSON, or is a loader that knows them by name (`entry`). Text that is a pickle, a zlib stream or a tar never gets here: the sniffer looks for these first.
"""

from __future__ import annotations

import json
import re
import shlex
import urllib.parse
from collections.abc import Iterator
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.reading import CHUNK, UnclearError
from weighlock.scanners.strict import entry, jinja, names, tensorflow_text, yaml_document
from weighlock.scanners.strict.named import hydra
from weighlock.scanners.strict.notes import Notes

JSON_LIMIT = 64 * 1024 * 1024  # bytes of a document that is parsed; a parsed one takes several times as much
_OVERLAP = 8192  # bytes that two pieces share, so that no pattern is cut in two

_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----([^-]{60,2000})")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{40}")
_TAG = re.compile(rb"(?:^|[\s\[{,:-])(!<[^>\s]{1,300}>|![^\s,\[\]{}]{1,300})", re.MULTILINE)
_TARGET = re.compile(rb"^[ \t-]*[\"']?_target_[\"']?[ \t]*:[ \t]*([^\s#]{1,300})", re.MULTILINE)
_ENTITY = re.compile(rb"<!ENTITY\s")
_POINTER = re.compile(
    rb"\Aversion https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid (sha256:[0-9a-f]{64})\nsize (\d{1,19})\n?\Z"
)


_YAML = re.compile(r"\.ya?ml\Z|\AMLmodel\Z", re.IGNORECASE)
_TEMPLATE = re.compile(r"\.(jinja2?|j2)\Z|\Achat_template\.(?!json)", re.IGNORECASE)
_PROSE = re.compile(r"\.(md|rst|py)\Z", re.IGNORECASE)


def text(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Look through text that is no JSON; a name only adds what a loader would take it for."""
    for offset, piece in _pieces(stream):
        _secrets(piece, offset, notes)
        for match in _TAG.finditer(piece):
            _tag(match[1], offset + match.start(1), notes)
        for match in () if _PROSE.search(blob.name) else _TARGET.finditer(piece):
            hydra.judge(match[1].decode("utf-8", "replace").strip("'\""), "the key _target_ makes a loader call", notes)
        tensorflow_text.look(piece, offset, notes)
        if entity := _ENTITY.search(piece):
            notes.find(
                "text.entity",
                Severity.HIGH,
                "XML that declares entities: a parser may read files through them",
                offset + entity.start(),
            )
    stream.seek(0)
    entry.look(blob, stream.read(CHUNK), notes)
    _template(blob, stream, notes)
    if _YAML.search(blob.name):
        stream.seek(0)
        raw = stream.read(yaml_document.LIMIT + 1)
        found = yaml_document.documents(raw, notes)
        if found is None and _TAG.search(raw):
            # ruamel reads some of what PyYAML refuses, and a directive may have given the tag any meaning.
            notes.gap("YAML with tags that does not parse here; another parser may read it")
        names.search(found, notes)


def _template(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Judge the whole text as a template where its name makes it one."""
    if _TEMPLATE.search(blob.name):
        stream.seek(0)
        source = stream.read(4 * jinja.LIMIT + 1)
        jinja.judge(source.decode("utf-8-sig", "replace"), blob.name, notes)


def json_document(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Look through a JSON document with all its nested objects; what does not parse is text."""
    if blob.size > JSON_LIMIT:
        raise UnclearError(f"JSON of {blob.size} bytes, the limit is {JSON_LIMIT}")
    raw = stream.read()
    _secrets(raw, 0, notes)
    try:
        document = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=names.Pairs, parse_int=len, parse_float=len)
    except ValueError:
        stream.seek(0)
        text(blob, stream, notes)
        return
    except RecursionError:
        raise UnclearError("JSON that is nested too deeply to be read") from None
    names.search(document, notes)
    _template(blob, stream, notes)


def pointer(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Say that the weights are not here."""
    match = _POINTER.match(stream.read(1024))
    promised = f" ({int(match[2])} bytes)" if match else ""
    notes.gap(
        f"{blob.path} is a Git LFS pointer, not the file itself{promised}; "
        f"fetch it with: git lfs pull --include {shlex.quote(blob.path)}"
    )


def empty(_blob: Blob, _stream: BinaryIO, _notes: Notes) -> None:
    """Accept a file without bytes: there is nothing in it to execute."""


def _secrets(piece: bytes, offset: int, notes: Notes) -> None:
    for match in _KEY.finditer(piece):
        if _BASE64.search(match[1]):
            notes.find("text.private-key", Severity.HIGH, "a private key stands in this file", offset + match.start())
            return


def _tag(raw: bytes, offset: int, notes: Notes) -> None:
    tag = urllib.parse.unquote(raw.decode("utf-8", "replace"))
    if tag.startswith("!!python/") or "yaml.org,2002:python/" in tag:
        notes.find(
            "text.yaml-tag", Severity.CRITICAL, f"the YAML tag {tag} makes a Python object when it is loaded", offset
        )


def _pieces(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    kept, offset = b"", 0
    while piece := stream.read(CHUNK):
        yield offset, kept + piece
        offset += len(kept) + len(piece)
        kept = piece[-_OVERLAP:]
        offset -= len(kept)
