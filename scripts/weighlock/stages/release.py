"""``weighlock release``: a model goes from a folder to a verified, signed OCI artifact.

The order is the promise. Scan and audit first, and where one says no, nothing is written to the target. Then blobs, the
manifest by digest, all evidence in one batch, the verification that a consumer would make, and the tag last: nobody
ever sees a tag without its evidence. Each step does only what is missing, so a rerun repairs and repeats nothing.

A pull request of a stranger gets no identity from its CI, and no other is taken for it: there the release is rehearsed,
scan and audit and all, without a look at the target.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weighlock import clock, predicates, sealing, source
from weighlock.auditing import AuditResult, Service
from weighlock.auditing.audit import audit_requirements
from weighlock.config import NAME, Config, ModelEntry, config_for, entry_at
from weighlock.errors import InputError
from weighlock.gate import REQUIREMENTS
from weighlock.inputs import Enforced, ProvenanceInputs, option, output
from weighlock.jsonio import Json
from weighlock.ledger import Ledger
from weighlock.model import Model, walk
from weighlock.oci import Descriptor
from weighlock.scanners import Severity
from weighlock.signing import ambient
from weighlock.stages import Context, Passage, Problem, audit, package, scan, seal, verify
from weighlock.stages.sign import evidence_json
from weighlock.store import Store
from weighlock.store.planning import Plan
from weighlock.store.targets import Target, open_store
from weighlock.text import printable

NOTHING = sealing.Sealed((), 0, moved=False)


@dataclass(frozen=True, slots=True)
class Inputs(ProvenanceInputs):
    """What `release` is told."""

    path: Path = option("the model: a folder, or one file", positional=True)
    to: str = option(
        "where to release it: oci:DIR:TAG or HOST/REPO:TAG; or :TAG alone, at the model's target in weighlock.yml",
        metavar="TARGET",
    )
    requirements: Path | None = option(
        "requirements to audit (default: the model's in weighlock.yml, else requirements.txt in the model)",
        default=None,
        metavar="FILE",
    )
    fail_on: Severity | None = option(
        "lowest severity that is unsafe: low, medium, high or critical (default: the policy's, else low)",
        default=None,
        metavar="SEVERITY",
    )
    config: Path | None = option(
        "file with the policy (default: weighlock.yml, where there is one)", default=None, metavar="FILE"
    )
    cache: bool | None = option(scan.CACHE_HELP, default=None)
    engines: tuple[str, ...] = option(scan.ENGINES_HELP, default=(), metavar="NAME[=PYTHON]")
    previous: str = option(f"{scan.PREVIOUS_HELP} by whoever signs now", default="", metavar="TARGET")
    report: Path | None = option("write the scan ledger here", default=None, metavar="FILE")
    audit_report: Path | None = option("write the audit result here", default=None, metavar="FILE")
    service: Service = option("vulnerability service: pypi or osv", default=Service.PYPI)
    service_url: str = option("URL of the vulnerability service, for a mirror", default="", metavar="URL")
    dry_run: bool = option(
        "scan and audit, say what would be sent and under which digest, and write nothing", default=False
    )
    mount_from: str = option(package.MOUNT_HELP, default="", metavar="REPOSITORY")
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Gate:
    """What was found out before anything was written: the model, its ledger, its audit where there are requirements."""

    model: Model
    ledger: Ledger
    scanned: str
    """When the scan was finished, as RFC 3339."""
    audit: AuditResult | None

    @property
    def green(self) -> bool:
        """Tell whether the model may pass."""
        return self.ledger.passed and (self.audit is None or self.audit.passed)

    def results(self) -> sealing.Results:
        """Return what is attested of it."""
        scanned = (predicates.TEST_RESULT, predicates.scan_result(self.ledger, finished=self.scanned))
        return [scanned] + (
            [(predicates.VULNERABILITIES, predicates.vulnerabilities(self.audit))] if self.audit else []
        )


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `release` did; without a digest it was refused and the target is untouched."""

    scan: scan.Outputs
    audit: audit.Outputs | None
    sealed: sealing.Sealed
    verdict: str = output("pass or fail")
    digest: str = output("digest of the release; deploy this")
    reference: str = output("where it is, by digest")
    tag: str = output("tag that names it now")
    verify_command: str = output("command that verifies this release", default="")
    plan: Plan | None = None
    """What would be sent, where nothing was: the model would pass."""
    notice: str = ""
    """Why nothing was released, where nobody can sign: the model would pass."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Program to the command by which a consumer verifies this release."""

    @property
    def passed(self) -> bool:
        """Tell whether the model was released."""
        return self.verdict == "pass"

    def data(self) -> Json:
        """Return digest, reference, tag and evidence."""
        planned = {} if self.plan is None else {"plan": self.plan.to_json()}
        noticed = {"notice": self.notice} if self.notice else {}
        return {
            **planned,
            **noticed,
            "verdict": self.verdict,
            "digest": self.digest or None,
            "reference": self.reference or None,
            "tag": self.tag or None,
            "evidence": evidence_json(self.sealed.evidence),
            "commands": dict(self.commands),
            "problems": [dataclasses.asdict(item) for item in self.problems()],
        }

    def text(self) -> str:
        """Return the release, or the reasons why there is none."""
        if not self.passed:
            reasons = self.scan.text() + (self.audit.text() if self.audit else "")
            return reasons + "REFUSED: nothing was written to the target\n"
        if self.plan is not None or self.notice:
            lines = [*(self.plan.lines() if self.plan else []), *([self.notice] if self.notice else [])]
            return "\n".join([self.reference, *(f"  {line}" for line in lines), "nothing was written"]) + "\n"
        return seal.described(self.reference, self.tag, self.sealed, self.commands)

    def passage(self) -> Passage:
        """Return the way from the folder to the tag, as far as it went."""
        audited = self.audit.passed if self.audit else None
        written = True if self.sealed.evidence else None
        before = [("scan", self.scan.passed), ("audit", audited), ("package", written)]
        return seal.way(before, self.sealed, self.commands, tagged=bool(self.tag))

    def problems(self) -> list[Problem]:
        """Return what scan and audit found."""
        return [*self.scan.problems(), *(self.audit.problems() if self.audit else [])]


def run(inputs: Inputs, context: Context, *, store: Store | None = None) -> Outputs:
    """Release the model; `store` is the place that the target names, opened anew where none is given."""
    config = config_for(inputs.path, inputs.config, context.say)
    entry = entry_at(config.models, config.root, inputs.path)
    target = _target(inputs.to, entry)
    if inputs.lacks_identity(context.environ):
        return _rehearsed(inputs, config, entry, target, context)
    signing = None if inputs.dry_run and not inputs.previous else inputs.signer(context.environ, context.say)
    shelve = inputs.shelves(context.environ, context.say)
    told = inputs.told(context.made, entry, inputs.external_parameters)
    place = store or open_store(target, plain_http=inputs.plain_http)
    origin = package.origin_of(inputs.mount_from, target, plain_http=inputs.plain_http)
    package.preflight(inputs.path, target, context)
    if target.tag:
        place.resolve(target.tag)  # a registry that cannot be reached says so before the work
    cache = package.weighed_before(inputs.cache, context)
    entries = walk(inputs.path)
    early = package.ask_early(place, inputs.path, entries, package.known_of(entries, cache), origin)
    started = clock.now()
    attested = (
        verify.scan_results(inputs.previous, Enforced(signing.verifier()), context.say, plain_http=inputs.plain_http)
        if inputs.previous and signing
        else ()
    )
    gate = _gate(inputs, config, entry, attested, context)
    if cache:
        cache.keep(gate.model.files)
    scanned = scan.report(gate.ledger, inputs.report)
    audited = audit.report(gate.audit, inputs.audit_report) if gate.audit else None
    if not gate.green:
        return _refused(scanned, audited)
    if not inputs.dry_run:
        place.probe()  # only now: a registry may keep traces of an upload that was begun, and a refusal leaves none
    artifact = package.build(gate.model, context)
    planned = package.make_plan(place, artifact, origin, context, early)
    if inputs.dry_run or signing is None:
        return _planned(scanned, audited, place, artifact.descriptor, planned)
    subject = package.push(place, artifact, planned, context)
    own = signing.certificate()
    build = source.vouched(own, told.inputs) or source.answered(
        context.build or source.local(inputs.path, gate.model), own
    )
    made = sealing.Artifact(place, subject, target.name, gate.model.digests())
    wanted = sealing.statements(made, gate.results(), build, told, started)
    sealed = sealing.seal(made, wanted, signing, target.tag, context.say, shelve)
    commands = sealing.commands(
        inputs, Target(target.place, digest=subject.digest), signing, plain_http=inputs.plain_http
    )
    return Outputs(
        scanned,
        audited,
        sealed,
        verdict="pass",
        digest=str(subject.digest),
        reference=f"{place.name}@{subject.digest}",
        tag=target.tag or "",
        verify_command=commands.get("weighlock", ""),
        commands=commands,
    )


def _rehearsed(inputs: Inputs, config: Config, entry: ModelEntry | None, target: Target, context: Context) -> Outputs:
    """Return what a release would say of the model; the target is not even asked."""
    why = ambient.look(context.environ).why
    context.say(f"a rehearsal, nothing will be released: {why}")
    package.preflight(inputs.path, target, context)
    gate = _gate(inputs, config, entry, (), context)
    scanned = scan.report(gate.ledger, inputs.report)
    audited = audit.report(gate.audit, inputs.audit_report) if gate.audit else None
    if not gate.green:
        return _refused(scanned, audited)
    digest = package.build(gate.model, context).descriptor.digest
    return Outputs(
        scanned,
        audited,
        NOTHING,
        verdict="pass",
        digest=str(digest),
        reference=str(Target(target.place, digest=digest)),
        tag="",
        notice=f"nothing was released: {why}",
    )


def _refused(scanned: scan.Outputs, audited: audit.Outputs | None) -> Outputs:
    """Return that scan or audit said no."""
    return Outputs(scanned, audited, NOTHING, verdict="fail", digest="", reference="", tag="")


def _planned(
    scanned: scan.Outputs, audited: audit.Outputs | None, store: Store, subject: Descriptor, plan: Plan
) -> Outputs:
    """Return what a release would do, nothing of which was done."""
    return Outputs(
        scanned,
        audited,
        NOTHING,
        verdict="pass",
        digest=str(subject.digest),
        reference=f"{store.name}@{subject.digest}",
        tag="",
        plan=plan,
    )


def _target(to: str, entry: ModelEntry | None) -> Target:
    """Return the target that is meant: ``:TAG`` alone is one at the place which the model's entry names."""
    if not to.startswith(":"):
        return Target.place_of(to)
    if entry is None or entry.target is None:
        raise InputError(
            f"'{printable(to)}' is a tag alone, and {NAME} names no target for this model",
            remedy=f"Give the whole target, or add `target:` to the model's entry in {NAME}.",
        )
    return Target.parse(entry.target).with_tag(to[1:])


def _requirements(inputs: Inputs, config: Config, entry: ModelEntry | None, model: Model) -> Path | None:
    """Return the requirements to audit: those that are given, else the entry's, else those in the model."""
    named = inputs.requirements or (entry.locate_requirements(config.root) if entry else None)
    if named is None and REQUIREMENTS in model.digests():
        return inputs.path / REQUIREMENTS if inputs.path.is_dir() else inputs.path
    return named


def _gate(inputs: Inputs, config: Config, entry: ModelEntry | None, attested: Sequence[Json], context: Context) -> Gate:
    rules = scan.checked(config.scan, inputs.fail_on)
    model, ledger = scan.scan_as_told(
        inputs.path, rules, context, keep=inputs.cache, engines=inputs.engines, attested=attested
    )
    scanned, requirements = clock.now(), _requirements(inputs, config, entry, model)
    if requirements is None or not ledger.passed:
        return Gate(model, ledger, scanned, None)
    context.say(f"auditing {requirements.name}")
    result = audit_requirements(
        requirements,
        service=inputs.service,
        service_url=inputs.service_url,
        say=context.say,
        environ=context.environ,
    )
    return Gate(model, ledger, scanned, audit.waived(result, config.audit, context))
