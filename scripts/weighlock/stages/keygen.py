"""``weighlock keygen``: make a key pair, ECDSA on P-256, the private half encrypted where a password is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from weighlock.inputs import PASSWORD_VARIABLE, option, output
from weighlock.jsonio import Json
from weighlock.stages import Context, Problem
from weighlock.text import printable


@dataclass(frozen=True, slots=True)
class Inputs:
    """What `keygen` is told."""

    name: Path = option("where to write NAME.key and NAME.pub", default=Path("weighlock"), positional=True)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What `keygen` made."""

    encrypted: bool
    private: str = output("file with the private key")
    public: str = output("file with the public key")
    identity: str = output("fingerprint of the public key")

    passed = True

    def data(self) -> Json:
        """Return the two files and the fingerprint."""
        pair = {"private": self.private, "public": self.public}
        return {**pair, "identity": self.identity, "encrypted": self.encrypted}

    def text(self) -> str:
        """Return what to do with the two files."""
        warning = "" if self.encrypted else f"  (not encrypted: set {PASSWORD_VARIABLE} before keygen to have it so)"
        return (
            f"{printable(self.private)}  keep this secret; sign with it{warning}\n"
            f"{printable(self.public)}  give this to everyone who verifies\n{self.identity}\n"
        )

    def problems(self) -> list[Problem]:
        """Return nothing."""
        return []


def run(inputs: Inputs, context: Context) -> Outputs:
    """Make the pair and write both files; files that exist stay as they are and are an error."""
    from weighlock.signing.key import KeySigner, write_pair  # noqa: PLC0415 - the library comes with this stage's extra

    signer = KeySigner.generate()
    private = inputs.name.with_name(inputs.name.name + ".key")
    public = inputs.name.with_name(inputs.name.name + ".pub")
    write_pair(signer, private, public, context.password)
    return Outputs(context.password is not None, private=str(private), public=str(public), identity=signer.identity)
