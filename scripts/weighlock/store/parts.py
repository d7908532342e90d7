"""One large blob in parts that several streams fetch at once, and one digest over all of them in their order.

The first stream reads from the start and digests as it goes. A stream that has nothing else to do takes parts ahead of
it, where the store serves parts; the first digests those from the file when it comes to them. So a blob alone is fetched
as fast as several streams are, and many blobs cost no request more than one each.

The file has its full length from the start; a map beside it says which parts are whole, a byte each, for the next run.
It is a hint: all bytes are digested, those of earlier runs too.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from weighlock.errors import IntegrityError
from weighlock.oci import Descriptor
from weighlock.store import CHUNK, Store, Supply, verified
from weighlock.store.parallel import Meter

LENGTH = 64 * 1024 * 1024  # bytes a part: its request is long forgotten when it ends, even on a fast line

_PATIENCE = 0.5  # seconds between two looks at whether the whole run has ended
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Parts:
    """The parts of one blob on their way into one file."""

    def __init__(self, store: Store, descriptor: Descriptor, path: Path, length: int = LENGTH) -> None:
        """Give the file its length, and read the map that an earlier run may have left."""
        self.descriptor = descriptor
        self._store = store
        self._path = path
        self._length = length
        self._map = path.with_name(f"{path.name}.{length}")
        self._count = -(-descriptor.size // length)
        self._kept = self._begin()
        self._claimed, self._whole = set(self._kept), set(self._kept)
        self._at = 0  # the part that the first stream is at
        self.whole_from_one = not self._kept  # as long as one answer of the store in this run is all there is
        self._splits: bool | None = None  # not asked yet
        self._changed = threading.Condition()

    @property
    def missing(self) -> int:
        """Return the bytes that are still to come."""
        return sum(end - start for start, end in map(self._bounds, set(range(self._count)) - self._kept))

    def follow(self, meter: Meter) -> None:
        """Fetch and digest from the first byte to the last; raises `IntegrityError` for other bytes than described."""
        with open_unfinished(self._path) as stream:
            for _ in verified(self._in_order(stream, meter), self.descriptor, self._store.name):
                pass
            os.fsync(stream.fileno())

    def help(self, meter: Meter) -> bool:
        """Fetch one part that the first stream has not come to; False where there is none, or the store serves none."""
        if self._splits is None:
            self._splits = self._store.splits(self.descriptor)
        number = self._ahead() if self._splits else None
        if number is None:
            return False
        self.whole_from_one = False
        start, end = self._bounds(number)
        with open_unfinished(self._path) as stream, closing(self._store.part(self.descriptor, start, end)) as incoming:
            stream.seek(start)
            for piece in incoming:
                write(stream, piece)
                meter.add(len(piece))
            came = stream.tell() == end
        self._note(number) if came else self._give_back(number)
        return True

    def drop(self) -> None:
        """Forget all that is there."""
        self._map.unlink(missing_ok=True)
        with open_unfinished(self._path) as stream:
            stream.truncate(0)

    def _begin(self) -> frozenset[int]:
        with open_unfinished(self._path) as stream:
            same = os.fstat(stream.fileno()).st_size == self.descriptor.size
            stream.truncate(self.descriptor.size)
        with open_unfinished(self._map) as stream:
            marks = stream.read(self._count) if same else b""
            stream.truncate(len(marks))
        return frozenset(number for number, mark in enumerate(marks) if mark)

    def _in_order(self, stream: BinaryIO, meter: Meter) -> Iterator[bytes]:
        number = 0
        while number < self._count:
            if self._claim(number):
                number = yield from self._fetched(stream, number, meter)
            elif self._await(number, meter):
                yield from self._written(stream, number, meter)
                number += 1

    def _fetched(self, stream: BinaryIO, number: int, meter: Meter) -> Generator[bytes, None, int]:
        """Yield parts from the store, written as they come, up to one that another stream has; return its number."""
        first, _ = self._bounds(number)
        with closing(self._store.part(self.descriptor, first, self.descriptor.size)) as incoming:
            supply = Supply(incoming)
            claimed = True
            while claimed:
                start, end = self._bounds(number)
                stream.seek(start)
                for piece in supply.take(end - start):
                    write(stream, piece)
                    meter.add(len(piece))
                    yield piece
                if stream.tell() != end:
                    raise IntegrityError(
                        f"{self.descriptor.digest} in {self._store.name} ended at {stream.tell()} bytes"
                    )
                self._note(number)
                number += 1
                claimed = number < self._count and self._claim(number)
        return number

    def _written(self, stream: BinaryIO, number: int, meter: Meter) -> Iterator[bytes]:
        """Yield the bytes of a part from the file; those of this run were counted when they came."""
        start, end = self._bounds(number)
        stream.seek(start)
        while start < end and (piece := stream.read(min(CHUNK, end - start))):
            start += len(piece)
            meter.add(len(piece) if number in self._kept else 0)
            yield piece

    def _await(self, number: int, meter: Meter) -> bool:
        """Wait for the stream that has this part; False where it gave the part back."""
        with self._changed:
            while number in self._claimed and number not in self._whole:
                self._changed.wait(_PATIENCE)
                meter.add(0)  # raises where the run has ended
            return number in self._whole

    def _give_back(self, number: int) -> None:
        """Leave a part to the first stream, and all others too: this store serves no parts worth the name."""
        with self._changed:
            self._splits = False
            self._claimed.discard(number)
            self._changed.notify_all()

    def _bounds(self, number: int) -> tuple[int, int]:
        return number * self._length, min((number + 1) * self._length, self.descriptor.size)

    def _claim(self, number: int) -> bool:
        with self._changed:
            self._at = number
            if number in self._claimed:
                return False
            self._claimed.add(number)
            return True

    def _ahead(self) -> int | None:
        """Claim the first part that nobody has, leaving the first stream one to go on with."""
        with self._changed:
            free = (number for number in range(self._at + 2, self._count) if number not in self._claimed)
            number = next(free, None)
            if number is not None:
                self._claimed.add(number)
            return number

    def _note(self, number: int) -> None:
        """Mark a part as whole."""
        with self._changed:
            with open_unfinished(self._map) as stream:
                stream.seek(number)
                write(stream, b"\1")
            self._whole.add(number)
            self._changed.notify_all()


def help_out(blobs: Sequence[Parts], meter: Meter) -> None:
    """Fetch parts of whichever blobs have some left, until none has."""
    while any(blob.help(meter) for blob in blobs):
        pass


def open_unfinished(path: Path) -> BinaryIO:
    """Open a file that is being made, for reading and writing, and never through a link."""
    # Unbuffered: what is read ahead here may be written there.
    return os.fdopen(os.open(path, _FLAGS, 0o600), "r+b", buffering=0)


def write(stream: BinaryIO, piece: bytes) -> None:
    """Write all of `piece`, which a stream without a buffer need not do at once."""
    rest = memoryview(piece)
    while rest:
        rest = rest[stream.write(rest) :]
