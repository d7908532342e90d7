"""Credentials for a registry, from the files that docker and podman keep them in.

Sources: docker's ``config.json`` (docs of ``docker login``), containers-auth.json(5). Programs that keep credentials
elsewhere (``credHelpers``, ``credsStore``) are asked by their protocol: the host on standard input, JSON on standard output.
In a GitHub job ``GITHUB_TOKEN`` is good for GitHub's own registry.
"""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from weighlock import jsonio
from weighlock.errors import InputError, MalformedError, StoreError
from weighlock.jsonio import Json
from weighlock.text import printable

_PROGRAM = re.compile(r"[a-zA-Z0-9._-]+")
_NOT_KNOWN = "credentials not found"  # what a program says, in several spellings, when it holds none for the host
_LIMIT = 1024 * 1024  # bytes of a configuration file
_SECONDS = 60  # a program may ask the user to unlock something


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password, or an identity token that a token service changes for access; `source` says whence."""

    source: str
    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def basic(self) -> str:
        """Return the value of a Basic ``Authorization`` header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def files(environ: Mapping[str, str]) -> list[Path]:
    """List the files that may hold credentials, the one that counts first."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    docker = environ.get("DOCKER_CONFIG") or (str(Path(home, ".docker")) if home else "")
    runtime = environ.get("XDG_RUNTIME_DIR")
    settings = environ.get("XDG_CONFIG_HOME") or (str(Path(home, ".config")) if home else "")
    named = environ.get("REGISTRY_AUTH_FILE")
    return [
        *([Path(named)] if named else []),
        *([Path(docker, "config.json")] if docker else []),
        *(Path(folder, "containers", "auth.json") for folder in (runtime, settings) if folder),
    ]


def find(host: str, name: str, environ: Mapping[str, str]) -> Credentials | None:
    """Return the credentials for repository `name` at `host`: from a file, else those of a GitHub job, else None."""
    for path in files(environ):
        document = _read(path)
        found = document and (_asked(document, host, path, environ) or _stored(document, host, name, path))
        if found:
            return found
    return _of_a_job(host, environ)


def _of_a_job(host: str, environ: Mapping[str, str]) -> Credentials | None:
    """Return a GitHub job's token for the registry that belongs to its server, and for no other."""
    token = environ.get("GITHUB_TOKEN")
    server = environ.get("GITHUB_SERVER_URL", "https://github.com").removeprefix("https://")
    registry = "ghcr.io" if server == "github.com" else f"containers.{server}" if server.endswith(".ghe.com") else ""
    if not token or not registry or host != registry:
        return None
    return Credentials("GITHUB_TOKEN", environ.get("GITHUB_ACTOR") or "token", token)


def _read(path: Path) -> Json | None:
    what = f"the credentials file {printable(str(path))}"
    try:
        with path.open("rb") as stream:
            raw = stream.read(_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{what} cannot be read: {printable(error.strerror or str(error))}") from None
    try:
        return jsonio.parse(raw, what) if raw.strip() else None
    except MalformedError:
        # The words of a JSON error may quote what stands in the file.
        raise InputError(f"{what} is not a JSON object", remedy="Mend it, or log in again.") from None


def _stored(document: Json, host: str, name: str, path: Path) -> Credentials | None:
    what = f"the credentials file {printable(str(path))}"
    entries = {_bare(key): entry for key, entry in (jsonio.optional(document, "auths", dict, what) or {}).items()}
    for key in _keys(host, name):
        entry = entries.get(key)
        if not isinstance(entry, dict):
            continue
        token, basic = entry.get("identitytoken"), entry.get("auth")
        if isinstance(token, str) and token:
            return Credentials(str(path), identity_token=token)
        if isinstance(basic, str) and basic:
            return _decoded(basic, path)
    return None


def _keys(host: str, name: str) -> Iterator[str]:
    """Yield the keys that may stand for a repository, the most particular first."""
    parts = name.split("/") if name else []
    for count in range(len(parts), 0, -1):
        yield f"{host}/{'/'.join(parts[:count])}"
    yield host
    if host == "docker.io":
        yield "index.docker.io"


def _bare(key: str) -> str:
    """Reduce ``https://host/v1/`` and the like to the host; podman's ``host/namespace`` stays."""
    return re.sub(r"/v[12]$", "", re.sub(r"^https?://", "", key).rstrip("/"))


def _decoded(basic: str, path: Path) -> Credentials:
    try:
        user, colon, password = base64.b64decode(basic, validate=True).decode().rstrip("\0").partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise InputError(f"an 'auth' in {printable(str(path))} is not base64 of user:password", remedy="Log in again.")
    return Credentials(str(path), user, password)


def _asked(document: Json, host: str, path: Path, environ: Mapping[str, str]) -> Credentials | None:
    what = f"the credentials file {printable(str(path))}"
    helpers = {_bare(key): named for key, named in jsonio.strings(document, "credHelpers", what).items()}
    keys = [key for key in _keys(host, "") if key in helpers]
    program = helpers[keys[0]] if keys else jsonio.optional(document, "credsStore", str, what)
    if not program:  # an empty name for a host means the file itself
        return None
    if not _PROGRAM.fullmatch(program):
        raise InputError(f"{what} names a program that cannot be one: {printable(program)}")
    server = "https://index.docker.io/v1/" if host == "docker.io" else host
    command = f"docker-credential-{program}"
    try:
        answer = subprocess.run(
            [command, "get"], input=server, capture_output=True, text=True, timeout=_SECONDS, check=False, env=environ
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"{command}, which {what} names, does not work: {printable(str(error))}") from None
    if answer.returncode:
        if _NOT_KNOWN in answer.stdout + answer.stderr:
            return None
        raise StoreError(f"{command} failed: {printable((answer.stderr or answer.stdout).strip())}")
    said = jsonio.parse(answer.stdout, f"the answer of {command}")
    user = jsonio.field(said, "Username", str, command)
    secret = jsonio.field(said, "Secret", str, command)
    if user == "<token>":
        return Credentials(command, identity_token=secret)
    return Credentials(command, user, secret)
