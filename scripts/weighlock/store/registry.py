"""A repository in a registry as a store, over its HTTP API (distribution-spec 1.1.1).

Blobs are streamed and digested on the way in both directions; no blob is ever held whole.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence

from weighlock import jsonio
from weighlock.errors import IntegrityError, MalformedError, NotFoundError, StoreError
from weighlock.oci import MANIFEST_LIMIT, Descriptor, Digest
from weighlock.retries import PassingError, Retries
from weighlock.store import Opener, Store, Supply, credentials, describe, hanging, verified
from weighlock.store.auth import PUSH, Authorizer
from weighlock.store.client import Call, Client, Reply
from weighlock.store.referrers import ACCEPT, Referrers
from weighlock.store.targets import Repository
from weighlock.store.uploads import Uploads
from weighlock.store.wire import Wire, answers_tls, is_loopback, origin
from weighlock.text import printable

_ABSENT = frozenset({404})
_HUB = "docker.io"  # its API has another host than its name


class Registry:
    """The `Store` for one repository."""

    def __init__(self, client: Client) -> None:
        """Speak through `client`; nothing is contacted yet."""
        self._client = client
        self._referrers = Referrers(client)
        self._uploads = Uploads(client)

    @property
    def name(self) -> str:
        """Return ``HOST/REPO``."""
        return self._client.name

    @property
    def host(self) -> str:
        """Return ``HOST``."""
        return self.name.partition("/")[0]

    def resolve(self, tag: str) -> Descriptor | None:
        """Return what `tag` names; the descriptor is made from the manifest's own bytes."""
        reply = self._get_manifest(tag)
        return None if reply is None else describe(reply.body, f"{tag} in {self.name}")

    def tags(self) -> tuple[str, ...]:
        """List the first page of tags, without those that only hold referrers."""
        call = Call("listing the tags", "GET", self._client.url("tags/list?n=100"), accept=_ABSENT)
        reply = self._client.exchange(call, MANIFEST_LIMIT)
        if reply.status == 404:
            return ()
        what = f"the list of tags of {self.name}"
        tags = jsonio.optional(jsonio.parse(reply.body, what), "tags", list, what) or []
        return tuple(sorted(tag for tag in tags if isinstance(tag, str) and not tag.startswith("sha256-")))

    def manifest(self, digest: Digest) -> bytes:
        """Return the manifest's bytes, digested."""
        reply = self._get_manifest(str(digest))
        if reply is None:
            raise NotFoundError(f"{self.name} does not hold {digest}")
        return b"".join(verified([reply.body], Descriptor("", digest, len(reply.body)), self.name))

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yield the blob's bytes, going on where a broken download stopped; they are checked after the last."""
        return verified(self.part(descriptor, 0, descriptor.size), descriptor, self.name)

    def part(self, descriptor: Descriptor, start: int, end: int) -> Generator[bytes, None, None]:
        """Yield the blob's bytes from `start` up to `end`, going on where a broken download stopped."""
        attempts = self._client.attempts()
        while start < end:
            try:
                for piece in self._download(descriptor, start, end):
                    start += len(piece)
                    yield piece
            except PassingError as failure:
                attempts.failed(failure)
            else:
                return

    def splits(self, descriptor: Descriptor) -> bool:
        """Ask for the first byte alone; a registry, or the storage that it sends us to, may answer with all of them."""
        url = self._client.url(f"blobs/{descriptor.digest}")
        call = Call(f"asking for a part of {descriptor.digest}", "GET", url, headers={"Range": "bytes=0-0"})
        try:
            with self._client.stream(call) as answer:
                said = answer.headers.get("Content-Range", "")
                return answer.status == 206 and said == f"bytes 0-0/{descriptor.size}"
        except (StoreError, PassingError):
            return False  # whoever fetches the whole says why it cannot be had

    def examine(self, descriptor: Descriptor) -> str:
        """Ask for the blob's presence and size; the registry checked its digest when it took it."""
        if not self._holds(descriptor):
            raise NotFoundError(f"{self.name} does not hold {descriptor.digest}")
        return "present, with the size described"

    def probe(self) -> None:
        """Begin an upload and cancel it."""
        self._uploads.probe()

    def mount(self, descriptor: Descriptor, origin: Store) -> bool:
        """Let the registry take the blob from `origin`, where that is another of its repositories."""
        if not isinstance(origin, Registry) or origin.host != self.host or origin.name == self.name:
            return False
        return self._uploads.mount(descriptor, origin.name.partition("/")[2])

    def push_blob(self, descriptor: Descriptor, source: Opener) -> bool:
        """Send a blob in one piece, unless it is there; before another attempt it is looked for again."""
        attempts = self._client.attempts()
        sent = False
        while not self._holds(descriptor):
            try:
                self._uploads.send(descriptor, source)
            except PassingError as failure:
                sent = True
                attempts.failed(failure)
            else:
                return True
        return sent

    def push_manifest(self, raw: bytes) -> Descriptor:
        """Send a manifest under its digest."""
        descriptor = describe(raw)
        self._put_manifest(raw, descriptor, str(descriptor.digest))
        return descriptor

    def referrers(self, subject: Digest, artifact_type: str | None = None) -> tuple[Descriptor, ...]:
        """List referrers, or those of a type, by the registry's API, or by the tag that stands in for it."""
        return self._referrers.listed(subject, artifact_type)

    def attach(self, subject: Descriptor, referrers: Sequence[bytes]) -> tuple[Descriptor, ...]:
        """Send referrers and see that they are listed: by the registry itself, or in one update of the tag."""
        attached = [hanging(raw, subject) for raw in referrers]
        replies = [
            self._put_manifest(raw, descriptor, str(descriptor.digest))
            for raw, descriptor in zip(referrers, attached, strict=True)
        ]
        unlisted = [
            descriptor
            for descriptor, reply in zip(attached, replies, strict=True)
            if reply.headers.get("OCI-Subject") != str(subject.digest)
        ]
        self._referrers.ensure(subject.digest, attached, unlisted)
        return tuple(attached)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Send the manifest, which must be there, once more under its tag."""
        raw = self.manifest(descriptor.digest)
        self._put_manifest(raw, describe(raw), tag)

    def _get_manifest(self, reference: str) -> Reply | None:
        url = self._client.url(f"manifests/{reference}")
        call = Call(f"reading the manifest {reference}", "GET", url, headers={"Accept": ACCEPT}, accept=_ABSENT)
        reply = self._client.exchange(call, MANIFEST_LIMIT)
        if reply.status == 404:
            return None
        what = f"{reference} in {self.name}"
        _compare_digest(reply, Digest.of(reply.body), what)
        said = reply.headers.get("Content-Type", "").partition(";")[0].strip()
        written = jsonio.optional(jsonio.parse(reply.body, what), "mediaType", str, what)
        if said and written and said != written:
            raise MalformedError(f"{what} came as {printable(said)} and calls itself {printable(written)}")
        return reply

    def _put_manifest(self, raw: bytes, descriptor: Descriptor, reference: str) -> Reply:
        url = self._client.url(f"manifests/{reference}")
        headers = {"Content-Type": descriptor.media_type}
        call = Call(f"storing the manifest {reference}", "PUT", url, PUSH, headers, lambda: raw)
        reply = self._client.exchange(call)
        _compare_digest(reply, descriptor.digest, f"{reference} in {self.name}")
        return reply

    def _holds(self, descriptor: Descriptor) -> bool:
        url = self._client.url(f"blobs/{descriptor.digest}")
        reply = self._client.exchange(Call(f"looking for {descriptor.digest}", "HEAD", url, accept=_ABSENT))
        if reply.status == 404:
            return False
        size = reply.headers.get("Content-Length", str(descriptor.size))
        if size != str(descriptor.size):
            raise IntegrityError(
                f"{descriptor.digest} in {self.name} has {size} bytes, described are {descriptor.size}"
            )
        return True

    def _download(self, descriptor: Descriptor, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `end`, from a registry that gives ranges or one that starts over."""
        what, url = f"reading {descriptor.digest}", self._client.url(f"blobs/{descriptor.digest}")
        to_the_end = end == descriptor.size
        # Never without an end: the registry of go-containerregistry, which is crane's, answers 416 to "bytes=N-".
        headers = {} if to_the_end and not start else {"Range": f"bytes={start}-{end - 1}"}
        accept = _ABSENT | ({416} if start else set())
        with self._client.stream(Call(what, "GET", url, headers=headers, accept=accept)) as answer:
            if answer.status == 404:
                raise NotFoundError(f"{self.name} does not hold {descriptor.digest}")
            if answer.status == 416:
                raise IntegrityError(
                    f"{descriptor.digest} in {self.name} is shorter than the {descriptor.size} bytes described"
                )
            if answer.status == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise StoreError(f"{self.name}: {what} failed: another range came than was asked for")
            supply = Supply(answer.pieces())
            for _ in supply.take(start if answer.status == 200 else 0):
                pass
            # What follows a part is not wanted; what follows the end makes it another blob.
            yield from supply.take(sys.maxsize if to_the_end else end - start)


def open_registry(
    repository: Repository,
    *,
    plain_http: bool,
    environ: Mapping[str, str],
    retries: Retries | None = None,
    wire: Wire | None = None,
) -> Registry:
    """Return the store for `repository`: over TLS, or in plain HTTP where `plain_http` says so.

    On loopback the server is asked which of the two it speaks. A private authority's certificate comes from
    ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE`` or ``SSL_CERT_FILE``.
    """
    bundles = (environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
    wire = wire or Wire(plain_http=plain_http, authorities=next(filter(None, bundles), ""))
    authorizer = Authorizer(str(repository), lambda: credentials.find(repository.host, repository.name, environ), wire)
    client = Client(
        str(repository), lambda: _base(repository.host, plain_http=plain_http), wire, authorizer, retries or Retries()
    )
    return Registry(client)


def _base(host: str, *, plain_http: bool) -> str:
    _, name, port = origin(f"https://{host}")
    tls = answers_tls(name.strip("[]"), port) if is_loopback(name) else True
    return f"{'https' if tls and not plain_http else 'http'}://{'registry-1.docker.io' if host == _HUB else host}"


def _compare_digest(reply: Reply, digest: Digest, what: str) -> None:
    said = reply.headers.get("Docker-Content-Digest")
    if said is not None and said != str(digest):
        raise IntegrityError(f"{what} is {digest}, and the registry calls it {printable(said)}")
