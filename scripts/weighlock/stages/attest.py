"""``weighlock attest``: sign a predicate about an artifact and attach it.

A predicate that says no (a failed scan, a vulnerable dependency) is refused: it stays a file, unsigned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weighlock import clock, evidence, gate, jsonio, summary
from weighlock.errors import InputError, MalformedError
from weighlock.inputs import SignerInputs, option
from weighlock.intoto import Statement, Subject
from weighlock.stages import Context
from weighlock.stages.sign import Outputs, outputs
from weighlock.store.targets import Target, find, open_store
from weighlock.text import printable

__all__ = ["Inputs", "Outputs", "run"]

_LIMIT = 7_000_000  # bytes of a predicate; in a bundle it grows by a third, and cluster verifiers read 10,000,000


@dataclass(frozen=True, slots=True)
class Inputs(SignerInputs):
    """What `attest` is told."""

    target: str = option("the artifact: oci:DIR@DIGEST or HOST/REPO@DIGEST", positional=True)
    predicate_type: str = option("URI of the predicate's type", metavar="URI")
    predicate: Path = option("JSON file with the predicate", metavar="FILE")
    again: bool = option("sign it although the same statement is attached: its age counts from now on", default=False)
    plain_http: bool = option("talk to the registry without TLS (loopback needs no flag)", default=False)


def run(inputs: Inputs, context: Context) -> Outputs:
    """Sign the predicate and attach it, unless the same one is there already."""
    signing = inputs.signer(context.environ, context.say)
    if ":" not in inputs.predicate_type:
        raise InputError(f"the predicate type '{printable(inputs.predicate_type)}' is no URI")
    predicate = _read(inputs.predicate)
    gate.require_passed(inputs.predicate_type, predicate)
    target = Target.parse(inputs.target)
    store = open_store(target, plain_http=inputs.plain_http)
    subject = find(store, target)
    summary.require_about(inputs.predicate_type, predicate, subject.digest)
    statement = Statement((Subject(target.name, subject.digest),), inputs.predicate_type, predicate)
    present = evidence.collect(store, subject, signing.verifier()).trusted
    wanted = [statement] if inputs.again else evidence.missing([statement], present)
    attached = evidence.attach(store, subject, wanted, signing, created=clock.now())
    return outputs(f"{store.name}@{subject.digest}", subject, wanted, attached)


def _read(path: Path) -> jsonio.Json:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
    except OSError as error:
        raise InputError(f"the predicate {printable(str(path))} cannot be read: {error.strerror}") from None
    if len(raw) > _LIMIT:
        raise InputError(
            f"the predicate {printable(str(path))} is larger than {_LIMIT} bytes",
            remedy="Store it as a blob and attest its digest.",
        )
    try:
        return jsonio.parse(raw, printable(path.name))
    except MalformedError as error:
        raise InputError(error.what) from None
