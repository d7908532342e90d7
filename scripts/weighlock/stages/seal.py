"""``weighlock seal``: sign an artifact that other jobs scanned, audited and packaged, and tag it last.

The job that may sign runs nothing of the model's and trusts nothing that it is handed: every byte of the artifact is
weighed again, scan and audit result are what their digests say, and they name exactly its files. Only then is there a
signature. `release` ends the same way, in one job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighlock import clock, description, jsonio, predicates, sealing, source
from weighlock.errors import InputError, MalformedError, RefusedError
from weighlock.formats.modelpack import ModelPack
from weighlock.inputs import ProvenanceInputs, option, output
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest, Manifest
from weighlock.predicates import TEST_RESULT, VULNERABILITIES
from weighlock.provenance import Told
from weighlock.sealing import Artifact, Sealed
from weighlock.stages import Context, Passage, Problem
from weighlock.stages.sign import evidence_json
from weighlock.store import Store
from weighlock.store.parallel import Job, Meter, Streams, run_all
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted, printable

_LIMIT = 7_000_000  # bytes of a predicate, as for `attest`


@dataclass(frozen=True, slots=True)
class Inputs(ProvenanceInputs):
    """What `seal` is told."""

    target: str = option("the artifact: oci:DIR@DIGEST or HOST/REPO@DIGEST", positional=True)
    scan: Path = option("what `scan --predicate` wrote about its files", metavar="FILE")
    scan_digest: str = option("sha256 digest of that file, said by the job that wrote it", default="", metavar="DIGEST")
    audit: Path | None = option("what `audit --predicate` wrote about its requirements", default=None, metavar="FILE")
    audit_digest: str = option("sha256 digest of that file", default="", metavar="DIGEST")
    description: Path | None = option(
        "what `describe` wrote about data, base models, hyperparameters and what was built beside it",
        default=None,
        metavar="FILE",
    )
    description_digest: str = option("sha256 digest of that file", default="", metavar="DIGEST")
    tag: str = option("tag to set, last of all", default="")
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `seal` did."""

    sealed: Sealed
    commands: Mapping[str, str]
    """Program to the command by which a consumer verifies it."""
    digest: str = output("digest that was sealed; deploy this")
    reference: str = output("where it is, by digest")
    tag: str = output("tag that names it now")
    verify_command: str = output("command that verifies this release")

    passed = True

    def data(self) -> Json:
        """Return digest, reference, tag and evidence."""
        found = evidence_json(self.sealed.evidence)
        return {
            "digest": self.digest,
            "reference": self.reference,
            "tag": self.tag or None,
            "evidence": found,
            "commands": dict(self.commands),
        }

    def text(self) -> str:
        """Return where it is and what hangs on it."""
        return described(self.reference, self.tag, self.sealed, self.commands)

    def passage(self) -> Passage:
        """Return the way from what other jobs handed over to the tag."""
        return way(
            [("scan", True), ("package", True), ("weigh", True)], self.sealed, self.commands, tagged=bool(self.tag)
        )

    def problems(self) -> list[Problem]:
        """Return nothing: a refusal is an error here."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Check what was handed over, weigh the artifact again, and seal it."""
    signing = inputs.signer(context.environ, context.say)
    shelve = inputs.shelves(context.environ, context.say)
    told = inputs.told(context.made, external=inputs.external_parameters)
    if inputs.description:
        told = _joined(told, _handed_over(inputs.description, inputs.description_digest))
    target = Target.parse(inputs.target)
    if target.digest is None:
        raise InputError(f"{printable(str(target))} is no digest", remedy="Give the digest that `package` printed.")
    tag = target.with_tag(inputs.tag).tag if inputs.tag else None
    results = [(TEST_RESULT, _handed_over(inputs.scan, inputs.scan_digest))]
    if inputs.audit:
        results.append((VULNERABILITIES, _handed_over(inputs.audit, inputs.audit_digest)))
    store = open_store(target, plain_http=inputs.plain_http)
    subject = find(store, target)
    started = clock.now()
    files = ModelPack().files(Manifest.parse(store.manifest(subject.digest)))
    weigh(store, list(files.values()), context.say)
    artifact = Artifact(store, subject, target.name, {path: layer.digest for path, layer in files.items()})
    sealing.require_green(artifact, results)
    own = signing.certificate()
    build = source.vouched(own, told.inputs) or source.answered(
        context.build or source.handed(target.name, len(files)), own
    )
    wanted = sealing.statements(artifact, results, build, told, started)
    sealed = sealing.seal(artifact, wanted, signing, tag, context.say, shelve)
    reference = f"{store.name}@{subject.digest}"
    typed = sealing.commands(inputs, Target(target.place, digest=subject.digest), signing, plain_http=inputs.plain_http)
    return Outputs(sealed, typed, str(subject.digest), reference, tag or "", typed.get("weighlock", ""))


def weigh(store: Store, blobs: Sequence[Descriptor], say: Callable[[str], None]) -> None:
    """Read every byte again, several blobs at a time; what is not as described raises `IntegrityError`."""
    unique = list({blob.digest: blob for blob in blobs}.values())
    run_all([_weighing(store, blob) for blob in unique], streams=Streams())
    say(f"weighed {counted(len(blobs), 'file')} again")


def way(
    before: Sequence[tuple[str, bool | None]], sealed: Sealed, commands: Mapping[str, str], *, tagged: bool
) -> Passage:
    """Return the whole way of a model whose first steps are given: without evidence it was not signed."""
    signed = True if sealed.evidence else None
    last = [("sign", signed), ("verify", signed), ("tag", True if signed and tagged else None)]
    held = [(predicates.LABELS.get(kind, printable(kind)), str(digest)) for kind, digest in sealed.evidence]
    return Passage([*before, *last], held, [*commands.values()])


def described(reference: str, tag: str, sealed: Sealed, commands: Mapping[str, str]) -> str:
    """Return for people where a release is, what hangs on it, and how to verify it."""
    rows = [f"  {predicates.LABELS.get(kind, printable(kind)):<17} {digest}" for kind, digest in sealed.evidence]
    news = "released" if sealed.added or sealed.moved else "nothing to do: it is released already"
    tagged = f" as '{tag}'" if tag else ", without a tag"
    typed = ["to verify it:", *(f"  {command}" for command in commands.values())] if commands else []
    return "\n".join([f"{reference}{tagged}", *rows, news, *typed]) + "\n"


def _handed_over(path: Path, digest: str) -> Json:
    """Read a predicate that another job wrote; with its digest, one that was exchanged on the way is refused."""
    shown = printable(str(path))
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
        if len(raw) > _LIMIT:
            raise InputError(f"{shown} is larger than {_LIMIT} bytes", remedy="It would fit into no bundle.")
        if digest and Digest.parse(digest) != Digest.of(raw):
            raise RefusedError(
                f"{shown} is not what was handed over: it is {Digest.of(raw)}, said was {digest}",
                remedy="Something exchanged it between the jobs; find out what, then run all of them again.",
            )
        return jsonio.parse(raw, printable(path.name))
    except OSError as error:
        raise InputError(f"{shown} cannot be read: {error.strerror}") from None
    except MalformedError as error:
        raise InputError(error.what) from None


def _joined(told: Told, document: Json) -> Told:
    """Return what this job was told with what another job described."""
    try:
        return description.join(told, description.read(document))
    except MalformedError as error:
        raise InputError(error.what) from None


def _weighing(store: Store, blob: Descriptor) -> Job[None]:
    def run(meter: Meter) -> None:
        for chunk in store.blob(blob):  # which checks them
            meter.add(len(chunk))

    return Job(blob.size, run)
