"""Signing without a key: one certificate for all statements as long as it holds, and one log entry for each of them.

The identity token is asked for when the first thing has to be signed, since it holds for five minutes and an upload
takes longer, and again with each new certificate. An attempt that failed is signed anew and not posted again: the log
may have taken the first one.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeVar
from urllib.parse import urlsplit

from sigstore import dsse
from sigstore.errors import Error
from sigstore.oidc import IdentityToken
from sigstore.sign import Signer as SigstoreSigner
from sigstore.sign import SigningContext

from weighlock.errors import InputError, RefusedError, UnfinishedError, WeighlockError
from weighlock.retries import PassingError, Retries
from weighlock.signing import Bundle, Certificate
from weighlock.signing.identity import Identity
from weighlock.signing.keyless import certificate, network, tokens
from weighlock.signing.keyless.network import Budget, Service
from weighlock.signing.keyless.trust import Trust
from weighlock.signing.keyless.verifier import KeylessVerifier
from weighlock.text import printable

LIMIT = 900  # seconds; an outage that lasts longer is for a rerun, which signs what is missing
_EARLY = 60  # seconds; before the work is done, starting again costs nothing
_THREADS = 8
_LIFE = timedelta(seconds=60)  # what a certificate has to have left when something is signed with it

Made = TypeVar("Made")


@dataclass(frozen=True)
class _Held:
    """A certificate and what signs with its key."""

    signer: SigstoreSigner
    certificate: Certificate
    ends: datetime


class _Services:
    """The clients of one Sigstore, each with an end to its waits."""

    def __init__(self, trust: Trust, budget: Budget) -> None:
        config = trust.config()
        try:
            where = config.signing_config
            fulcio, self._rekor, self._tsas = where.get_fulcio(), where.get_tlogs()[0], where.get_tsas()
        except (Error, ValueError) as error:
            raise InputError(f"the trust configuration does not say where to sign: {printable(str(error))}") from None
        self._fulcio_url = fulcio.url
        self._fulcio = Service("Fulcio, Sigstore's certificate authority", budget)
        self._fulcio.mount(fulcio.session)
        self._log = Service("Rekor, Sigstore's transparency log", budget, passing=frozenset({409}))
        said_by_log = str(getattr(self._rekor, "url", "")).endswith("/v1")  # a log of version 1 says the time itself
        self._time = Service("Sigstore's timestamp authority", budget, optional=said_by_log)
        self.context = SigningContext(
            fulcio=fulcio, rekor=self._rekor, trusted_root=config.trusted_root, tsa_clients=self._tsas
        )

    def mount(self) -> None:
        """Do so for this thread: each has its own sessions to the log and to the timestamp authority."""
        self._log.mount(self._rekor._session)  # type: ignore[attr-defined] # noqa: SLF001 - the library has no other way
        for tsa in self._tsas:
            self._time.mount(tsa._session)  # noqa: SLF001 - as above

    def skew(self) -> str:
        """Return what is wrong with this machine's clock, nothing where it agrees with Fulcio's."""
        return network.skewed(network.skew(self._fulcio_url, self._fulcio), urlsplit(self._fulcio_url).netloc)


class KeylessSigner:
    """A `Signer` in the name of an identity token."""

    def __init__(
        self,
        trust: Trust,
        source: tokens.Source,
        *,
        allow_public_log: bool = False,
        limit: float = LIMIT,
        retries: Retries | None = None,
        say: Callable[[str], None] = lambda _words: None,
    ) -> None:
        """Look at a token, so that what cannot work is said before work begins."""
        self._trust = trust
        self._source = source
        self._allowed = allow_public_log or not trust.public
        self._retries = retries or Retries()
        self._budget = Budget(min(limit, _EARLY), self._retries.clock)
        self._say = say
        self._lock = threading.Lock()
        self._services: _Services | None = None
        self._held: _Held | None = None
        self._attempt(self._token)  # and forgotten again
        self._budget.limit = limit

    @property
    def identity(self) -> str:
        """Return the name in the certificate."""
        return printable(self.certificate().identity)

    def certificate(self) -> Certificate:
        """Return what Fulcio vouches for; it is asked where it was not yet."""
        if self._held is None:
            self._budget.restart()
            self._attempt(self._holding)
        assert self._held is not None  # noqa: S101 - by the line before
        return self._held.certificate

    def verifier(self) -> KeylessVerifier:
        """Return the verifier that accepts this name for this source by this issuer, in the Sigstore that vouches for it."""
        own = self.certificate()
        pinned = Identity(issuer=own.issuer, identity=own.identity, source=own.source)
        return KeylessVerifier(pinned, self._trust.root())

    def sign(self, statements: Sequence[bytes]) -> list[Bundle]:
        """Return a bundle around exactly these bytes for each of the statements, in their order."""
        self._budget.restart()
        self._attempt(self._holding)
        with ThreadPoolExecutor(_THREADS) as pool:
            pending = [pool.submit(self._attempt, lambda one=one: self._sign(one)) for one in statements]
            try:
                return [future.result() for future in pending]
            except BaseException:
                self._budget.end()  # for all: what one may not have, the others need not wait for
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _attempt(self, work: Callable[[], Made]) -> Made:
        """Do it until it is done, or until the time is over."""
        attempts = self._retries.attempts(self._budget.left)
        while True:
            try:
                return work()
            except PassingError as failure:
                if not self._budget.left():
                    raise failure.error from failure
                self._say(f"waiting: {failure.error.what}")
                attempts.failed(failure)

    def _sign(self, statement: bytes) -> Bundle:
        signer = self._holding().signer
        self._reach().mount()
        with _understood("Rekor"):
            made = signer.sign_dsse(dsse.Statement(statement))
        return Bundle.parse(made.to_json().encode())

    def _holding(self) -> _Held:
        """Return a certificate with enough life left."""
        with self._lock:
            if self._held is None or self._held.ends - datetime.now(timezone.utc) < _LIFE:
                self._held = self._renewed(self._held)
            return self._held

    def _renewed(self, before: _Held | None) -> _Held:
        token = self._token()
        with _understood("Fulcio"):
            signer = SigstoreSigner(token, self._reach().context)
            leaf = signer._signing_cert()  # noqa: SLF001 - the one that it got, nothing is asked for
        held = _Held(signer, certificate.read(leaf), leaf.not_valid_after_utc)
        if before and dataclasses.replace(held.certificate, issued=before.certificate.issued) != before.certificate:
            raise RefusedError("the identity changed between two certificates", remedy="Give one token to a release.")
        return held

    def _token(self) -> IdentityToken:
        """Return a token that can be used and may be shown."""
        raw = self._source()
        tokens.require_publishable(raw, allowed=self._allowed)
        return tokens.use(raw, self._reach().skew)

    def _reach(self) -> _Services:
        if self._services is None:
            self._services = _Services(self._trust, self._budget)
        return self._services


@contextmanager
def _understood(whose: str) -> Iterator[None]:
    """Turn what the library raises over an answer into errors of ours; some of its classes are not ours to import."""
    try:
        yield
    except (PassingError, WeighlockError):
        raise
    except Exception as error:
        reason = printable(str(error).partition("\n")[0] or type(error).__name__)
        failed = UnfinishedError(f"{whose}'s answer cannot be used: {reason}", remedy="Run again later.")
        if "signed timestamp" in reason:  # a log of version 2 says no time, and the authority gave none
            raise PassingError(failed) from error
        raise failed from error
