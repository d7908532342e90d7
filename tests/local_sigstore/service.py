"""All services of one Sigstore behind one address: what it answers, and how it fails when a test says so."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local_sigstore.authority import Authority
from local_sigstore.issuer import GITHUB_ISSUER, Claims, Issuer
from local_sigstore.rekor import Log1, Log2
from local_sigstore.timestamps import TimestampAuthority

FULCIO = "/api/v2/signingCert"
REKOR_1 = "/api/v1/log/entries"
REKOR_2 = "/api/v2/log/entries"
TSA = "/api/v1/timestamp"
TOKEN = "/token"

_START = dt.timedelta(days=1000)  # how old the authorities are, so that old signatures can be made


@dataclass(frozen=True)
class Reply:
    """What a service answers."""

    status: int
    body: bytes
    kind: str = "application/json"


@dataclass
class Fault:
    """What happens to the next `times` requests to a path that starts with `path`."""

    path: str
    status: int | None = None
    """Answer this instead, as an error."""
    before: Callable[[], None] | None = None
    """Call this first, which may sleep."""
    change: Callable[[Any], Any] | None = None
    """Answer with another JSON document than the service would."""
    times: int = 1_000_000


@dataclass
class LocalSigstore:
    """A Sigstore of one's own; a test may look at its parts and change them."""

    url: str = ""
    start: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.timezone.utc).replace(microsecond=0) - _START)
    authority: Authority = field(init=False)
    issuing: Authority = field(init=False)
    """Who signs certificates: `authority`, which the trusted root names, unless a test puts another one here."""
    tsa: TimestampAuthority = field(init=False)
    log1: Log1 = field(default_factory=Log1)
    log2: Log2 = field(default_factory=Log2)
    issuer: Issuer = field(default_factory=Issuer)
    issuer_url: str = GITHUB_ISSUER
    cert_minutes: float = 10
    sct: bool = True
    offset: float = 0
    """Seconds that its clock is ahead of ours."""
    latency: dict[str, float] = field(default_factory=dict)
    """Path to the seconds that each answer takes."""
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """The paths of all requests, in their order."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.authority = self.issuing = Authority(self.start)
        self.tsa = TimestampAuthority(self.start)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=self.offset)

    def count(self, path: str) -> int:
        """Return how many requests to this path there were."""
        return sum(call.startswith(path) for call in self.calls)

    def token(self, claims: Mapping[str, Any]) -> str:
        """Return an identity token with these claims."""
        return self.issuer.token(claims, now=self.now().timestamp())

    def token_file(self, path: Path, claims: Mapping[str, Any]) -> Path:
        """Write an identity token with these claims, and return `path`."""
        path.write_text(self.token(claims))
        return path

    def job(self, claims: Claims | Path) -> dict[str, str]:
        """Return the variables of a GitHub job that may ask for tokens with these claims."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}{TOKEN}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.issuer.grant(claims),
        }

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the answer to a request, after the faults that are due."""
        url = urlsplit(target)
        fault = self._due(url.path)
        time.sleep(max((seconds for path, seconds in self.latency.items() if url.path.startswith(path)), default=0))
        if fault is not None and fault.before is not None:
            fault.before()
        if fault is not None and fault.status is not None:
            return _error(fault.status, "injected")
        reply = self._route(method, url.path, parse_qs(url.query), headers.get("authorization", ""), body)
        if fault is not None and fault.change is not None:
            return Reply(reply.status, json.dumps(fault.change(json.loads(reply.body))).encode())
        return reply

    def _due(self, path: str) -> Fault | None:
        with self.lock:
            self.calls.append(path)
            fault = next((fault for fault in self.faults if path.startswith(fault.path) and fault.times), None)
            if fault is not None:
                fault.times -= 1
            return fault

    def _route(self, method: str, path: str, query: dict[str, list[str]], shown: str, body: bytes) -> Reply:
        routes: dict[tuple[str, str], Callable[[], Reply]] = {
            ("POST", FULCIO): lambda: self._certificate(shown, json.loads(body)),
            ("POST", REKOR_1): lambda: _logged(lambda: self.log1.add(json.loads(body), self.now()).as_version_1()),
            ("POST", REKOR_2): lambda: _logged(lambda: self.log2.add(json.loads(body)).in_bundle()),
            ("POST", TSA): lambda: Reply(201, self.tsa.answer(body, self.now()), "application/timestamp-reply"),
            ("GET", TOKEN): lambda: self._token(shown, query.get("audience", [self.issuer_url])[0]),
            ("GET", "/.well-known/openid-configuration"): lambda: _json(200, self._discovery()),
            ("GET", "/.well-known/jwks"): lambda: _json(200, self.issuer.keys()),
        }
        route = routes.get((method, path))
        return _error(404, "no such service") if route is None else route()

    def _certificate(self, shown: str, request: dict[str, str]) -> Reply:
        csr = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        public = csr.public_key()
        if not csr.is_signature_valid or not isinstance(public, ec.EllipticCurvePublicKey):
            return _error(400, "The signature supplied in the certificate signing request could not be verified")
        try:
            claims = self.issuer.claims(shown.partition(" ")[2], self.now().timestamp())
        except ValueError:
            return _error(401, "There was an error processing the identity token")
        leaf = self.issuing.issue(public, claims, self.now(), self.cert_minutes, sct=self.sct)
        pems = [one.public_bytes(serialization.Encoding.PEM).decode() for one in (leaf, *self.issuing.chain)]
        return _json(201, {"signedCertificateEmbeddedSct": {"chain": {"certificates": pems}}})

    def _token(self, shown: str, audience: str) -> Reply:
        try:
            claims = self.issuer.granted(shown.partition(" ")[2])
        except KeyError:
            return _error(401, "no such job")
        return _json(
            200, {"value": self.issuer.token(claims, audience=audience, now=self.now().timestamp()), "count": 1}
        )

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer_url,
            "jwks_uri": f"{self.url}/.well-known/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}{TOKEN}",
            "id_token_signing_alg_values_supported": ["RS256"],
        }


@contextmanager
def serving(sigstore: LocalSigstore) -> Iterator[LocalSigstore]:
    """Serve it on loopback, on a port that the system chose."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"sigstore": sigstore}))
    server.daemon_threads = True  # a request that a fault keeps waiting ends with the test process
    server.block_on_close = False
    sigstore.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield sigstore
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    sigstore: LocalSigstore

    def reply(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.sigstore.answer(self.command, self.path, headers, body)
        try:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        except (BrokenPipeError, ConnectionResetError):  # the client gave up waiting
            self.close_connection = True

    do_GET = do_POST = reply  # noqa: N815 - the names that http.server calls

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(int(self.sigstore.now().timestamp() if timestamp is None else timestamp))

    def log_message(self, *_: object) -> None:
        pass


def _logged(add: Callable[[], Any]) -> Reply:
    try:
        return _json(201, add())
    except ValueError as error:
        return _error(409 if "already exists" in str(error) else 400, str(error))


def _json(status: int, document: Any) -> Reply:
    return Reply(status, json.dumps(document).encode())


def _error(status: int, message: str) -> Reply:
    return _json(status, {"code": status, "message": message})
