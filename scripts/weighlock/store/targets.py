"""TARGET: the words for a place and a manifest in it, and the store that they name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weighlock.errors import InputError, NotFoundError
from weighlock.oci import Descriptor, Digest
from weighlock.store import Store, describe
from weighlock.store.layout import Layout
from weighlock.text import printable

GRAMMAR = "oci:DIR[:TAG], oci:DIR@sha256:HEX, HOST/REPO[:TAG] or HOST/REPO@sha256:HEX"

_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_HOST = re.compile(r"([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?")
_DRIVE = re.compile(r"[a-zA-Z]:(?=[\\/])")
_NAME_LIMIT = 255  # characters of host and repository together, which many clients cannot go beyond
_SHOWN_TAGS = 10


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in a registry: the host, with its port where there is one, and the name below it."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed TARGET: the place, and at most one of tag and digest."""

    place: Path | Repository
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read a TARGET; what breaks its grammar is an `InputError` that names the grammar."""
        if "\0" in text:
            raise _wrong(text, "it holds a NUL")
        rest, digest = _without_digest(text)
        place: Path | Repository
        if text.startswith("oci:"):
            place, tag = _layout(rest.removeprefix("oci:"), text)
        else:
            place, tag = _repository(rest, text)
        if tag is not None and digest is not None:
            raise _wrong(text, "it has a tag and a digest, and nothing says that they agree", "Give one of the two.")
        return cls(place, tag, digest)

    @classmethod
    def place_of(cls, text: str) -> Target:
        """Read a TARGET to write to, which has no digest yet."""
        target = cls.parse(text)
        if target.digest is not None:
            raise _wrong(text, "a digest is what comes out of writing, not what goes in", "Leave out '@sha256:…'.")
        return target

    def with_tag(self, tag: str) -> Target:
        """Return the same place with `tag`, which has to be one."""
        return Target(self.place, _tag(tag, tag))

    @property
    def name(self) -> str:
        """Return what statements call an artifact there: ``HOST/REPO``, or the name of the layout's folder."""
        return self.place.resolve().name if isinstance(self.place, Path) else str(self.place)

    def shares_registry(self, other: Target) -> bool:
        """Tell whether both are repositories of one registry, which can mount blobs from one in the other."""
        places = (self.place, other.place)
        hosts = {place.host for place in places if isinstance(place, Repository)}
        return len(hosts) == 1 and not any(isinstance(place, Path) for place in places)

    def __str__(self) -> str:
        place = f"oci:{self.place}" if isinstance(self.place, Path) else str(self.place)
        if isinstance(self.place, Path) and ":" in self.place.name and not self.tag:
            place += "/"  # or what stands behind the colon would be read as a tag
        return place + (f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else "")


def at_github(host: str) -> bool:
    """Tell whether `host` is the registry of GitHub, or that of a company on GHE.com."""
    return host == "ghcr.io" or re.fullmatch(r"containers\.[a-z0-9-]+\.ghe\.com", host) is not None


def open_store(target: Target, *, plain_http: bool = False, environ: Mapping[str, str] | None = None) -> Store:
    """Return the store that holds `target`; nothing is read, written or contacted yet.

    `plain_http` allows a registry beyond loopback without TLS; credentials and the place of their files are taken
    from `environ`.
    """
    if isinstance(target.place, Path):
        return Layout(target.place)
    from weighlock.store.registry import open_registry  # noqa: PLC0415 - brings `requests`, which a layout does without

    return open_registry(target.place, plain_http=plain_http, environ=os.environ if environ is None else environ)


def find(store: Store, target: Target) -> Descriptor:
    """Return the manifest that `target` names in `store`; what is not there is a `NotFoundError`."""
    if target.digest is not None:
        return describe(store.manifest(target.digest))
    if target.tag is None:
        raise InputError(f"{store.name} names neither a tag nor a digest", remedy=_choice(store))
    found = store.resolve(target.tag)
    if found is None:
        raise NotFoundError(f"{store.name} has no tag '{printable(target.tag)}'", remedy=_choice(store))
    return found


def _choice(store: Store) -> str:
    tags = store.tags()
    if not tags:
        return "No tag is there yet; check the name, or release the model first."
    more = " …" if len(tags) > _SHOWN_TAGS else ""
    return f"Tags that are there: {', '.join(printable(tag) for tag in tags[:_SHOWN_TAGS])}{more}."


def _without_digest(text: str) -> tuple[str, Digest | None]:
    rest, mark, hexadecimal = text.rpartition("@sha256:")
    if not mark:
        return text, None
    if not re.fullmatch(r"[0-9a-f]{64}", hexadecimal):
        raise _wrong(text, "its digest is not sha256: and 64 lower-case hex digits")
    return rest, Digest(hexadecimal)


def _layout(rest: str, text: str) -> tuple[Path, str | None]:
    """Split ``DIR[:TAG]``: a colon after the last slash starts the tag, except that of a Windows drive."""
    drive = _DRIVE.match(rest)
    start = max(rest.rfind("/"), drive.end() if drive else 0)
    folder, colon, tag = rest[start:].rpartition(":")
    folder = rest[:start] + folder if colon else rest
    if not folder:
        raise _wrong(text, "it names no folder")
    if not colon:
        return Path(folder), None
    return Path(folder), _tag(tag, text)


def _repository(rest: str, text: str) -> tuple[Repository, str | None]:
    if "://" in rest:
        raise _wrong(text, "a registry is named without a scheme", "Leave out 'https://'.")
    host, slash, name = rest.partition("/")
    name, colon, tag = name.partition(":")
    if not slash or not _is_host(host):
        raise _wrong(
            text,
            "it does not start with a registry's host",
            "Put the host first (ghcr.io/acme/model, localhost:5000/model), or oci: for a folder.",
        )
    if not _HOST.fullmatch(host):
        raise _wrong(text, f"'{printable(host)}' is not a host")
    if not _REPOSITORY.fullmatch(name):
        lowered = name.lower()
        hint = f"Write {host}/{lowered}." if lowered != name and _REPOSITORY.fullmatch(lowered) else ""
        raise _wrong(text, f"'{printable(name)}' is not a repository's name", hint)
    if len(host) + 1 + len(name) > _NAME_LIMIT:
        raise _wrong(text, f"host and repository have more than {_NAME_LIMIT} characters", "Shorten the name.")
    return Repository(host, name), _tag(tag, text) if colon else None


def _is_host(part: str) -> bool:
    """Tell a host from the first part of a repository, as every OCI client does; no registry is implied."""
    return "." in part or ":" in part or part == "localhost"


def _tag(tag: str, text: str) -> str:
    if not _TAG.fullmatch(tag):
        raise _wrong(text, f"'{printable(tag)}' is not a tag (letters, digits, '_', '.', '-', at most 128)")
    return tag


def _wrong(text: str, why: str, remedy: str = "") -> InputError:
    return InputError(
        f"'{printable(text)}' is not a target: {why}", remedy=f"{remedy or 'Check it.'} Targets: {GRAMMAR}."
    )
