"""``weighlock verify``: check an artifact and all its evidence against one pinned identity.

The steps are numbered as they are printed: the manifest is what its digest says, it is a model, its content is there,
somebody we know signed the evidence, and the evidence says yes about exactly these files (see `gate`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from weighlock import clock, evidence, summary
from weighlock.config.verify import Follow, Trusted
from weighlock.crosscheck import by_gh
from weighlock.errors import InputError
from weighlock.following import Follower, asked_of
from weighlock.gate import check
from weighlock.gate.provenance import own_machine
from weighlock.gate.signed import on_disk
from weighlock.inputs import Enforced, SignerInputs, VerifierInputs, option, output, trusting
from weighlock.intoto import Statement, Subject
from weighlock.jsonio import Json
from weighlock.oci import Descriptor, Digest
from weighlock.predicates import SUMMARY
from weighlock.signing import Signer
from weighlock.stages import Context, Problem
from weighlock.stages.package import weigh_model
from weighlock.store import Store
from weighlock.store.targets import Target, find, open_store
from weighlock.text import printable
from weighlock.verification import Verification, scan_results, verify

__all__ = ["Inputs", "Outputs", "Verification", "report", "run", "scan_results", "verify"]


EXAMPLES = """\
whom to trust:
  Nobody is trusted unless you say whom: an issuer together with --source, --builder or --identity, or a key. Every value
  is compared as a whole; https://github.com/ may be left out of --source and --builder. The signatures are found where
  the model is, and what was enforced is printed. To learn who signed, without believing it: weighlock inspect TARGET

examples:
  a model that a repository on GitHub released by a workflow of its own, at a tag:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --issuer https://token.actions.githubusercontent.com \\
      --source acme/models --builder acme/models/.github/workflows/release.yml --ref refs/tags/v1.2.0

  one that a reusable workflow of another repository built, whose tag may move, on GitHub's own machines:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --issuer https://token.actions.githubusercontent.com --source acme/models \\
      --builder acme/builders/.github/workflows/publish.yml --builder-commit COMMIT --runner github-hosted

  one that a person signed:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --issuer https://accounts.google.com --identity ada@example.com

  one that was signed with a key, in a layout on disk:
    weighlock verify oci:release:1.2.0 --key acme.pub

  what a file says, several identities and rules for the evidence among it:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --policy policy.yml

  in another Sigstore than the public one, or without a network:
    weighlock verify oci:release:1.2.0 --trust-config trusted_root.json --issuer URL --source acme/models

  what a server mounted, and a summary of the verdict for those who come after, signed by a key of your own:
    weighlock verify ghcr.io/acme/tiny:1.2.0 --key acme.pub --files /models/tiny --vsa vsa.json --attest --attest-key my.key

exit codes: 0 it passes, 1 it does not, 2 the inputs are wrong, 3 it could not be found out
"""


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What `verify` is told."""

    target: str = option("the artifact: oci:DIR[:TAG|@DIGEST] or HOST/REPO[:TAG|@DIGEST]", positional=True)
    tag: str = option("set this tag on the digest when the verdict is pass", default="")
    files: Path | None = option(
        "also compare this folder with the signed files: what a server mounted", default=None, metavar="DIR"
    )
    engine: str = option("cross-check with another program, and fail where it disagrees: gh", default="")
    follow: str = option(
        "also verify what the provenance names in this role (base-model), by the policy's section follow",
        default="",
        metavar="ROLE",
    )
    vsa: Path | None = option("write the verdict here as a SLSA verification summary", default=None, metavar="FILE")
    attest: bool = option(
        "sign the verification summary of a pass and attach it, with --attest-key or else as this job", default=False
    )
    attest_key: Path | None = option(
        "private key (PEM) that signs the summary; its password in WEIGHLOCK_KEY_PASSWORD", default=None, metavar="FILE"
    )
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `verify` found."""

    enforced: Enforced
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
        policy = self.enforced.policy
        cited = {} if policy is None else {"policy": {"name": policy.name, "digest": str(policy.digest)}}
        return {
            "verdict": self.verdict,
            "digest": self.digest,
            "identity": self.enforced.verifier.identity,
            **cited,
            "checks": [item.to_json() for item in self.verification.checks],
            "ignored": [
                {"digest": str(item.descriptor.digest), "reason": item.reason}
                for item in self.verification.collected.ignored
            ],
        }

    def text(self) -> str:
        """Return the numbered steps and the verdict."""
        lines = [
            f"{number:2}. {'yes' if item.ok else 'NO '}  {item.name}: {item.reason}"
            for number, item in enumerate(self.verification.checks, 1)
        ]
        lines += [
            f"    ignored {item.descriptor.digest}: {item.reason}" for item in self.verification.collected.ignored
        ]
        return "\n".join([*self._head(), *lines, self.verdict.upper()]) + "\n"

    def _head(self) -> list[str]:
        policy = self.enforced.policy
        cited = [] if policy is None else [f"policy {printable(policy.name)}, {policy.digest}"]
        return [f"{self.reference}, trusting {self.enforced.verifier.identity}", *cited]

    def problems(self) -> list[Problem]:
        """Return the failed steps."""
        return [Problem("", f"{item.name}: {item.reason}") for item in self.verification.checks if not item.ok]


def run(inputs: Inputs, context: Context) -> Outputs:
    """Verify the artifact that the target names now; set the tag if asked to and if the verdict is pass."""
    enforced = inputs.enforced()
    target = Target.parse(inputs.target)
    tag = target.with_tag(inputs.tag).tag if inputs.tag else None
    asked = asked_of(inputs.follow, enforced) if inputs.follow else None
    signing = _signing(inputs, context)
    if inputs.engine not in {"", "gh"}:
        raise InputError(f"engine: '{printable(inputs.engine)}' is not gh")
    store = open_store(target, plain_http=inputs.plain_http)
    verification, levels = verify(store, find(store, target), enforced), list[int]()
    if inputs.files is not None:
        verification = _with_files(verification, inputs.files)
    if asked is not None:
        verification, levels = _followed(verification, asked, inputs)
    if inputs.engine:
        verification = _cross_checked(store, verification, inputs, context)
    outputs = report(store, verification, enforced)
    predicate = summary.summary(_verdict(store, outputs, levels), time=clock.now())
    if inputs.vsa:
        inputs.vsa.write_text(json.dumps(predicate, indent=2) + "\n", encoding="utf-8")
    if signing and outputs.passed:
        about = (Subject(target.name, verification.descriptor.digest),)
        _attach(store, verification.descriptor, Statement(about, SUMMARY, predicate), signing, context)
    if tag and outputs.passed:
        store.tag(outputs.verification.descriptor, tag)
        context.say(f"tagged {outputs.digest} as '{tag}'")
    return outputs


def _signing(inputs: Inputs, context: Context) -> Signer | None:
    """Return who signs the summary, None where nobody is asked to."""
    if inputs.attest_key and not inputs.attest:
        raise InputError("a key is given for a summary that nobody asked for", remedy="Add --attest.")
    if not inputs.attest:
        return None
    return SignerInputs(key=inputs.attest_key, trust_config=inputs.trust_config).signer(context.environ)


def report(store: Store, verification: Verification, enforced: Enforced) -> Outputs:
    """Return the outputs for a verification."""
    digest = str(verification.descriptor.digest)
    verdict = "pass" if verification.passed else "fail"
    reference = f"{store.name}@{digest}"
    return Outputs(enforced, verification, verdict=verdict, digest=digest, reference=reference)


def _with_files(verification: Verification, folder: Path) -> Verification:
    """Add the step that reads the folder; it is told against what was signed, so it comes after all others."""
    if verification.case is None:
        return verification
    case, there = verification.case, weigh_model(folder).digests()
    return replace(verification, checks=(*verification.checks, check("files", lambda: on_disk(case, there))))


def _followed(verification: Verification, asked: Follow, inputs: Inputs) -> tuple[Verification, list[int]]:
    """Add a step for each thing that the model was made of; return the level of each that passed as well."""
    enforced = Enforced(trusting(asked.trusted, inputs.trust_config), asked.rules)
    opener = partial(open_store, plain_http=inputs.plain_http)
    follower = Follower(inputs.follow, asked.depth, enforced, opener)
    checks = list(follower.checks(verification))
    levels = [_level(asked.trusted, item) for item in follower.verified]
    return replace(verification, checks=(*verification.checks, *checks)), levels


def _cross_checked(store: Store, verification: Verification, inputs: Inputs, context: Context) -> Verification:
    """Add the step in which another program is asked."""
    trusted = inputs.trusted()
    step = partial(by_gh, store, verification, trusted, inputs.trust_config, context.environ)
    return replace(verification, checks=(*verification.checks, check("gh", step)))


def _verdict(store: Store, outputs: Outputs, levels: list[int]) -> summary.Verdict:
    """Return what a summary says: of all evidence but earlier summaries, which are no evidence of the release."""
    trusted = outputs.verification.collected.trusted
    believed = [Digest.of(item.bundle.raw) for item in trusted if item.statement.predicate_type != SUMMARY]
    resource = summary.uri(store.name, outputs.verification.descriptor.digest)
    enforced = outputs.enforced
    level = _level(enforced.policy.trusted if enforced.policy else (), outputs.verification)
    return summary.Verdict(
        resource, outputs.passed, enforced.verifier.identity, enforced.policy, level, sorted(believed), levels
    )


def _level(trusted: Sequence[Trusted], verification: Verification) -> int:
    case = verification.case
    return summary.level(trusted, own_machine=not verification.passed or case is None or own_machine(case))


def _attach(store: Store, subject: Descriptor, statement: Statement, signing: Signer, context: Context) -> None:
    present = evidence.collect(store, subject, signing.verifier()).trusted
    wanted = evidence.missing([statement], present)
    evidence.attach(store, subject, wanted, signing, created=clock.now())
    context.say(
        f"attached the verification summary, signed by {signing.identity}"
        if wanted
        else "the same summary is attached already"
    )
