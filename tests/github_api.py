"""The part of GitHub's API that keeps attestations, as its documentation describes it, on loopback.

``python -m github_api FILE`` serves it in a process of its own, says its address, and writes what it holds to FILE.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Api:
    """What it holds, what it was asked, and how it fails."""

    def __init__(self, repository: str = "acme/models") -> None:
        self.top = f"/repos/{repository}/attestations"
        self.held: list[Any] = []
        self.faults: list[int] = []
        """Statuses of the next answers."""
        self.refused = 0
        """Status of every answer to what would be kept."""
        self.asked: list[tuple[str, str, str]] = []

    def answer(self, method: str, path: str, body: bytes, token: str) -> tuple[int, Any]:
        self.asked.append((method, path, token))
        if self.faults or (self.refused and method == "POST"):
            return self.faults.pop(0) if self.faults else self.refused, {
                "message": "Resource not accessible by integration"
            }
        if method == "POST" and path == self.top:
            self.held.append(json.loads(body))
            return 201, {"id": len(self.held)}
        digest, _, query = path.removeprefix(self.top + "/").partition("?")
        assert query == "per_page=100"
        found = [item for item in self.held if digest in _subjects(item)]
        return (200, {"attestations": found}) if found else (404, {"message": "Not Found"})


def _subjects(item: Any) -> list[str]:
    payload = json.loads(base64.b64decode(item["bundle"]["dsseEnvelope"]["payload"]))
    return ["sha256:" + subject["digest"]["sha256"] for subject in payload["subject"]]


@contextmanager
def serving(api: Api, kept: Path | None = None) -> Iterator[str]:
    """Serve it and yield its URL; `kept` is the file that holds what it got, after each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply("GET", b"")

        def do_POST(self) -> None:
            self.reply("POST", self.rfile.read(int(self.headers["Content-Length"])))

        def reply(self, method: str, body: bytes) -> None:
            status, document = api.answer(method, self.path, body, self.headers["Authorization"])
            if kept:
                kept.write_text(json.dumps(api.held))
            raw = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main(words: list[str]) -> None:
    """Serve until standard input ends."""
    with serving(Api(words[1]), Path(words[0])) as url:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
