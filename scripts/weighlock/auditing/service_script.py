"""Ask a vulnerability service through pip-audit: a script of its own, JSON in and out, started with ``python -I``.

It runs apart for two reasons: pip-audit starts ``python -m pip`` when it is imported, which would take a ``pip.py`` from
the current folder, and a process can be ended when a service trickles. pip-audit passes over some answers in silence (no
``vulnerabilities`` in a mirror's document, further pages, entries of an unknown schema); here they are told.

In: ``service``, ``url`` (or null), ``timeout`` and ``pause`` (seconds), ``attempts``, ``dependencies`` (name, version).
Out: ``url``, ``answers`` in the same order (``vulnerabilities``, and ``unknown``: a reason or null), or ``fault``.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from packaging.version import Version
from pip_audit._service import (  # type: ignore[import-untyped]  # pip-audit ships no type information
    OsvService,
    PyPIService,
    ResolvedDependency,
    SkippedDependency,
)

PAGES = 50
RETRIED = frozenset({429, 500, 502, 503, 504})


class Session:
    """The session that pip-audit asks through: leads to the mirror, tries again, joins pages, keeps the document."""

    def __init__(self, session: Any, question: dict[str, Any]) -> None:
        """Wrap a `requests` session."""
        self.session = session
        self.question = question
        self.url: str | None = None
        self.document: Any = None

    def get(self, url: str, timeout: float) -> Any:
        """Ask the JSON API of an index; pip-audit names one host, another is put in front of the same path."""
        mirror = self.question["url"]
        target = mirror.rstrip("/") + urlsplit(url).path if mirror else url
        self.url = mirror or "{0.scheme}://{0.netloc}".format(urlsplit(url))
        response = self._ask("GET", target, None, timeout)
        self.document = response.json() if response.status_code == 200 else None
        return response

    def post(self, url: str, data: str, timeout: float) -> Page:
        """Ask OSV, page by page."""
        self.url = url
        query = json.loads(data)
        entries: list[Any] = []
        for _ in range(PAGES):
            response = self._ask("POST", url, json.dumps(query), timeout)
            response.raise_for_status()
            page = response.json()
            if page and not page.keys() & {"vulns", "next_page_token"}:
                raise ValueError("this is not an answer as OSV gives it")  # where {} alone means "nothing known"
            entries += page.get("vulns", [])
            if not page.get("next_page_token"):
                self.document = {"vulns": entries} if entries else {}
                return Page(self.document)
            query["page_token"] = page["next_page_token"]
        raise ValueError(f"the answer has more than {PAGES} pages")

    def _ask(self, method: str, url: str, data: str | None, timeout: float) -> Any:
        for attempt in range(self.question["attempts"] - 1):
            try:
                response = self.session.request(method, url, data=data, timeout=timeout)
                if response.status_code not in RETRIED:
                    return response
            except OSError:  # what `requests` raises is one
                pass
            time.sleep(self.question["pause"] * 2**attempt)
        return self.session.request(method, url, data=data, timeout=timeout)


class Page:
    """Joined pages, as much of a response as pip-audit uses."""

    def __init__(self, document: Any) -> None:
        """Keep the document."""
        self.document = document

    def raise_for_status(self) -> None:
        """Do nothing: every page was checked."""

    def json(self) -> Any:
        """Return the document."""
        return self.document


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Ask for every dependency, one after the other."""
    cache = Path("cache")  # in the empty folder of this process: nothing old, nothing shared
    if question["service"] == "osv":
        more = {"osv_url": question["url"]} if question["url"] else {}
        service = OsvService(cache, question["timeout"], **more)
    else:
        service = PyPIService(cache, question["timeout"])
    session = service.session = Session(service.session, question)
    answers = []
    for item in question["dependencies"]:
        try:
            answers.append(_answer(service, session, item["name"], item["version"]))
        except Exception as error:  # noqa: BLE001 - a parser met what it does not expect: whatever it is, no answer
            words = f"{type(error).__name__}: {error}" if str(error) else repr(error.__cause__ or error)
            return {"fault": f"{item['name']} {item['version']}: {words}"}
    return {"url": session.url, "answers": answers}


def _answer(service: Any, session: Session, name: str, version: str) -> dict[str, Any]:
    session.document = None
    asked, results = service.query(ResolvedDependency(name, Version(version)))
    if isinstance(asked, SkippedDependency):
        unknown: str | None = "the service does not know this release: check it, or choose another --service"
    else:
        unknown = _other(session, name, version) or _untold(session.document, results)
    return {
        "unknown": unknown,
        "vulnerabilities": [
            {
                "id": result.id,
                "aliases": sorted(result.aliases),
                "fixed_in": [str(fixed) for fixed in result.fix_versions],
                "summary": result.description,
            }
            for result in results
        ],
    }


def _other(session: Session, name: str, version: str) -> str | None:
    """Return why the document of an index's JSON API is not the answer that was asked for, None where it is."""
    if session.question["service"] != "pypi":
        return None
    if session.document.get("vulnerabilities") is None:
        return "the service's answer says nothing about vulnerabilities: choose another --service or --service-url"
    info = session.document["info"]
    if canonicalize_name(info["name"]) != canonicalize_name(name) or Version(info["version"]) != Version(version):
        return "the service answered for another release: choose another --service or --service-url"
    return None


def _untold(document: Any, results: list[Any]) -> str | None:
    """Return which entries of the document pip-audit left out, None where there is none; withdrawn ones don't count."""
    told = {identity for result in results for identity in (result.id, *result.aliases)}
    entries = document.get("vulnerabilities") or document.get("vulns") or []
    missing = [entry["id"] for entry in entries if not entry.get("withdrawn") and entry["id"] not in told]
    return f"pip-audit cannot read the entries {', '.join(missing)} of the service: look them up" if missing else None


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
