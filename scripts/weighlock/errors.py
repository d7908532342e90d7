"""Every error that ends a command: one class an exit code, each message with its remedy.

A finding is a result and never one of these; an error means that a stage could not give its result, or that the
verdict is no. The message says what happened and on what, the remedy says what to do now.
"""

from __future__ import annotations

from typing import ClassVar


class WeighlockError(Exception):
    """What happened, on what, and what to do now; never raised itself, always by one of its subclasses."""

    exit_code: ClassVar[int] = 3

    def __init__(self, what: str, *, remedy: str = "") -> None:
        """Keep `what` (one sentence, printable text only) and the `remedy` (an imperative, may be empty)."""
        super().__init__(what)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  {self.remedy}" if self.remedy else self.what


class RefusedError(WeighlockError):
    """The verdict is no: exit code 1."""

    exit_code = 1


class InputError(WeighlockError):
    """Inputs or configuration are wrong: exit code 2."""

    exit_code = 2


class UnfinishedError(WeighlockError):
    """The work could not be finished (network, registry, disk, a changing file): exit code 3."""

    exit_code = 3


class IntegrityError(RefusedError):
    """Bytes are not what their digest or size says."""


class MalformedError(RefusedError):
    """A document (manifest, config, statement, bundle) breaks its specification."""


class SignatureError(RefusedError):
    """A bundle is not signed by the pinned identity."""


class NotFoundError(InputError):
    """The target names something that is not there."""


class StoreError(UnfinishedError):
    """A layout or registry did not do what it was asked to."""
