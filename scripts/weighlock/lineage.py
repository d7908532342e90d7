"""What a model was made of: base models and datasets, each by a digest that somebody can compare.

A name alone is not taken: who reads provenance could not tell which bytes it meant. Digests come with the reference, or
are computed here from files, or are read out of the pointers that Git LFS and DVC keep instead of them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path

from weighlock import jsonio, oms
from weighlock.config import ModelEntry
from weighlock.errors import InputError, MalformedError
from weighlock.intoto import resource
from weighlock.jsonio import Json
from weighlock.model import Entry, walk, weigh
from weighlock.oci import Digest
from weighlock.text import printable

BASE_MODEL = "base-model"
DATASET = "dataset"
PARAMETERS_LIMIT = 64 * 1024  # bytes; they stand in the statement

_POINTER_LIMIT = 1024  # bytes; Git LFS writes about 130, DVC about 100
_PINNED = re.compile(r"(?P<uri>\S+)@(?:sha256:(?P<sha256>[0-9a-f]{64})|(?P<commit>[0-9a-f]{40}))")
_LFS = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-\d-\S+ \S+\n)*oid sha256:([0-9a-f]{64})\nsize \d+\n"
)
_DVC = re.compile(r"(?m)^(?:- |  )md5: ([0-9a-f]{32})(\.dir)?$")
_ROOT = f"root over the files, as in {oms.PREDICATE_TYPE}"
_REMEDY = "Write NAME=URI@sha256:DIGEST, NAME=URI@COMMIT (all 40 digits), or NAME=PATH of a file, folder or pointer."


def dependencies(base_models: Sequence[str], datasets: Sequence[str]) -> tuple[Json, ...]:
    """Return resolved dependencies (in-toto ResourceDescriptors), each with its role, in the order given."""
    pairs = [(BASE_MODEL, word) for word in base_models] + [(DATASET, word) for word in datasets]
    return tuple(_dependency(role, word) for role, word in pairs)


def declared(entry: ModelEntry) -> tuple[Json, ...]:
    """Return what an entry of ``weighlock.yml`` names by a digest; its bare names say nothing that could be compared."""
    pinned = [(name, _PINNED.fullmatch(name)) for name in entry.base_models]
    models = [_descriptor(BASE_MODEL, name, _digests(match), uri=match["uri"]) for name, match in pinned if match]
    data = [
        _descriptor(DATASET, item.name, {"sha256": item.digest.hex}, uri=item.uri or "")
        for item in entry.datasets
        if item.digest
    ]
    return (*models, *data)


def parameters(path: Path) -> Json:
    """Return hyperparameters, a JSON object in a file, as a resource with its bytes in it."""
    try:
        with path.open("rb") as stream:
            return hyperparameters(stream.read(PARAMETERS_LIMIT + 1), str(path))
    except OSError as error:
        raise InputError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    except MalformedError as error:
        raise InputError(error.what, remedy="Give a JSON object, of hyperparameters only.") from None


def hyperparameters(raw: bytes, what: str) -> Json:
    """Return a JSON object as the resource that provenance holds; `MalformedError` where it is none, or too large."""
    if len(raw) > PARAMETERS_LIMIT:
        raise MalformedError(f"{printable(what)} is larger than {PARAMETERS_LIMIT} bytes")
    jsonio.parse(raw, printable(what))
    content = base64.b64encode(raw).decode()
    return resource("hyperparameters", Digest.of(raw), mediaType="application/json", content=content)


def _dependency(role: str, word: str) -> Json:
    name, _, where = word.partition("=")
    if not name.isprintable() or not name.strip() or not where:
        raise InputError(f"the {role} '{printable(word)}' is not NAME=WHERE", remedy=_REMEDY)
    if pinned := _PINNED.fullmatch(where):
        return _descriptor(role, name, _digests(pinned), uri=pinned["uri"])
    if "://" in where:
        raise InputError(
            f"the {role} '{printable(where)}' has no digest, so nobody could find it again", remedy=_REMEDY
        )
    path = Path(where)
    entries = walk(path)
    if path.is_dir():
        files = {entry.path: weigh(entry).digest for entry in entries}
        return _descriptor(role, name, {"sha256": oms.root(files).hex}, digest=_ROOT)
    return _file(role, name, entries[0])


def _digests(pinned: re.Match[str]) -> dict[str, str]:
    return {"sha256": pinned["sha256"]} if pinned["sha256"] else {"gitCommit": pinned["commit"]}


def _file(role: str, name: str, entry: Entry) -> Json:
    """Describe a file, or what a pointer stands for."""
    start = _Start()
    digest = weigh(entry, [start]).digest
    if entry.size <= _POINTER_LIMIT and (pointer := _LFS.fullmatch(bytes(start.held))):
        return _descriptor(role, name, {"sha256": pointer[1].decode()}, digest="read from a Git LFS pointer")
    if entry.path.endswith(".dvc"):
        outs = _DVC.findall(start.held.decode(errors="replace")) if entry.size <= _POINTER_LIMIT else []
        if len(outs) != 1:
            raise InputError(f"the {role} '{printable(entry.path)}' is no DVC file with the MD5 of one thing")
        md5, folder = outs[0]
        words = "of DVC's list of the folder's files" if folder else "of the file"
        return _descriptor(role, name, {"md5": md5}, digest=f"read from a DVC file, {words}")
    return _descriptor(role, name, {"sha256": digest.hex})


class _Start:
    """Keeps the first bytes of a file."""

    def __init__(self) -> None:
        self.held = bytearray()

    def feed(self, chunk: bytes) -> None:
        self.held += chunk[: _POINTER_LIMIT + 1 - len(self.held)]


def _descriptor(role: str, name: str, digests: dict[str, str], *, uri: str = "", digest: str = "") -> Json:
    annotations = {"role": role, **({"digest": digest} if digest else {})}
    return {"name": name, **({"uri": uri} if uri else {}), "digest": digests, "annotations": annotations}
