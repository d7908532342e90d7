"""Blobs on their way into a repository: in one piece, in pieces where a registry refuses that, or mounted from elsewhere.

One request with the whole blob works everywhere, and several large registries take nothing else. A proxy before a
registry may refuse a large body all the same; then the blob goes in pieces (distribution-spec 1.1.1, "Pushing a blob in
chunks"), smaller ones as long as they are refused too. An upload that is given up is cancelled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlencode

from weighlock.errors import IntegrityError, StoreError
from weighlock.oci import Descriptor
from weighlock.retries import PassingError
from weighlock.store import Opener, Supply, chunks, verified
from weighlock.store.auth import PUSH
from weighlock.store.client import Call, Client, Reply
from weighlock.text import printable

_MIB = 1024 * 1024
_PIECES = (64 * _MIB, 16 * _MIB, 4 * _MIB)  # bytes; the first is below the 100 MB that large proxies take
_TOO_LARGE = frozenset({405, 411, 413})  # how a body of this kind or length is refused
_LOST = 404  # the upload is not known (any more)
_NOT_MOUNTED = frozenset({400, 401, 403, 404, 405})  # a mount is a wish: whatever speaks against it, the bytes are sent


class Uploads:
    """The uploads to one repository; what it refuses is remembered."""

    def __init__(self, client: Client) -> None:
        """Speak through `client`."""
        self._client = client
        self._pieces: tuple[int, ...] = ()  # sizes still to be tried; empty as long as one piece is taken

    def probe(self) -> None:
        """Begin an upload and cancel it: the registry refuses now what it would refuse later."""
        self._cancel(self._begin("asking whether blobs may be stored", self._client.exchange).location)

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Let the registry take the blob from another of its repositories; False where it does not."""
        query = urlencode({"mount": str(descriptor.digest), "from": repository})
        url = self._client.url(f"blobs/uploads/?{query}")
        what = f"mounting {descriptor.digest}"
        reply = self._client.exchange(Call(what, "POST", url, PUSH, body=lambda: b"", accept=_NOT_MOUNTED))
        if reply.location:
            self._cancel(reply.location)
        return reply.status == 201

    def send(self, descriptor: Descriptor, source: Opener) -> None:
        """Make one attempt to send a blob; an upload that the registry lost is a failure that passes."""
        while True:
            begun, pieces = self._begin(f"storing {descriptor.digest}", self._client.once), self._pieces
            try:
                reply = self._send(descriptor, source, begun, pieces)
            except PassingError:
                raise  # the registry has enough to do
            except BaseException:
                self._cancel(begun.location)
                raise
            if reply.status not in _TOO_LARGE:
                return
            self._cancel(begun.location)
            if len(pieces) == 1 or descriptor.size <= _PIECES[-1]:
                raise StoreError(
                    f"{self._client.name}: storing {descriptor.digest} was answered with {reply.status}, in one piece "
                    "and in small ones",
                    remedy="The registry's limit is lower than this; split the file (5 GB is a common shard size).",
                )
            if self._pieces == pieces:  # otherwise another stream learned it first
                self._pieces = pieces[1:] or _PIECES

    def _begin(self, what: str, ask: Callable[[Call], Reply]) -> Reply:
        begun = ask(Call(what, "POST", self._client.url("blobs/uploads/"), PUSH, body=lambda: b""))
        if not begun.location:
            raise StoreError(f"{self._client.name}: {what} failed: the registry did not say where to send it")
        return begun

    def _send(self, descriptor: Descriptor, source: Opener, begun: Reply, pieces: tuple[int, ...]) -> Reply:
        if pieces and descriptor.size > pieces[0]:
            return self._in_pieces(descriptor, source, begun, pieces[0])
        content = _Content(descriptor, source)
        # A body of no bytes would go out with a chunked encoding, which some registries refuse.
        return self._put(descriptor, begun.location, content if descriptor.size else b"".join(content))

    def _in_pieces(self, descriptor: Descriptor, source: Opener, begun: Reply, length: int) -> Reply:
        least = begun.headers.get("OCI-Chunk-Min-Length", "")
        length = max(length, int(least) if least.isdecimal() else 0)
        url, offset = begun.location, 0
        supply = Supply(iter(_Content(descriptor, source)))
        while offset < descriptor.size:
            piece = _Piece(supply, min(length, descriptor.size - offset))
            end = offset + len(piece)
            headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{offset}-{end - 1}"}
            what = f"storing {descriptor.digest}"
            call = Call(what, "PATCH", url, PUSH, headers, piece.once, _TOO_LARGE | {_LOST})
            reply = self._found(self._client.once(call), descriptor)
            if reply.status in _TOO_LARGE:
                return reply
            said = reply.headers.get("Range", "").removeprefix("bytes=")
            if said != f"0-{end - 1}":
                raise PassingError(
                    StoreError(f"{self._client.name}: {what} failed: it has '{printable(said)}' and not 0-{end - 1}")
                )
            url, offset = reply.location or url, end
        for _ in supply.content:  # the source has to say whether this was all of it
            pass
        return self._put(descriptor, url, b"")

    def _put(self, descriptor: Descriptor, location: str, body: bytes | _Content) -> Reply:
        url = location + ("&" if "?" in location else "?") + urlencode({"digest": str(descriptor.digest)})
        headers = {"Content-Type": "application/octet-stream"}
        call = Call(f"storing {descriptor.digest}", "PUT", url, PUSH, headers, lambda: body, _TOO_LARGE | {_LOST})
        return self._found(self._client.once(call), descriptor)

    def _found(self, reply: Reply, descriptor: Descriptor) -> Reply:
        if reply.status == _LOST:
            raise PassingError(StoreError(f"{self._client.name} lost the upload of {descriptor.digest}"))
        said = reply.headers.get("Docker-Content-Digest", str(descriptor.digest))
        if reply.status == 201 and said != str(descriptor.digest):
            raise IntegrityError(f"{self._client.name} took {descriptor.digest} for {printable(said)}")
        return reply

    def _cancel(self, location: str) -> None:
        # A registry forgets an upload by itself in the end, so it matters little whether this works.
        with contextlib.suppress(StoreError, PassingError):
            self._client.once(Call("cancelling an upload", "DELETE", location, PUSH))


@dataclass(frozen=True, slots=True)
class _Content:
    """A blob on its way out: opened when it is sent, digested as it is sent."""

    descriptor: Descriptor
    source: Opener

    def __len__(self) -> int:
        return self.descriptor.size

    def __iter__(self) -> Iterator[bytes]:
        # An OSError from here would look like one of the connection's, and be tried again.
        try:
            with closing(self.source()) as stream:
                yield from verified(chunks(stream), self.descriptor, "what was to be sent")
        except OSError as error:
            raise StoreError(
                f"{self.descriptor.digest} cannot be sent: {printable(error.strerror or str(error))}"
            ) from error


@dataclass(slots=True)
class _Piece:
    """One piece of an upload; it can be sent once, since what it was made from is gone then."""

    supply: Supply
    length: int
    taken: bool = field(default=False, init=False)

    def once(self) -> _Piece:
        if self.taken:
            raise PassingError(StoreError("a piece of an upload has to be sent again"))
        self.taken = True
        return self

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[bytes]:
        return self.supply.take(self.length)
