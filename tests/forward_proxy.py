"""An HTTP proxy as companies have one: ``CONNECT`` for TLS, absolute addresses for plain HTTP, and a login if wanted.

Whatever host it is asked for, it goes to one server on loopback; so a name that only it can reach proves the way.
"""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from listening import connected, joined, listening


@dataclass
class ForwardProxy:
    """Where it listens, the login that it wants (``name:password``), and the head of every request that it saw."""

    address: str
    login: str = ""
    seen: list[str] = field(default_factory=list)

    def targets(self) -> set[str]:
        """Return method and host of what was asked for, each once."""
        asked = (head.split(" ", 2)[:2] for head in self.seen)
        return {f"{method} {target.removeprefix('http://').partition('/')[0]}" for method, target in asked}


@contextmanager
def forward_proxy(to: str, login: str = "") -> Iterator[ForwardProxy]:
    """Run a proxy that takes ``HOST:PORT`` on loopback for every host there is."""
    proxy = ForwardProxy("", login)
    with listening(lambda client: _serve(proxy, client, to)) as proxy.address:
        yield proxy


def _serve(proxy: ForwardProxy, client: socket.socket, to: str) -> None:
    """Serve one request of a client, and for plain HTTP tell the server to close after it."""
    with client, contextlib.suppress(OSError):
        received = b""
        while b"\r\n\r\n" not in received:
            piece = client.recv(65536)
            if not piece:
                return
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        proxy.seen.append(head.decode("latin-1"))
        wanted = f"Proxy-Authorization: Basic {base64.b64encode(proxy.login.encode()).decode()}"
        if proxy.login and wanted not in proxy.seen[-1].split("\r\n"):
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            return
        with connected(to) as server:
            if head.startswith(b"CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                server.sendall(_onward(head) + body)
            joined(client, server)


def _onward(head: bytes) -> bytes:
    """Return the head as the server wants it: its own path, and one request a connection."""
    first, *lines = head.split(b"\r\n")
    method, target, version = first.split(b" ")
    path = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"proxy-"))]
    return b"\r\n".join([b" ".join([method, path, version]), *kept, b"Connection: close", b"", b""])
