"""A TCP proxy before a real server that breaks connections, one fault a connection, in the order given."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from listening import connected, listening


@dataclass(frozen=True)
class Fault:
    """After so many bytes from the client (`up`) or the server: ``reset``, ``close``, ``hang``, or ``corrupt`` the next byte."""

    kind: str
    after: int
    up: bool = False


@dataclass
class FaultyProxy:
    """The address to speak to, and the faults still to come; each is for the first connection that gets that far."""

    address: str
    faults: list[Fault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, count: int, *, up: bool) -> Fault | None:
        """Return the next fault, where this many bytes of one connection bring it about; it is gone then."""
        with self.lock:
            if self.faults and self.faults[0].up is up and count > self.faults[0].after:
                return self.faults.pop(0)
            return None


@contextmanager
def faulty_proxy(to: str) -> Iterator[FaultyProxy]:
    """Run a proxy before ``HOST:PORT`` on loopback."""
    proxy = FaultyProxy("")
    open_sockets: list[socket.socket] = []

    def serve(client: socket.socket) -> None:
        upstream = connected(to)
        open_sockets.extend((client, upstream))
        for up in (True, False):
            threading.Thread(target=_pump, args=(proxy, client, upstream, up), daemon=True).start()

    try:
        with listening(serve) as proxy.address:
            yield proxy
    finally:
        for one in open_sockets:
            one.close()


def _pump(proxy: FaultyProxy, client: socket.socket, upstream: socket.socket, up: bool) -> None:
    source, sink = (client, upstream) if up else (upstream, client)
    count = 0
    with contextlib.suppress(OSError):  # the other direction ended both
        while piece := source.recv(65536):
            count += len(piece)
            fault = proxy.due(count, up=up)
            if fault is None:
                sink.sendall(piece)
            elif fault.kind == "corrupt":
                sink.sendall(piece[:-1] + bytes([piece[-1] ^ 1]))
            elif fault.kind == "hang":
                return
            else:
                if fault.kind == "reset":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                break
        for one in (client, upstream):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
