"""``weighlock policy``: show what a verification policy asks, or export it as other tools' commands and policies.

``policy show FILE`` checks the file and prints what `verify` would enforce; ``policy export FILE --to TOOL`` prints the
nearest thing that another tool can do, and what is lost on the way.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weighlock import config, export
from weighlock.errors import InputError
from weighlock.export import Export, Images, cosign, gh, kyverno, policy_controller, vap
from weighlock.inputs import option, output
from weighlock.jsonio import Json
from weighlock.stages import Context, Problem
from weighlock.text import printable

EXPORTS: Mapping[str, Callable[[Export], str]] = {
    "cosign": cosign.export,
    "gh": gh.export,
    "policy-controller": policy_controller.export,
    "kyverno": kyverno.export,
    "vap": vap.export,
}


class Action(enum.Enum):
    """What to do with the policy."""

    SHOW = "show"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `policy` is told."""

    action: Action = option("show or export", positional=True, metavar="ACTION")
    file: Path = option("the policy: a file in weighlock.yml's form with a section verify", positional=True)
    to: str = option(f"what to export it to: {', '.join(EXPORTS)}", default="", metavar="TOOL")
    images: str = option(
        "the artifacts that a cluster's policy is about: HOST/REPO, or HOST/PREFIX/* for all below", default=""
    )


@dataclass(frozen=True, slots=True)
class Outputs:
    """The policy in words, or in another tool's language."""

    words: str
    name: str
    digest: str = output("digest of the policy, which verdicts cite")

    passed = True

    def data(self) -> Json:
        """Return the policy's name and digest, and the words."""
        return {"name": self.name, "digest": self.digest, "text": self.words}

    def text(self) -> str:
        """Return the words."""
        return self.words

    def problems(self) -> list[Problem]:
        """Return nothing: what is wrong with a policy is an error."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Read the policy and put it into words."""
    del context  # nothing around a run has a say in this
    policy = config.load(inputs.file).verify
    if policy is None:
        raise InputError(f"{printable(str(inputs.file))} has no section 'verify'")
    if inputs.action is Action.SHOW:
        return Outputs(_shown(policy), policy.name, digest=str(policy.digest))
    if inputs.to not in EXPORTS:
        raise InputError(f"to: '{printable(inputs.to)}' is not one of {', '.join(EXPORTS)}", remedy="Give --to TOOL.")
    if not inputs.images and inputs.to not in {"cosign", "gh"}:
        raise InputError(
            f"nothing says which artifacts the policy for {inputs.to} is about",
            remedy="Give --images HOST/REPO, or --images 'HOST/PREFIX/*'.",
        )
    images = Images.parse(inputs.images or "registry.invalid/model")
    return Outputs(EXPORTS[inputs.to](Export(policy, images)), policy.name, digest=str(policy.digest))


def _shown(policy: config.VerifyPolicy) -> str:
    lines = [f"{printable(policy.name)}  {policy.digest}", "trusted, any one of:"]
    for item in policy.trusted:
        pins = ", ".join(f"{name} {printable(value)}" for name, value in item.pins().items())
        lines.append(f"  - {pins or f'key {printable(str(item.key))}'}")
    lines.append("must be shown:")
    lines += [f"  - {printable(kind)}" for kind in export.evidence(policy)]
    lines += [f"  - {words}" for _, words in export.rules(policy)]
    return "\n".join(lines) + "\n"
