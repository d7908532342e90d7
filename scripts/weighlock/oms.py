"""The OpenSSF Model Signing statement: one digest over all files of a model. Pure.

Source: OMS v1.0 as the `model_signing` library writes and reads it. Resources are sorted by path *components*; the
root is the sha256 over the concatenated raw digests in that order; the statement has exactly one subject, the root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.intoto import Statement, Subject
from weighlock.jsonio import Json
from weighlock.oci import Digest

PREDICATE_TYPE = "https://model_signing/signature/v1.0"
IGNORED = (".git", ".gitattributes", ".github", ".gitignore")
"""What is never part of a model: git's own files at its root (the set that `model_signing` leaves out)."""


def statement(name: str, files: Mapping[str, Digest], manifest: Digest) -> Statement:
    """Return the OMS statement over `files` (path to digest), bound to the `manifest` that carries them."""
    resources = [
        {"name": path, "algorithm": "sha256", "digest": files[path].hex} for path in sorted(files, key=_components)
    ]
    predicate = {
        "serialization": {
            "method": "files",
            "hash_type": "sha256",
            "allow_symlinks": False,
            "ignore_paths": list(IGNORED),
        },
        "resources": resources,
        "oci": {"manifest": str(manifest)},
    }
    return Statement((Subject(name, root(files)),), PREDICATE_TYPE, predicate)


def root(files: Mapping[str, Digest]) -> Digest:
    """Return the one digest over `files` (path to digest)."""
    return _root([files[path] for path in sorted(files, key=_components)])


def files(statement: Statement) -> dict[str, Digest]:
    """Return the signed files (path to digest) after checking order, uniqueness, subject and root."""
    predicate = dict(statement.predicate)
    entries = [_entry(item) for item in jsonio.objects(predicate, "resources", "model signature")]
    paths = [path for path, _ in entries]
    if paths != sorted(set(paths), key=_components):
        raise MalformedError("model signature: resources are not unique and sorted by path components")
    if [subject.digest for subject in statement.subjects] != [_root([digest for _, digest in entries])]:
        raise MalformedError("model signature: the subject is not the root over the resources")
    return dict(entries)


def manifest(statement: Statement) -> Digest | None:
    """Return the manifest that the signature is bound to, None where it is bound to files on disk alone."""
    binding = jsonio.optional(dict(statement.predicate), "oci", dict, "model signature")
    return Digest.parse(jsonio.field(binding, "manifest", str, "model signature")) if binding else None


def _components(path: str) -> list[str]:
    return path.split("/")


def _root(digests: list[Digest]) -> Digest:
    return Digest(hashlib.sha256(b"".join(bytes.fromhex(digest.hex) for digest in digests)).hexdigest())


def _entry(item: Json) -> tuple[str, Digest]:
    if item.get("algorithm") != "sha256":
        raise MalformedError("model signature: a resource is not digested by sha256")
    digest = Digest.parse("sha256:" + jsonio.field(item, "digest", str, "model signature resource"))
    return jsonio.field(item, "name", str, "model signature resource"), digest
