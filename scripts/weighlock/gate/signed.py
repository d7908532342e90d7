"""What is signed, and that it is the same everywhere: signature, model signature, and the evidence closure. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from weighlock import oms
from weighlock.errors import RefusedError
from weighlock.gate.case import Case
from weighlock.gate.scan import ledgers
from weighlock.oci import Digest
from weighlock.predicates import SIGNATURE
from weighlock.text import counted, printable

_SHOWN = 5  # files of a kind


def signature(case: Case) -> str:
    """Somebody whom we trust signed this manifest, since other evidence may be about models that nobody released."""
    if not case.about(SIGNATURE):
        raise RefusedError("no signature by the pinned identity is about this digest")
    return "the pinned identity signed the manifest"


def model_signature(case: Case) -> str:
    """Every model signature (OMS) on this manifest names its files, so that they can be checked without a registry."""
    signed = signed_files(case)
    same_files("model signature", signed, case)
    return f"{counted(len(signed[0]), 'file')} signed under one root"


def on_disk(case: Case, there: Mapping[str, Digest]) -> str:
    """The files on disk are those of the model signature, and no others: what a server mounted is what was weighed."""
    for signed in signed_files(case):
        if words := differences(signed, there):
            raise RefusedError(f"the files on disk are not those that were signed: {words}")
    return f"the same {counted(len(there), 'file')} as signed"


def differences(signed: Mapping[str, Digest], there: Mapping[str, Digest]) -> str:
    """Name the files that were changed, are missing, or were added, some of each."""
    kinds = {
        "changed": [path for path in signed if path in there and signed[path] != there[path]],
        "missing": [path for path in signed if path not in there],
        "extra": [path for path in there if path not in signed],
    }
    return "; ".join(f"{kind} {_some(paths)}" for kind, paths in kinds.items() if paths)


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(f"'{printable(path)}'" for path in sorted(paths)[:_SHOWN]) + more


def closure(case: Case) -> str:
    """Layers, scan ledger and signature name the same bytes: what is deployed is what was weighed."""
    scanned_files(case)
    same_files("model signature", signed_files(case), case)
    return f"layers, scan ledger and model signature name the same {counted(len(case.files), 'file')}"


def scanned_files(case: Case) -> None:
    """Every scan is about exactly the files of this manifest."""
    same_files("scan ledger", [item.digests for item in ledgers(case)], case)


def same_files(name: str, others: Sequence[Mapping[str, Digest]], case: Case) -> None:
    """Raise `RefusedError` where one of the `others` is not the manifest's own set of files."""
    for other in others:
        if other != case.files:
            raise RefusedError(f"the layers and the {name} differ: {difference(other, case.files, 'a layer')}")


def signed_files(case: Case) -> list[dict[str, Digest]]:
    """Return the files of every OMS statement that is bound to this manifest."""
    signatures = [item.statement for item in case.evidence if item.statement.predicate_type == oms.PREDICATE_TYPE]
    signed = [oms.files(item) for item in signatures if oms.manifest(item) == case.digest]
    if not signed:
        raise RefusedError("no model signature (OMS) by the pinned identity is bound to this digest")
    return signed


def difference(other: Mapping[str, Digest], files: Mapping[str, Digest], what: str) -> str:
    """Name the first file that the two sets do not agree on; `what` says what a member of `files` is."""
    for path in sorted({*other, *files}):
        if path not in other:
            return f"'{printable(path)}' is {what} only"
        if path not in files:
            return f"'{printable(path)}' is no {what.removeprefix('a ')}"
        if other[path] != files[path]:
            return f"'{printable(path)}' is {files[path]} as {what} and {other[path]} there"
    return "no difference"
