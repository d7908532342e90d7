"""The verification of an artifact, step by step, as its numbered checks are printed.

The manifest is what its digest says, it is a model, its content is there, somebody we trust signed the evidence, and the
evidence says yes about exactly these files (see `gate`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weighlock import evidence, gate, jsonio
from weighlock.errors import IntegrityError, NotFoundError, RefusedError
from weighlock.evidence import Collected
from weighlock.formats.modelpack import ModelPack
from weighlock.gate import Case, Check, check
from weighlock.inputs import Enforced
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Manifest
from weighlock.predicates import TEST_RESULT
from weighlock.store import Store, read
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable

_LICENCES = "org.opencontainers.image.licenses"
_CONFIG_LIMIT = 4 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked of one artifact, and what was found on the way."""

    descriptor: Descriptor
    checks: tuple[Check, ...]
    manifest: Manifest | None = None
    files: dict[str, Descriptor] | None = None
    collected: Collected = Collected((), ())
    case: Case | None = None
    """What was judged, where it came to that."""

    @property
    def passed(self) -> bool:
        """Tell whether every step said yes."""
        return all(item.ok for item in self.checks)


def verify(store: Store, descriptor: Descriptor, enforced: Enforced) -> Verification:
    """Take all steps; without a readable manifest, or with more hung on it than is read, there are no further ones."""
    try:
        manifest = Manifest.parse(store.manifest(descriptor.digest))
        files = ModelPack().files(manifest)
    except (RefusedError, NotFoundError) as error:
        return Verification(descriptor, (Check("manifest", ok=False, reason=error.what),))
    first = (
        Check("manifest", ok=True, reason=f"a ModelPack of {counted(len(files), 'file')}, as its digest says"),
        check("content", lambda: _content(store, manifest, files)),
    )
    try:
        collected = evidence.collect(store, descriptor, enforced.verifier)
    except RefusedError as error:
        return Verification(descriptor, (*first, Check("bundles", ok=False, reason=error.what)), manifest, files)
    digests = {path: layer.digest for path, layer in files.items()}
    licences = _licences(store, manifest) if enforced.rules.licences else ()
    case = Case(descriptor.digest, digests, collected.trusted, licences)
    checks = (*first, check("bundles", lambda: _bundles(collected, enforced)), *gate.judge(case, enforced.rules))
    return Verification(descriptor, checks, manifest, files, collected, case)


def scan_results(target: str, enforced: Enforced, say: Callable[[str], None], *, plain_http: bool) -> list[Json]:
    """Return the predicates of the scans of a release that verifies; none, and a word why, where it does not."""
    named = Target.parse(target)
    store = open_store(named, plain_http=plain_http)
    try:
        verification = verify(store, find(store, named), enforced)
    except (RefusedError, NotFoundError) as error:
        say(f"no earlier scan result is used: {error.what}")
        return []
    failed = next((item for item in verification.checks if not item.ok), None)
    if failed:
        say(f"no earlier scan result is used, {printable(target)} does not verify: {failed.name}: {failed.reason}")
        return []
    statements = [item.statement for item in verification.collected.trusted]
    return [
        dict(item.predicate)
        for item in statements
        if item.predicate_type == TEST_RESULT and item.covers(verification.descriptor.digest)
    ]


def _content(store: Store, manifest: Manifest, files: dict[str, Descriptor]) -> str:
    """Examine every blob, as thoroughly as the store can for little."""
    words = ""
    for path, blob in (("config", manifest.config), *files.items()):
        try:
            words = store.examine(blob)
        except (IntegrityError, NotFoundError) as error:
            raise RefusedError(f"'{printable(path)}': {error.what}") from None
    return f"{counted(len(files), 'file')} {words}"


def _bundles(collected: Collected, enforced: Enforced) -> str:
    pinned = enforced.verifier
    if not collected.trusted:
        others = f", {len(collected.ignored)} by others or unreadable" if collected.ignored else ""
        raise RefusedError(f"no bundle by {pinned.identity} hangs on this digest{others}")
    ignored = f", {len(collected.ignored)} ignored" if collected.ignored else ""
    return f"{len(collected.trusted)} by {pinned.identity}{ignored}"


def _licences(store: Store, manifest: Manifest) -> tuple[str, ...]:
    """Return the licences that the manifest's annotation and the ModelPack's config name; unreadable is none."""
    annotated = manifest.annotations.get(_LICENCES, "")
    try:
        config = jsonio.parse(read(store, manifest.config, _CONFIG_LIMIT), "config")
        named = (jsonio.optional(config, "descriptor", dict, "config") or {}).get("licenses")
    except (RefusedError, NotFoundError):
        return ()
    listed: Sequence[object] = named if isinstance(named, list) else []
    return tuple(dict.fromkeys(str(item) for item in [*([annotated] if annotated else []), *listed]))
