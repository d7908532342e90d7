"""Whom a certificate has to name: an identity as it is pinned, and in one sentence why another is not it. Pure.

Every value is compared as a whole and as it is; nothing is a pattern, since a pattern accepts what its writer did not
think of. An issuer alone is no identity (everybody on GitHub has it), and neither is a name without its issuer.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from weighlock.errors import InputError, SignatureError
from weighlock.signing import Certificate
from weighlock.text import printable

GITHUB = "https://github.com/"
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"

_REMEDY = (
    f"Give --issuer (GitHub Actions: {GITHUB_ISSUER}) with --source OWNER/REPO, --builder "
    "OWNER/REPO/.github/workflows/FILE or --identity NAME; or --key FILE with the public key of the one who released."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A pinned identity; fields that are empty are not compared, and there is none that pins too little."""

    issuer: str = ""
    identity: str = ""
    """The subject alternative name: a workflow's URL with its ref, or an e-mail address."""
    source: str = ""
    """The repository that was built: its URL; ``https://github.com/`` may be left out."""
    ref: str = ""
    trigger: str = ""
    runner: str = ""
    builder: str = ""
    """The workflow that signed, without its ref: ``OWNER/REPO/.github/workflows/FILE``, or its URL."""
    builder_commit: str = ""
    """The commit of that workflow: what pins a builder whose tag may move."""

    def __post_init__(self) -> None:
        """Refuse what would accept people that nobody thought of."""
        if not any(dataclasses.astuple(self)):
            raise InputError("no identity is pinned, and a signature by anybody proves nothing", remedy=_REMEDY)
        if not self.issuer:
            raise InputError("an identity is pinned without its issuer, who vouches for it", remedy=_REMEDY)
        if not (self.identity or self.source or self.builder):
            raise InputError("an issuer is pinned and none of those it vouches for", remedy=_REMEDY)
        if "@" in self.builder:
            raise InputError(
                f"the builder '{printable(self.builder)}' has a ref",
                remedy="Leave the ref out, and pin its commit by --builder-commit; --identity takes a name with its ref.",
            )
        if self.builder_commit and not _is_commit(self.builder_commit):
            raise InputError(
                f"the builder's commit '{printable(self.builder_commit)}' is not a whole one",
                remedy="Give all 40 hexadecimal digits: git rev-parse COMMIT",
            )

    def __str__(self) -> str:
        """Return everything that is pinned, printable."""
        names = {field.name: field.name.replace("_", " ") for field in dataclasses.fields(self)}
        return ", ".join(
            f"{words} {printable(getattr(self, name))}" for name, words in names.items() if getattr(self, name)
        )

    def pins(self) -> dict[str, str]:
        """Return what is pinned, by the words of a policy."""
        names = [field.name for field in dataclasses.fields(self)]
        return {name.replace("_", "-"): value for name in names if (value := getattr(self, name))}

    def require(self, certificate: Certificate) -> None:
        """Raise `SignatureError` with the first thing in which the certificate is another's."""
        self._require("issuer", certificate.issuer, self.issuer)
        self._require("identity", certificate.identity, self.identity)
        self._require("source", certificate.source, _url(self.source))
        self._require("ref", certificate.ref, self.ref)
        self._require("trigger", certificate.trigger, self.trigger)
        self._require("runner", certificate.runner, self.runner)
        self._require("builder", _without_ref(certificate.builder, _url(self.builder)), _url(self.builder))
        self._require("builder's commit", certificate.builder_commit, self.builder_commit)
        self._require_whose(certificate)

    def _require(self, name: str, found: str, pinned: str) -> None:
        if not pinned or found == pinned:
            return
        words = f"the {name} is '{printable(found)}'" if found else f"its certificate names no {name}"
        raise SignatureError(f"signed by another: {words}, pinned is '{printable(pinned)}'")

    def _require_whose(self, certificate: Certificate) -> None:
        """Refuse a reusable workflow's signature where no source is pinned: it signs for everybody who calls it."""
        builder, source = certificate.builder, certificate.source
        if builder and source and not self.source and not builder.startswith(f"{source}/"):
            raise SignatureError(
                f"a reusable workflow signed it for '{printable(source)}', and no source is pinned: it signs for "
                "every repository that calls it; pin the one that was released"
            )


def _url(value: str) -> str:
    return value if not value or "://" in value else GITHUB + value


def _without_ref(builder: str, pinned: str) -> str:
    """Return the workflow without its ref, if it is the `pinned` one, else as it is.

    A file's name may hold an ``@`` too, so what follows has to be a ref, which such a name cannot be, or a commit.
    """
    ref = builder.removeprefix(f"{pinned}@")
    return pinned if ref != builder and (ref.startswith("refs/") or _is_commit(ref)) else builder


def _is_commit(text: str) -> bool:
    return len(text) in (40, 64) and all(character in "0123456789abcdef" for character in text)
