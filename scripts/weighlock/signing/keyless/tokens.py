"""Identity tokens: where they come from, whether they can be used, and whether they may be shown to a public log.

A token's claims are read here and not believed: Fulcio checks the token. They say in time what Fulcio would publish.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from pathlib import Path

from sigstore.oidc import IdentityError, IdentityToken, detect_credential

from weighlock.errors import InputError, UnfinishedError
from weighlock.jsonio import Json
from weighlock.retries import PassingError
from weighlock.text import printable

Source = Callable[[], str]
"""Returns a token as it is at this moment, as fresh as there is; `InputError` where there is none."""

_LIMIT = 64 * 1024  # bytes
_VISIBILITIES = ("repository_visibility", "project_visibility")  # GitHub's word, GitLab's


def file(path: Path) -> Source:
    """Return the source that reads the file each time, since whoever wrote it may write it anew."""

    def read() -> str:
        try:
            with path.open("rb") as stream:
                return stream.read(_LIMIT).decode("ascii").strip()
        except OSError as error:
            raise InputError(f"the identity token {printable(str(path))} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise InputError(f"{printable(str(path))} holds no identity token") from None

    return read


def ambient() -> str:
    """Return a new token of the CI that we run in."""
    try:
        token = detect_credential()
    except IdentityError as error:
        what = f"the identity token cannot be had: {printable(str(error), 300)}"
        if "code=4" in str(error):  # the CI's own no
            raise UnfinishedError(what, remedy="Check the job's permissions (id-token: write).") from None
        raise PassingError(UnfinishedError(what, remedy="Run again later.")) from None
    if token is None:
        raise InputError(
            "nothing says who signs: no key, no identity token, and no CI that vouches for you",
            remedy="Give --key FILE (make one with: weighlock keygen NAME), or --identity-token-file FILE.",
        )
    return token


def use(raw: str, skew: Callable[[], str]) -> IdentityToken:
    """Return the token if it is for Sigstore and valid now; `skew` tells what is wrong with this machine's clock."""
    try:
        return IdentityToken(raw)
    except IdentityError as error:
        cause = type(error.__cause__).__name__
    if cause == "InvalidAudienceError":
        raise InputError("the identity token is not for Sigstore", remedy="Ask for one with the audience 'sigstore'.")
    if cause in {"ExpiredSignatureError", "ImmatureSignatureError", "NoneType"}:
        late = cause != "ImmatureSignatureError"
        raise InputError(
            "the identity token " + ("is not valid any more, or not yet" if late else "is not valid yet"),
            remedy=skew() or "Tokens hold for some minutes: sign with a new one, or let weighlock ask the CI itself.",
        )
    raise InputError("the identity token is none: it is malformed, or claims are missing")


def require_publishable(raw: str, *, allowed: bool) -> None:
    """Refuse to write the name of a repository that is not public into a log that everybody reads.

    A person's token names no repository. Any other has to say that its repository is public; silence is a no.
    """
    claims = _claims(raw)
    visibility = next((claims[name] for name in _VISIBILITIES if name in claims), None)
    person = visibility is None and "email" in claims
    if allowed or person or visibility == "public":
        return
    whose = "the repository is " + printable(str(visibility)) if visibility else "nothing says the repository is public"
    raise InputError(
        f"{whose}, and the public Sigstore would publish its name, workflow and commit for good",
        remedy=(
            "Choose: a Sigstore of your own (--trust-config FILE); a key (--key FILE); GitHub's own attestations "
            "(actions/attest, GitHub Enterprise Cloud); or publish them: allow-public-log: true."
        ),
    )


def _claims(raw: str) -> Json:
    try:
        payload = raw.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        claims = None
    if not isinstance(claims, dict):
        raise InputError("the identity token is none: it is malformed, or claims are missing")
    return claims
