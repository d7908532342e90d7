"""A listener on loopback that hands each connection to a thread of its own, and how two connections are joined."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Serve = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Serve) -> Iterator[str]:
    """Yield ``127.0.0.1:PORT``; `serve` gets each connection and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_accept, args=(server, serve), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def connected(address: str) -> socket.socket:
    """Return a connection to ``HOST:PORT``."""
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)))


def joined(one: socket.socket, other: socket.socket) -> None:
    """Carry what either says to the other, until both have ended."""
    up = threading.Thread(target=_carry, args=(one, other), daemon=True)
    up.start()
    _carry(other, one)
    up.join()


def _accept(server: socket.socket, serve: Serve) -> None:
    with contextlib.suppress(OSError):  # the server was closed
        while True:
            client, _ = server.accept()
            threading.Thread(target=serve, args=(client,), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 18):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
