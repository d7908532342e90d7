"""Servers on loopback for the audit's tests: a simple index of generated packages, and vulnerability services."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Answer = tuple[int, str, bytes]
"""Status, content type, body."""
NOT_FOUND: Answer = (404, "text/plain", b"not here")


class Loopback:
    """An HTTP server on 127.0.0.1 that asks `answer(method, path, body)` what to say; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.delay = 0.0
        """Seconds before each answer."""
        self._ending = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say("GET", b"")

            def do_HEAD(self) -> None:
                self._say("HEAD", b"")

            def do_POST(self) -> None:
                self._say("POST", self.rfile.read(int(self.headers.get("Content-Length", "0"))))

            def _say(self, method: str, body: bytes) -> None:
                outer.asked.append(f"{method} {self.path}")
                outer._ending.wait(outer.delay)
                status, kind, content = outer.answer(method, self.path, body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                with contextlib.suppress(ConnectionError):  # the client's patience is what some tests are about
                    self.end_headers()
                    if method != "HEAD":
                        self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name in the base class
                pass

        return Handler


class Index(Loopback):
    """A simple index (PEP 503) of wheels and sdists that the test makes."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, dict[str, bytes]] = {}
        self.broken = False

    def wheel(self, name: str, version: str, *, requires: tuple[str, ...] = (), calls_itself: str = "") -> None:
        metadata = [f"Metadata-Version: 2.1\nName: {calls_itself or name}\nVersion: {version}\n"]
        metadata += [f"Requires-Dist: {requirement}\n" for requirement in requires]
        folder = f"{name.replace('-', '_')}-{version}.dist-info"
        members = {
            f"{folder}/METADATA": "".join(metadata),
            f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{folder}/RECORD": "",
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, text in members.items():
                archive.writestr(path, text)
        self.files.setdefault(name, {})[f"{name.replace('-', '_')}-{version}-py3-none-any.whl"] = buffer.getvalue()

    def sdist(self, name: str, version: str, members: dict[str, str]) -> str:
        """Add an sdist with these files (name to text); return its URL."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path, text in members.items():
                member = tarfile.TarInfo(f"{name}-{version}/{path}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        file = f"{name}-{version}.tar.gz"
        self.files.setdefault(name, {})[file] = buffer.getvalue()
        return f"{self.url}/files/{name}/{file}"

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        if self.broken:
            return 500, "text/plain", b"broken"
        parts = path.strip("/").split("/")
        match parts:
            case ["simple", name] if name in self.files:
                links = [
                    f'<a href="/files/{name}/{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a>'
                    for file, content in self.files[name].items()
                ]
                return 200, "text/html", ("<!DOCTYPE html><html><body>" + "".join(links) + "</body></html>").encode()
            case ["files", name, file] if file in self.files.get(name, {}):
                return 200, "application/octet-stream", self.files[name][file]
            case _:
                return NOT_FOUND


class PyPIJson(Loopback):
    """A service that answers as the JSON API of a Python index does: one document for each version of a project."""

    def __init__(self, known: dict[str, list[dict[str, Any]]] | None = None) -> None:
        super().__init__()
        self.known = known or {}
        """``name==version`` to its vulnerabilities."""
        self.says: Callable[[], Answer] | None = None
        """What is said instead of the above."""

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        if self.says:
            return self.says()
        match path.strip("/").split("/"):
            case ["pypi", name, version, "json"] if f"{name}=={version}" in self.known:
                document = {
                    "info": {"name": name, "version": version},
                    "urls": [],
                    "vulnerabilities": self.known[f"{name}=={version}"],
                }
                return 200, "application/json", json.dumps(document).encode()
            case _:
                return NOT_FOUND


class Osv(Loopback):
    """A service that answers as OSV's ``/v1/query`` does, in pages of `page` entries."""

    def __init__(self, known: dict[str, list[dict[str, Any]]] | None = None, page: int = 1000) -> None:
        super().__init__()
        self.known = known or {}
        self.page = page

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        query = json.loads(body)
        if path != "/v1/query" or query["package"]["ecosystem"] != "PyPI":
            return NOT_FOUND
        found = self.known.get(f"{query['package']['name']}=={query['version']}", [])
        start = int(query.get("page_token", "0"))
        document: dict[str, Any] = {"vulns": found[start : start + self.page]} if found else {}
        if start + self.page < len(found):
            document["next_page_token"] = str(start + self.page)
        return 200, "application/json", json.dumps(document).encode()


def advisory(identity: str, *fixed_in: str, aliases: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return a vulnerability as the JSON API writes it."""
    return {
        "id": identity,
        "aliases": list(aliases),
        "details": f"The details\nof {identity}.",
        "fixed_in": list(fixed_in),
        "link": None,
        "source": "osv",
        "summary": None,
        "withdrawn": None,
        **more,
    }


def osv_entry(identity: str, name: str, *fixed_in: str, aliases: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return a vulnerability as OSV writes it (schema 1.x)."""
    events: list[dict[str, str]] = [{"introduced": "0"}, *({"fixed": version} for version in fixed_in)]
    return {
        "id": identity,
        "schema_version": "1.6.0",
        "aliases": list(aliases),
        "summary": f"The summary of {identity}",
        "published": "2024-01-02T03:04:05Z",
        "modified": "2024-01-02T03:04:05Z",
        "affected": [
            {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
        ],
        **more,
    }
