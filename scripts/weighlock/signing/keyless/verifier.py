"""Verifying a bundle that was signed without a key: it is Sigstore's, and the certificate is the pinned identity's."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from sigstore.errors import Error
from sigstore.models import Bundle as SigstoreBundle
from sigstore.models import TrustedRoot
from sigstore.verify import Verifier

from weighlock.errors import InputError, SignatureError
from weighlock.signing import IN_TOTO, Bundle, Certificate
from weighlock.signing.identity import Identity
from weighlock.signing.keyless import certificate
from weighlock.signing.keyless.trust import Trust
from weighlock.text import printable


class KeylessVerifier:
    """A `Verifier` that pins one identity, in one Sigstore; it needs no network."""

    def __init__(self, pinned: Identity, root: TrustedRoot) -> None:
        """Take the identity, and the keys of the Sigstore."""
        self._pinned = pinned
        self._verifier = Verifier(trusted_root=root)

    @classmethod
    def load(cls, pinned: Identity, path: Path | None) -> KeylessVerifier:
        """Take the keys from a trust configuration or a trusted root, or those of the public Sigstore."""
        try:
            return cls(pinned, Trust(path).root())
        except Error as error:
            raise InputError(f"the trusted root cannot be verified with: {printable(str(error))}") from None

    @property
    def identity(self) -> str:
        """Return everything that is pinned."""
        return str(self._pinned)

    def verify(self, bundle: Bundle) -> Certificate:
        """Return the certificate; `SignatureError` unless the pinned identity signed this in-toto statement with it."""
        if bundle.payload_type != IN_TOTO:
            raise SignatureError("the bundle's payload is no in-toto statement")
        if "publicKey" in bundle.material or "certificate" not in bundle.material:
            raise SignatureError("the bundle was signed with a key, and a certificate's identity is pinned")
        policy = _Policy(self._pinned)
        try:
            kind, payload = self._verifier.verify_dsse(SigstoreBundle.from_json(bundle.raw), policy)
        except SignatureError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes do to the library, they do not verify
            reason = printable(str(error).partition("\n")[0] or type(error).__name__)
            raise SignatureError(f"the bundle does not verify: {reason}") from None
        if (kind, payload) != (bundle.payload_type, bundle.payload) or policy.seen is None:
            raise SignatureError("the bundle reads in two ways")
        return policy.seen


class _Policy:
    """Sigstore's port for what a certificate has to say."""

    def __init__(self, pinned: Identity) -> None:
        self._pinned = pinned
        self.seen: Certificate | None = None

    def verify(self, cert: x509.Certificate) -> None:
        seen = certificate.read(cert)
        self._pinned.require(seen)
        self.seen = seen
