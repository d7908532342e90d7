"""What provenance is to say beside the run, on its way from the job that holds the files to the job that signs.

A file between two jobs may be anybody's, so its reader takes nothing but names and digests, and rebuilds the rest: nothing
in it can claim a role, a source or a builder that only a certificate vouches for.
"""

from __future__ import annotations

import base64
import re

from weighlock import jsonio, lineage
from weighlock.errors import MalformedError
from weighlock.intoto import SUBJECT_LIMIT, Subject
from weighlock.jsonio import Json, canonical
from weighlock.oci import Digest
from weighlock.provenance import Told
from weighlock.text import printable

_WHAT = "description"
_VERSION = 1
_FIELDS = frozenset({"version", "dependencies", "parameters", "subjects"})
_DIGEST = re.compile("sha256 [0-9a-f]{64}|gitCommit [0-9a-f]{40}|md5 [0-9a-f]{32}")
_ROLES = frozenset({lineage.BASE_MODEL, lineage.DATASET})


def write(told: Told) -> bytes:
    """Return it as canonical JSON."""
    document: Json = {
        "version": _VERSION,
        "dependencies": list(told.dependencies),
        "subjects": [{"name": item.name, "digest": str(item.digest)} for item in told.beside],
    }
    if told.parameters:
        document["parameters"] = told.parameters["content"]
    return canonical(document)


def read(document: Json) -> Told:
    """Return what another job described; `MalformedError` where it says more than that, or less."""
    if document.get("version") != _VERSION or document.keys() - _FIELDS:
        raise MalformedError(f"{_WHAT}: not one that `weighlock describe` of this version writes")
    subjects = jsonio.objects(document, "subjects", _WHAT)
    if len(subjects) >= SUBJECT_LIMIT:
        raise MalformedError(f"{_WHAT}: {len(subjects)} subjects, allowed are {SUBJECT_LIMIT - 1} beside the model")
    content = jsonio.optional(document, "parameters", str, _WHAT)
    return Told(
        tuple(_dependency(item) for item in jsonio.objects(document, "dependencies", _WHAT)),
        None if content is None else _parameters(content),
        tuple(
            Subject(_name(_only(item, "name", "digest")), Digest.parse(jsonio.field(item, "digest", str, _WHAT)))
            for item in subjects
        ),
    )


def join(one: Told, other: Told) -> Told:
    """Return both; of hyperparameters there is one."""
    if one.parameters and other.parameters:
        raise MalformedError(f"{_WHAT}: hyperparameters are given twice")
    return Told(
        (*one.dependencies, *other.dependencies),
        one.parameters or other.parameters,
        tuple(dict.fromkeys([*one.beside, *other.beside])),
        one.inputs or other.inputs,
    )


def _only(item: Json, *known: str) -> Json:
    """Return an object that has no other fields."""
    if unknown := sorted(item.keys() - set(known)):
        raise MalformedError(f"{_WHAT}: '{printable(unknown[0])}' is no field of it")
    return item


def _dependency(item: Json) -> Json:
    """Return a dependency with one digest and one of the two roles."""
    _only(item, "name", "uri", "digest", "annotations")
    digests, annotations = jsonio.strings(item, "digest", _WHAT), jsonio.strings(item, "annotations", _WHAT)
    if len(digests) != 1 or not all(_DIGEST.fullmatch(" ".join(pair)) for pair in digests.items()):
        raise MalformedError(f"{_WHAT}: a dependency has no digest that is known")
    if annotations.get("role") not in _ROLES or annotations.keys() - {"role", "digest"}:
        raise MalformedError(f"{_WHAT}: a dependency is neither a base model nor a dataset")
    uri = jsonio.optional(item, "uri", str, _WHAT)
    if not all(text.isprintable() for text in (uri or "", *annotations.values())):
        raise MalformedError(f"{_WHAT}: a dependency holds what does not print")
    return {"name": _name(item), **({"uri": uri} if uri else {}), "digest": digests, "annotations": annotations}


def _name(item: Json) -> str:
    name = jsonio.field(item, "name", str, _WHAT)
    if not name.strip():
        raise MalformedError(f"{_WHAT}: something has no name")
    return name


def _parameters(content: str) -> Json:
    try:
        raw = base64.b64decode(content, validate=True)
    except ValueError:
        raise MalformedError(f"{_WHAT}: its hyperparameters are not base64") from None
    return lineage.hyperparameters(raw, _WHAT)
