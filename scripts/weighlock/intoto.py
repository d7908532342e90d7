"""In-toto statements, strict: what is signed, and what a signed statement must look like to be believed. Pure.

Source: in-toto attestation framework v1, spec/v1/statement.md. Go verifiers parse strictly, so a field outside the
specification is refused here as well, though other Python tools let it pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.oci import Digest

STATEMENT = "https://in-toto.io/Statement/v1"
SUBJECT_LIMIT = 1024  # what the known verifiers read

_FIELDS = frozenset({"_type", "subject", "predicateType", "predicate"})
_SUBJECT_FIELDS = frozenset({"name", "digest", "annotations"})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a statement is about: a name for people, a digest for machines."""

    name: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Statement:
    """A claim (`predicate`, of `predicate_type`) about `subjects`."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, object]

    @classmethod
    def parse(cls, raw: bytes) -> Statement:
        """Read statement bytes; an unknown field, no subject or a subject without sha256 is a `MalformedError`."""
        document = jsonio.parse(raw, "statement")
        if document.get("_type") != STATEMENT:
            raise MalformedError(f"statement: '_type' is not {STATEMENT}")
        if unknown := document.keys() - _FIELDS:
            raise MalformedError(f"statement: {len(unknown)} fields that the specification does not know")
        subjects = jsonio.objects(document, "subject", "statement")
        if not 0 < len(subjects) <= SUBJECT_LIMIT:
            raise MalformedError(f"statement: {len(subjects)} subjects, allowed are 1 to {SUBJECT_LIMIT}")
        return cls(
            tuple(_subject(item) for item in subjects),
            jsonio.field(document, "predicateType", str, "statement"),
            jsonio.optional(document, "predicate", dict, "statement") or {},
        )

    def encode(self) -> bytes:
        """Return the bytes to sign; they are canonical, and they are made once."""
        return jsonio.canonical(
            {
                "_type": STATEMENT,
                "subject": [{"name": item.name, "digest": {"sha256": item.digest.hex}} for item in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": dict(self.predicate),
            }
        )

    def covers(self, digest: Digest) -> bool:
        """Tell whether one of the subjects has this digest."""
        return any(subject.digest == digest for subject in self.subjects)


def resource(name: str, digest: Digest, **more: object) -> Json:
    """Return a ResourceDescriptor with a sha256 digest (spec/v1/resource_descriptor.md)."""
    return {"name": name, "digest": {"sha256": digest.hex}, **more}


def subjects(*pairs: tuple[str, Digest], files: Sequence[tuple[str, Digest]] = ()) -> tuple[Subject, ...]:
    """Return `pairs` and then as many `files` as the limit on subjects allows."""
    return tuple(Subject(name, digest) for name, digest in [*pairs, *files][:SUBJECT_LIMIT])


def _subject(document: Json) -> Subject:
    if document.keys() - _SUBJECT_FIELDS:
        raise MalformedError("statement: a subject has fields that the specification does not know")
    digests = jsonio.field(document, "digest", dict, "statement subject")
    sha256 = jsonio.field(digests, "sha256", str, "statement subject digest")
    return Subject(jsonio.field(document, "name", str, "statement subject"), Digest.parse(f"sha256:{sha256}"))
