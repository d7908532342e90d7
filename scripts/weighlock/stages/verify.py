"""``weighlock verify``: check an artifact and all its evidence against one pinned identity.

The steps are numbered as they are printed: the manifest is what its digest says, it is a model, its content is there,
somebody we know signed the evidence, and the evidence says yes about exactly these files (see `gate`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from weighlock import evidence, gate
from weighlock.errors import IntegrityError, NotFoundError, RefusedError
from weighlock.evidence import Collected
from weighlock.formats.modelpack import ModelPack
from weighlock.gate import Case, Check, check
from weighlock.inputs import VerifierInputs, option, output
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Manifest
from weighlock.predicates import TEST_RESULT
from weighlock.signing import Verifier
from weighlock.stages import Context, Problem
from weighlock.store import Store
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What `verify` is told."""

    target: str = option("the artifact: oci:DIR[:TAG|@DIGEST] or HOST/REPO[:TAG|@DIGEST]", positional=True)
    tag: str = option("set this tag on the digest when the verdict is pass", default="")
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked of one artifact, and what was found on the way."""

    descriptor: Descriptor
    checks: tuple[Check, ...]
    manifest: Manifest | None = None
    files: dict[str, Descriptor] | None = None
    collected: Collected = Collected((), ())

    @property
    def passed(self) -> bool:
        """Tell whether every step said yes."""
        return all(item.ok for item in self.checks)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `verify` found."""

    identity: str
    verification: Verification
    verdict: str = output("pass or fail")
    digest: str = output("digest that was verified; deploy this, not the tag")
    reference: str = output("where it is, by digest")

    @property
    def passed(self) -> bool:
        """Tell whether the verdict is pass."""
        return self.verification.passed

    def data(self) -> Json:
        """Return the verdict and every check."""
        checks = [item.to_json() for item in self.verification.checks]
        return {"verdict": self.verdict, "digest": self.digest, "identity": self.identity, "checks": checks}

    def text(self) -> str:
        """Return the numbered steps and the verdict."""
        lines = [
            f"{number:2}. {'yes' if item.ok else 'NO '}  {item.name}: {item.reason}"
            for number, item in enumerate(self.verification.checks, 1)
        ]
        lines += [
            f"    ignored {item.descriptor.digest}: {item.reason}" for item in self.verification.collected.ignored
        ]
        return "\n".join([f"{self.reference}, trusting {self.identity}", *lines, self.verdict.upper()]) + "\n"

    def problems(self) -> list[Problem]:
        """Return the failed steps."""
        return [Problem("", f"{item.name}: {item.reason}") for item in self.verification.checks if not item.ok]


def run(inputs: Inputs, context: Context) -> Outputs:
    """Verify the artifact that the target names now; set the tag if asked to and if the verdict is pass."""
    pinned = inputs.verifier()
    target = Target.parse(inputs.target)
    tag = target.with_tag(inputs.tag).tag if inputs.tag else None
    store = open_store(target, plain_http=inputs.plain_http)
    outputs = report(store, verify(store, find(store, target), pinned), pinned)
    if tag and outputs.passed:
        store.tag(outputs.verification.descriptor, tag)
        context.say(f"tagged {outputs.digest} as '{tag}'")
    return outputs


def report(store: Store, verification: Verification, pinned: Verifier) -> Outputs:
    """Return the outputs for a verification."""
    digest = str(verification.descriptor.digest)
    verdict = "pass" if verification.passed else "fail"
    reference = f"{store.name}@{digest}"
    return Outputs(pinned.identity, verification, verdict=verdict, digest=digest, reference=reference)


def verify(store: Store, descriptor: Descriptor, pinned: Verifier) -> Verification:
    """Take all steps; without a readable manifest the first one is the last."""
    try:
        manifest = Manifest.parse(store.manifest(descriptor.digest))
        files = ModelPack().files(manifest)
    except (RefusedError, NotFoundError) as error:
        return Verification(descriptor, (Check("manifest", ok=False, reason=error.what),))
    collected = evidence.collect(store, descriptor, pinned)
    statements = [attached.statement for attached in collected.trusted]
    case = Case(descriptor.digest, {path: layer.digest for path, layer in files.items()}, statements)
    checks = (
        Check("manifest", ok=True, reason=f"a ModelPack of {counted(len(files), 'file')}, as its digest says"),
        check("content", lambda: _content(store, manifest, files)),
        check("bundles", lambda: _bundles(collected, pinned)),
        *gate.judge(case),
    )
    return Verification(descriptor, checks, manifest, files, collected)


def scan_results(target: str, pinned: Verifier, say: Callable[[str], None], *, plain_http: bool) -> list[Json]:
    """Return the predicates of the scans of a release that verifies; none, and a word why, where it does not."""
    named = Target.parse(target)
    store = open_store(named, plain_http=plain_http)
    try:
        verification = verify(store, find(store, named), pinned)
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


def _bundles(collected: Collected, pinned: Verifier) -> str:
    if not collected.trusted:
        others = f", {len(collected.ignored)} by others or unreadable" if collected.ignored else ""
        raise RefusedError(f"no bundle by {pinned.identity} hangs on this digest{others}")
    ignored = f", {len(collected.ignored)} ignored" if collected.ignored else ""
    return f"{len(collected.trusted)} by {pinned.identity}{ignored}"
