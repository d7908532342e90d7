"""XML: PMML, OpenVINO and whatever else, parsed by expat with everything refused that reaches outside or runs.

Declared entities make parsers read files and expand without end; scripts, stylesheets and inclusions run or fetch.
They are findings, and the parser stops at the first declaration. The document types of SVG and of Apple's property
lists, which many tools write, are let through where they declare nothing themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from weighlock.scanners import Blob, Severity
from weighlock.scanners.reading import CHUNK, UnclearError
from weighlock.scanners.strict import text
from weighlock.scanners.strict.notes import Notes

DEPTH = 256  # of elements in elements
ELEMENTS = 20_000_000  # in one file

_KNOWN_TYPES = frozenset(
    {"-//W3C//DTD SVG 1.0//EN", "-//W3C//DTD SVG 1.1//EN", "-//Apple//DTD PLIST 1.0//EN"}
    | {"-//Apple Computer//DTD PLIST 1.0//EN"}
)
_RUNS = frozenset({"script", "handler", "foreignobject", "iframe", "object", "embed"})
_SPACES = {
    "http://www.w3.org/1999/XSL/Transform": "an XSLT stylesheet, which is a program",
    "http://www.w3.org/2001/XInclude": "an inclusion, which reads another file",
}


class _StopError(Exception):
    """A declaration that is not read further."""


def xml(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Parse the document to its end, and look through it as text."""
    text.text(blob, stream, notes)
    stream.seek(0)
    _Reader(notes).read(stream)


def constants(stream: BinaryIO) -> Iterator[tuple[int, int]]:
    """Yield where an OpenVINO network says that its constants lie in the file of weights: offset and size in bytes."""
    reader = _Reader(Notes())
    reader.read(stream)
    if reader.root == "net":
        yield from reader.constants


@dataclass(slots=True)
class _Reader:
    notes: Notes
    root: str = ""
    depth: int = 0
    left: int = ELEMENTS
    constant: bool = False
    constants: list[tuple[int, int]] = field(default_factory=list)

    def read(self, stream: BinaryIO) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self.doctype
        parser.EntityDeclHandler = self.entity
        parser.ExternalEntityRefHandler = self.entity
        parser.ProcessingInstructionHandler = self.instruction
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        try:
            while piece := stream.read(CHUNK):
                parser.Parse(piece, False)
            parser.Parse(b"", True)
        except _StopError as error:
            raise UnclearError(str(error)) from None
        except (expat.ExpatError, ValueError) as error:
            raise UnclearError(f"XML that does not parse: {error}") from None

    def doctype(self, name: str, system: str | None, public: str | None, subset: int) -> None:
        if subset or (public or system) not in _KNOWN_TYPES:
            self.notes.find(
                "xml.doctype", Severity.HIGH, f"a document type of {name}, which may declare or fetch anything"
            )

    def entity(self, *_declaration: object) -> bool:
        self.notes.find("xml.entity", Severity.CRITICAL, "declares entities: a parser may read files through them")
        raise _StopError("XML that declares entities is not read further")

    def instruction(self, target: str, _data: str) -> None:
        if target == "xml-stylesheet":
            self._finding("a stylesheet from elsewhere")
        else:
            self.notes.gap(f"an XML instruction for {target}")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.depth += 1
        self.left -= 1
        if self.depth > DEPTH or self.left < 0:
            raise UnclearError("XML with too many elements, or nested too deeply")
        space, _, local = name.rpartition(" ")
        self.root = self.root or local
        if space in _SPACES:
            self._finding(_SPACES[space])
        elif local.lower() in _RUNS:
            self._finding(f"the element {local}")
        if any(key.lower().startswith("on") and self.root == "svg" for key in attributes):
            self._finding(f"code in an attribute of {local}")
        if any(value.lstrip().lower().startswith(("javascript:", "vbscript:")) for value in attributes.values()):
            self._finding(f"code in a reference of {local}")
        self._model(local, attributes)

    def _model(self, local: str, attributes: Mapping[str, str]) -> None:
        if self.root == "PMML" and local == "Apply" and set(attributes.get("function", "")) & set(".:"):
            self._review(f"PMML calls {attributes['function']}, a function of the application's own")
        elif self.root == "net" and local == "layer":
            self.constant = attributes.get("type") == "Const"
            version = attributes.get("version", "opset1")
            if not version.startswith("opset"):
                self._review(f"OpenVINO layers of {version}, which come from a library")
        elif self.root == "net" and local == "data" and self.constant:
            place = attributes.get("offset", ""), attributes.get("size", "")
            if all(it.isascii() and it.isdigit() and len(it) < 19 for it in place):
                self.constants.append((int(place[0]), int(place[1])))

    def end(self, _name: str) -> None:
        self.depth -= 1

    def _finding(self, what: str) -> None:
        self.notes.find("xml.active", Severity.HIGH, f"XML with {what}")

    def _review(self, what: str) -> None:
        self.notes.find("xml.foreign", Severity.REVIEW, what)
