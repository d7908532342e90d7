"""A registry in this process, with the referrers API and with faults that a test switches on.

A `Rule` says what happens to the next requests that match it; everything that arrives is kept in `seen`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
_ROUTE = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs/uploads|blobs|manifests|referrers|tags)/(?P<rest>[^/]*)")


@dataclass(frozen=True)
class Reply:
    """What the server sends; with `cut`, it says the body's full length and stops after so many bytes."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None


@dataclass
class Rule:
    """For the next `times` requests with this method and with `path` in their path: another reply, or a changed one."""

    method: str
    path: str
    instead: Reply | None = None
    change: Callable[[Reply], Reply] | None = None
    times: int = 1_000_000


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class FakeRegistry:
    """The state of the server; a test may look at it and change it."""

    address: str = ""
    auth: str = ""  # "", "basic" or "bearer"
    realm: str = ""  # the token service; this server's own /token where empty
    user: str = "ada"
    password: str = "engine"
    referrers_api: bool = True
    page: int = 2
    # What becomes of ?artifactType=: it is applied and "said", applied in "silent", "none", or "forgotten" on page two.
    filters: str = "said"
    rules: list[Rule] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    tokens: dict[str, set[tuple[str, str]]] = field(default_factory=dict)  # what each is good for: (name, action)
    granted: frozenset[str] = frozenset({"pull", "push"})  # the actions that tokens are given for
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    references: dict[tuple[str, str], str] = field(default_factory=dict)
    uploads: set[str] = field(default_factory=set)
    parts: dict[str, bytes] = field(default_factory=dict)  # what uploads in pieces hold so far
    largest_body: int = 1 << 40  # bytes; a larger blob or piece is refused with 413
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def basic(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def requests(self, method: str, path: str = "") -> list[Seen]:
        """Return what arrived with this method and with `path` in its path."""
        return [seen for seen in self.seen if seen.method == method and path in seen.path]

    def reply(self, seen: Seen) -> Reply:
        with self.lock:
            self.seen.append(seen)
            rule = next(
                (rule for rule in self.rules if rule.method == seen.method and rule.path in seen.path and rule.times),
                None,
            )
            if rule is not None:
                rule.times -= 1
            if rule is not None and rule.instead is not None:
                return rule.instead
            reply = self._refused(seen) or self._route(seen)
            return rule.change(reply) if rule is not None and rule.change is not None else reply

    def _refused(self, seen: Seen) -> Reply | None:
        """Return the challenge where `seen` does not show what the registry wants to see."""
        if not self.auth or seen.path.startswith("/token"):
            return None
        scope = _scope(seen)
        shown = seen.headers.get("authorization", "")
        if self.auth == "basic" and shown == self.basic:
            return None
        token = shown.removeprefix("Bearer ")
        if self.auth == "bearer" and token in self.tokens and _actions(scope) <= self.tokens[token]:
            return None
        realm = self.realm or f"http://{self.address}/token"
        challenge = (
            f'Bearer realm="{realm}",service="fake",scope="{scope}"' if self.auth == "bearer" else 'Basic realm="f"'
        )
        return _error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})

    def _route(self, seen: Seen) -> Reply:
        url = urlsplit(seen.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/token":
            return self._token(seen)
        if url.path == "/v2/":  # by which many clients tell a registry from another server
            return Reply()
        match = _ROUTE.fullmatch(url.path)
        if match is None:
            return Reply(404)
        name, rest = match["name"], match["rest"]
        answers: dict[str, Callable[[], Reply]] = {
            "blobs": lambda: self._blob(rest, seen),
            "blobs/uploads": lambda: self._upload(seen, name, rest, query),
            "manifests": lambda: self._manifest(seen, name, rest),
            "referrers": lambda: self._referrers(name, rest, query),
            "tags": lambda: self._tags(name),
        }
        return answers[match["kind"]]()

    def _token(self, seen: Seen) -> Reply:
        if seen.headers.get("authorization", self.basic) != self.basic:
            return _error(401, "UNAUTHORIZED", "wrong password")
        asked = parse_qs(seen.body.decode() if seen.method == "POST" else urlsplit(seen.path).query)
        token = secrets.token_hex(8)
        wanted = {pair for scope in asked.get("scope", []) for pair in _actions(scope)}
        self.tokens[token] = {(name, action) for name, action in wanted if action in self.granted}
        return Reply(200, {}, json.dumps({"token": token}).encode())

    def _blob(self, digest: str, seen: Seen) -> Reply:
        content = self.blobs.get(digest)
        if content is None:
            return _error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", seen.headers.get("range", ""))
        if wanted:
            start, end = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
            return Reply(206, {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}, content[start:end])
        return Reply(200, {"Docker-Content-Digest": digest}, content)

    def _upload(self, seen: Seen, name: str, upload: str, query: dict[str, str]) -> Reply:
        if seen.method == "POST" and query.get("mount") in self.blobs:
            return Reply(201, {"Docker-Content-Digest": query["mount"]})
        if seen.method == "POST":
            upload = secrets.token_hex(8)
            self.uploads.add(upload)
            return Reply(202, {"Location": f"/v2/{name}/blobs/uploads/{upload}?_state=a%2Fb%3D&x=1"})
        if upload not in self.uploads or query.get("_state") != "a/b=":
            return _error(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        if seen.method == "DELETE":
            self.uploads.remove(upload)
            return Reply(204)
        if len(seen.body) > self.largest_body:
            return Reply(413, {}, b"<html>too large</html>")
        content = self.parts.pop(upload, b"") + seen.body
        return self._more(name, upload, content) if seen.method == "PATCH" else self._whole(upload, content, query)

    def _more(self, name: str, upload: str, content: bytes) -> Reply:
        self.parts[upload] = content
        where = f"/v2/{name}/blobs/uploads/{upload}?_state=a%2Fb%3D&at={len(content)}"
        return Reply(202, {"Location": where, "Range": f"0-{len(content) - 1}"})

    def _whole(self, upload: str, content: bytes, query: dict[str, str]) -> Reply:
        if query.get("digest") != _digest(content):
            return _error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        self.uploads.remove(upload)
        self.blobs[_digest(content)] = content
        return Reply(201, {"Docker-Content-Digest": _digest(content)})

    def _manifest(self, seen: Seen, name: str, reference: str) -> Reply:
        if seen.method == "PUT":
            return self._put_manifest(seen, name, reference)
        digest = reference if reference in self.manifests else self.references.get((name, reference), "")
        if digest not in self.manifests:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, content = self.manifests[digest]
        return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, content)

    def _put_manifest(self, seen: Seen, name: str, reference: str) -> Reply:
        digest = _digest(seen.body)
        self.manifests[digest] = (seen.headers["content-type"], seen.body)
        self.references[name, reference] = digest
        subject = json.loads(seen.body).get("subject")
        header = {"OCI-Subject": subject["digest"]} if subject and self.referrers_api else {}
        return Reply(201, {"Docker-Content-Digest": digest, **header})

    def _referrers(self, name: str, subject: str, query: dict[str, str]) -> Reply:
        if not self.referrers_api:
            return Reply(404, {}, b"404 page not found")
        found: list[dict[str, Any]] = []
        for digest, (media_type, body) in self.manifests.items():
            document = json.loads(body)
            if (document.get("subject") or {}).get("digest") == subject:
                entry = {"mediaType": media_type, "digest": digest, "size": len(body)}
                kind = document.get("artifactType") or document["config"]["mediaType"]
                found.append({**entry, "artifactType": kind, "annotations": document.get("annotations", {})})
        wanted = query.get("artifactType") if self.filters != "none" else None
        if wanted and self.filters != "forgotten":
            found = [entry for entry in found if entry["artifactType"] == wanted]
        start = int(query.get("from", 0))
        end = start + self.page
        shown = found[start:end]
        kept = ""
        if wanted and self.filters == "forgotten":
            shown = [entry for entry in shown if entry["artifactType"] == wanted]
        elif wanted:
            kept = f"&artifactType={quote(wanted, safe='')}"
        applied = {"OCI-Filters-Applied": "artifactType"} if wanted and self.filters in {"said", "forgotten"} else {}
        link = {"Link": f'</v2/{name}/referrers/{subject}?from={end}{kept}>; rel="next"'} if end < len(found) else {}
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": shown}
        return Reply(200, {"Content-Type": INDEX, **applied, **link}, json.dumps(index).encode())

    def _tags(self, name: str) -> Reply:
        tags = [reference for holder, reference in self.references if holder == name and ":" not in reference]
        if not tags:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        return Reply(200, {}, json.dumps({"name": name, "tags": tags}).encode())


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """Run a fake registry on loopback."""
    state = FakeRegistry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    state.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: FakeRegistry

    def answer(self) -> None:
        body = self._chunks() if self.headers.get("Transfer-Encoding") else self._sized()
        if body is None:  # the client gave up
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.state.reply(Seen(self.command, self.path, headers, body))
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
        self.close_connection = self.close_connection or reply.cut is not None

    def _sized(self) -> bytes | None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def _chunks(self) -> bytes | None:
        """Return the body of a client that does not say how long it is, as Go's where it knows of none (RFC 9112, 7.1)."""
        body = b""
        while line := self.rfile.readline():
            size = int(line, 16)
            piece = self.rfile.read(size + 2)  # and the end of its line
            if size == 0:
                return body
            body += piece[:size]
        return None

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: object) -> None:
        pass

    def log_error(self, *_: object) -> None:
        pass


def _scope(seen: Seen) -> str:
    """Return the scope that a request needs: none beside a repository, two for a mount, which reads its origin too."""
    url = urlsplit(seen.path)
    route = _ROUTE.match(url.path)
    if route is None:
        return ""
    scope = f"repository:{route['name']}:{'pull' if seen.method in {'GET', 'HEAD'} else 'pull,push'}"
    origin = parse_qs(url.query).get("from") if seen.method == "POST" else None
    return f"{scope} repository:{origin[0]}:pull" if origin else scope


def _actions(scope: str) -> set[tuple[str, str]]:
    """Return (name, action) for each right in ``repository:NAME:ACTION,ACTION …``."""
    parts = (one.split(":") for one in scope.split())
    return {(name, action) for _, name, actions in parts for action in actions.split(",")}


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, {"Content-Type": "application/json", **(headers or {})}, body)
