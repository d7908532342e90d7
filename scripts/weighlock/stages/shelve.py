"""``weighlock shelve``: give the evidence of a release to GitHub's own store, where ``gh attestation verify`` looks.

A job of its own may do so, with a permission that neither who signs nor who deploys needs. What does not verify is not
given: in that store it would stand beside the repository's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from weighlock.attestations import Attestations
from weighlock.errors import RefusedError
from weighlock.inputs import VerifierInputs, option, output
from weighlock.jsonio import Json
from weighlock.stages import Context, Problem
from weighlock.stages.verify import verify
from weighlock.store.targets import Target, find, open_store
from weighlock.text import counted


@dataclass(frozen=True, slots=True)
class Inputs(VerifierInputs):
    """What `shelve` is told."""

    target: str = option("the release: HOST/REPO[:TAG|@DIGEST] or oci:DIR[:TAG|@DIGEST]", positional=True)
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `shelve` gave."""

    given: int
    held: int
    digest: str = output("digest of the release")

    passed = True

    def data(self) -> Json:
        """Return the digest, and how many attestations GitHub has of it and got now."""
        return {"digest": self.digest, "attestations": self.held, "given": self.given}

    def text(self) -> str:
        """Return the same in words."""
        news = f"{self.given} of them new" if self.given else "all of them were there"
        return f"{self.digest}: GitHub has {counted(self.held, 'attestation')}, {news}\n"

    def problems(self) -> list[Problem]:
        """Return nothing: a refusal is an error here."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Verify the release as who deploys it would, and give GitHub the bundles that said yes."""
    place = Attestations.of(context.environ, keyless=inputs.key is None)
    enforced = inputs.enforced()
    target = Target.parse(inputs.target)
    store = open_store(target, plain_http=inputs.plain_http)
    verification = verify(store, find(store, target), enforced)
    if not verification.passed:
        failed = next(item for item in verification.checks if not item.ok)
        raise RefusedError(
            f"nothing was given to GitHub: {failed.name}: {failed.reason}", remedy="See what `weighlock verify` says."
        )
    bundles = verification.collected.trusted
    context.say(f"{counted(len(bundles), 'bundle')} to give")
    return Outputs(place.add(bundles), len(bundles), digest=str(verification.descriptor.digest))
