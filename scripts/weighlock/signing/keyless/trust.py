"""Which Sigstore: the public one, or the one that a trust configuration names.

A file is either Sigstore's ClientTrustConfig, which says where to sign too, or a bare trusted root, which is enough to
verify and needs no network. Without a file the public instance's keys come from its own update service (TUF); where
that cannot be reached, verifying goes on with the copy from last time, or with the one that the library brings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sigstore.errors import Error, TUFError
from sigstore.models import ClientTrustConfig, TrustedRoot

from weighlock.errors import InputError, UnfinishedError
from weighlock.retries import PassingError
from weighlock.text import printable

_LIMIT = 4_000_000  # bytes
_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_PUBLIC = "sigstore.dev"
_CONTRACT = "Give Sigstore's ClientTrustConfig as JSON, or, to verify, a trusted_root.json."


class Trust:
    """The keys of one Sigstore, and where its services are."""

    def __init__(self, path: Path | None) -> None:
        """Take the file; nothing is fetched yet. `InputError` where it is not what it should be."""
        self._path = path
        self._config: ClientTrustConfig | None = None
        self._root: TrustedRoot | None = None
        self._hosts: set[str] = {_PUBLIC}
        if path is not None:
            self._read(path)

    @property
    def public(self) -> bool:
        """Tell whether what is signed stands in a log that everybody can read, Fulcio's own log of certificates included."""
        return any(host == _PUBLIC or host.endswith("." + _PUBLIC) for host in self._hosts)

    def root(self) -> TrustedRoot:
        """Return the keys to verify with."""
        if self._root is None:
            try:
                self._root = self._production(offline=False).trusted_root
            except PassingError:
                self._root = self._production(offline=True).trusted_root
        return self._root

    def config(self) -> ClientTrustConfig:
        """Return where to sign; `PassingError` where that has to be fetched and cannot be."""
        if self._config is None and self._path is not None:
            raise InputError(
                f"{printable(str(self._path))} says whom to trust, and not where to sign",
                remedy="Give Sigstore's ClientTrustConfig: the trusted root together with a signing configuration.",
            )
        if self._config is None:
            self._config = self._production(offline=False)
            self._root = self._config.trusted_root
        return self._config

    def _production(self, *, offline: bool) -> ClientTrustConfig:
        try:
            return ClientTrustConfig.production(offline=offline)
        except TUFError as error:
            cause = error.__cause__ or error
            raise PassingError(
                UnfinishedError(
                    f"the public Sigstore's keys cannot be fetched: {printable(str(cause) or type(cause).__name__)}",
                    remedy="Run again, or give --trust-config FILE.",
                )
            ) from error

    def _read(self, path: Path) -> None:
        text = _text(path)
        try:
            document: Any = json.loads(text)
            if isinstance(document, dict) and document.get("mediaType") == _CONFIG:
                self._config = ClientTrustConfig.from_json(text)
                self._root = self._config.trusted_root
                self._hosts = _hosts(document["signingConfig"])
            else:
                self._root = TrustedRoot.from_file(str(path))
        except (Error, ValueError, KeyError, RecursionError) as error:
            why = printable(str(error).partition("\n")[0])
            raise InputError(f"{printable(str(path))} is no trust configuration: {why}", remedy=_CONTRACT) from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT + 1)
    except OSError as error:
        raise InputError(
            f"the trust configuration {printable(str(path))} cannot be read: {error.strerror}", remedy=_CONTRACT
        ) from None
    if len(raw) > _LIMIT:
        raise InputError(f"the trust configuration {printable(str(path))} is larger than {_LIMIT} bytes")
    return raw.decode(errors="replace")


def _hosts(config: dict[str, Any]) -> set[str]:
    """Return where it has certificates issued and statements logged."""
    services = [*(config.get("caUrls") or []), *(config.get("rekorTlogUrls") or [])]
    return {urlsplit(service["url"]).hostname or "" for service in services}
