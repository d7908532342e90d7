"""How a stage declares what goes in and out, and the inputs that several stages share.

An input's field is at once a flag (``--fail-on``), an action's input (``with: fail-on:``) and a variable
(``INPUT_FAIL_ON``); a field of `Outputs` made by `output` is an action's output.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weighlock import config
from weighlock.config.verify import Rules, Trusted, VerifyPolicy
from weighlock.errors import InputError
from weighlock.signing import Signer, Verifier, identity
from weighlock.signing.anyone import AnyOf
from weighlock.text import printable

PASSWORD_VARIABLE = "WEIGHLOCK_KEY_PASSWORD"  # noqa: S105 - the name, not the password


@dataclass(frozen=True, slots=True)
class Option:
    """How an input looks from outside."""

    help: str
    positional: bool
    metavar: str


def option(help: str, *, default: Any = dataclasses.MISSING, positional: bool = False, metavar: str = "") -> Any:  # noqa: A002 - the word that argparse uses
    """Declare a field of `Inputs`; without a default it is required."""
    return dataclasses.field(default=default, metadata={"option": Option(help, positional, metavar)})


def output(help: str, *, default: Any = dataclasses.MISSING) -> Any:  # noqa: A002 - as in `option`
    """Declare a field of `Outputs` that is an action's output; other fields stay inside."""
    return dataclasses.field(default=default, metadata={"output": help})


@dataclass(frozen=True, slots=True)
class Enforced:
    """Whom a verification trusts and what must be shown; `policy` is the file that says so, where there is one."""

    verifier: Verifier
    rules: Rules = field(default_factory=Rules)
    policy: VerifyPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerInputs:
    """Who signs, for the stages that do."""

    key: Path | None = option("private key (PEM); its password in WEIGHLOCK_KEY_PASSWORD", default=None, metavar="FILE")

    def signer(self, environ: Mapping[str, str]) -> Signer:
        """Return the signer that these inputs name; `InputError` where nothing says who signs."""
        return identity.signer(self.key, environ.get(PASSWORD_VARIABLE) or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierInputs:
    """Whom to trust, for the stages that verify."""

    key: Path | None = option("public key (PEM) of the one who released the model", default=None, metavar="FILE")
    policy: Path | None = option(
        "file with the policy, in weighlock.yml's form: its section verify says whom to trust and what must be shown",
        default=None,
        metavar="FILE",
    )

    def pin(self) -> bool:
        """Tell whether they name anybody."""
        return self.key is not None or self.policy is not None

    def verifier(self) -> Verifier:
        """Return the verifier of the identity that these inputs pin; `InputError` where they pin none."""
        return self.enforced().verifier

    def enforced(self) -> Enforced:
        """Return whom to trust and what must be shown; `InputError` where nobody is named, or two things name them."""
        if self.policy is None:
            return Enforced(identity.verifier(self.key))
        if self.key is not None:
            raise InputError(
                "a policy is given and an identity beside it", remedy="Put the identity into the policy's 'trusted'."
            )
        policy = config.load(self.policy).verify
        if policy is None:
            raise InputError(
                f"{printable(str(self.policy))} has no section 'verify', and an empty policy lets everything pass",
                remedy="Say whom to trust: verify: {trusted: [{key: release.pub}]}",
            )
        return Enforced(trusting(policy.trusted), policy.rules, policy)


def trusting(trusted: Sequence[Trusted]) -> Verifier:
    """Return the verifier that takes a signature by any of these identities."""
    return AnyOf([identity.verifier(item.key) for item in trusted])
