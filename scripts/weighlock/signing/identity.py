"""Whose signature: the signer or verifier that the command line names. Without a pinned identity there is none."""

from __future__ import annotations

from pathlib import Path

from weighlock.errors import InputError
from weighlock.signing import Signer, Verifier


def signer(key: Path | None, password: str | None) -> Signer:
    """Return the signer that holds `key`; `InputError` where nothing says who signs."""
    if key is None:
        raise InputError("no key says who signs", remedy="Give --key FILE (make one with: weighlock keygen NAME).")
    from weighlock.signing.key import KeySigner  # noqa: PLC0415 - the library comes with the stages that sign

    return KeySigner.load(key, password)


def verifier(key: Path | None) -> Verifier:
    """Return the verifier that pins `key`; `InputError` where nothing says whom to trust."""
    if key is None:
        raise InputError(
            "no identity is pinned, and a signature by anybody proves nothing",
            remedy="Give --key FILE with the public key of the one who released the model.",
        )
    from weighlock.signing.key import KeyVerifier  # noqa: PLC0415 - as above

    return KeyVerifier.load(key)
