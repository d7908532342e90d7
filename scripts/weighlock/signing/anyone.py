"""Several identities, each of which is trusted: a bundle by any one of them counts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from weighlock.errors import RefusedError, SignatureError
from weighlock.signing import Bundle, Certificate, Verifier


class AnyOf:
    """A `Verifier` that takes what one of its verifiers takes; there is at least one."""

    def __init__(self, verifiers: Sequence[Verifier]) -> None:
        """Take the verifiers; none at all would trust nobody, or by a slip everybody."""
        if not verifiers:
            raise ValueError("no identity is pinned")
        self._verifiers = tuple(verifiers)

    @property
    def identity(self) -> str:
        """Return whom it accepts."""
        return " or ".join(verifier.identity for verifier in self._verifiers)

    def verify(self, bundle: Bundle) -> Certificate | None:
        """Return whose certificate signed; `SignatureError` with every reason unless it was one of those."""
        reasons = []
        for verifier in self._verifiers:
            try:
                return verifier.verify(bundle)
            except RefusedError as error:  # a bundle of another kind than this one reads, perhaps the next does
                reasons.append(error.what)
        raise SignatureError("; ".join(dict.fromkeys(reasons)))
