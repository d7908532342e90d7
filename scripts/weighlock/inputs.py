"""How a stage declares what goes in and out, and the inputs that several stages share.

An input's field is at once a flag (``--fail-on``), an action's input (``with: fail-on:``) and a variable
(``INPUT_FAIL_ON``); a field of `Outputs` made by `output` is an action's output.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighlock.signing import Signer, Verifier, identity

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

    def pin(self) -> bool:
        """Tell whether they name anybody."""
        return self.key is not None

    def verifier(self) -> Verifier:
        """Return the verifier of the identity that these inputs pin; `InputError` where they pin none."""
        return identity.verifier(self.key)
