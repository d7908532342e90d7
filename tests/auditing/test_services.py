from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditing.loopback import NOT_FOUND, Answer, Loopback, Osv, PyPIJson, advisory, osv_entry
from weighlock.auditing import Answers, Dependency, Patience, Service, Vulnerability
from weighlock.auditing.service import SUMMARY_LIMIT, PipAudit, check_url
from weighlock.errors import InputError, UnfinishedError

A, B, C = Dependency("a", "1.0"), Dependency("b", "1.0"), Dependency("c", "1.0")
SHORT = Patience(asking=20, answer=0.5, attempts=2, pause=0.01)


@pytest.fixture
def pypi() -> Iterator[PyPIJson]:
    with PyPIJson() as server:
        yield server


def ask(server: Loopback, *dependencies: Dependency, patience: Patience = SHORT, **environ: str) -> Answers:
    kind, url = (Service.OSV, f"{server.url}/v1/query") if isinstance(server, Osv) else (Service.PYPI, server.url)
    surroundings = {"PATH": os.environ["PATH"], "HOME": os.devnull, "NO_PROXY": "*", **environ}
    return PipAudit(kind, url, surroundings, patience).audit(dependencies)


def test_an_index_is_asked_for_each_release(pypi: PyPIJson) -> None:
    pypi.known = {
        "a==1.0": [advisory("PYSEC-1", "1.10", "1.9", summary="Bad\nthing"), advisory("PYSEC-2", withdrawn="2024")],
        "b==1.0": [],
    }
    found = ask(pypi, A, B, C)
    assert found.found[A] == (Vulnerability("PYSEC-1", (), ("1.9", "1.10"), "Bad thing"),)
    assert found.found[B] == ()
    assert list(found.unknown) == [C]
    assert "does not know" in found.unknown[C]
    assert found.url == pypi.url
    assert pypi.asked == [f"GET /pypi/{name}/1.0/json" for name in "abc"]


def test_the_same_flaw_under_several_names_is_one(pypi: PyPIJson) -> None:
    pypi.known["a==1.0"] = [
        advisory("GHSA-x", "2.0", aliases=("CVE-1",)),
        advisory("X-1", "2.1", aliases=("CVE-2",)),
        advisory("PYSEC-1", "1.5", "2.0", aliases=("CVE-1", "CVE-2")),
        advisory("CVE-9", aliases=()),
    ]
    assert [(item.id, item.aliases, item.fixed_in) for item in ask(pypi, A).found[A]] == [
        ("CVE-9", (), ()),
        ("PYSEC-1", ("CVE-1", "CVE-2", "GHSA-x", "X-1"), ("1.5", "2.0", "2.1")),
    ]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"info": {"name": "a", "version": "1.0"}}, "says nothing about vulnerabilities"),
        ({"info": {"name": "a", "version": "1.0"}, "vulnerabilities": None}, "says nothing about vulnerabilities"),
        ({}, "says nothing about vulnerabilities"),
        ({"info": {"name": "b", "version": "1.0"}, "vulnerabilities": []}, "another release"),
        ({"info": {"name": "a", "version": "2.0"}, "vulnerabilities": []}, "another release"),
    ],
)
def test_a_mirror_without_vulnerabilities_vouches_for_nothing(
    pypi: PyPIJson, document: dict[str, Any], reason: str
) -> None:
    pypi.says = lambda: answer(document)
    assert reason in ask(pypi, A).unknown[A]


def test_a_version_spelled_otherwise_is_the_same(pypi: PyPIJson) -> None:
    pypi.says = lambda: answer({"info": {"name": "A", "version": "1.0.0"}, "vulnerabilities": []})
    assert not ask(pypi, A).unknown


def test_a_local_version_comes_with_advice(pypi: PyPIJson) -> None:
    local = Dependency("a", "1.0+cpu")
    assert "without '+cpu'" in ask(pypi, local).unknown[local]


def test_osv_is_asked_page_by_page() -> None:
    known = [osv_entry(f"GHSA-{number}", "a", "2", aliases=(f"CVE-{number}",)) for number in range(3)]
    with Osv({"a==1.0": known}, page=2) as osv:
        found = ask(osv, A, B)
    assert [item.id for item in found.found[A]] == ["CVE-0", "CVE-1", "CVE-2"]
    assert found.found[B] == ()
    assert not found.unknown
    assert found.url == f"{osv.url}/v1/query"


def test_an_osv_entry_that_pip_audit_passes_over_is_told() -> None:
    future, bare = osv_entry("X-2", "a", schema_version="2.0.0"), osv_entry("X-3", "a")
    del bare["affected"]
    known = [osv_entry("X-1", "a"), future, bare, osv_entry("X-4", "a", withdrawn="2024-01-01T00:00:00Z")]
    with Osv({"a==1.0": known}) as osv:
        found = ask(osv, A)
    assert [item.id for item in found.found[A]] == ["X-1"]
    assert "X-2, X-3" in found.unknown[A]


def test_another_document_is_not_an_empty_answer() -> None:
    class Proxy(Osv):
        def answer(self, method: str, path: str, body: bytes) -> Answer:
            return answer({"message": "please log in"})

    with Proxy() as osv, pytest.raises(UnfinishedError, match="not an answer as OSV gives it"):
        ask(osv, A)


def test_pages_without_end_are_no_answer() -> None:
    class Endless(Osv):
        def answer(self, method: str, path: str, body: bytes) -> Answer:
            return answer({"vulns": [], "next_page_token": "more"})

    with Endless() as osv, pytest.raises(UnfinishedError, match="pages"):
        ask(osv, A)


def test_hostile_words_are_escaped_and_cut(pypi: PyPIJson) -> None:
    pypi.known["a==1.0"] = [advisory("X\x1b[2J", aliases=("Y\u202e",), summary="\x1b]0;\ud800" + "z" * 1000)]
    (item,) = ask(pypi, A).found[A]
    assert item.id == "X\\x1b[2J"
    assert item.aliases == ("Y\\u202e",)
    assert item.summary.startswith("\\x1b]0;\\ud800")
    assert len(item.summary) < SUMMARY_LIMIT + 50


@pytest.mark.parametrize(
    "said",
    [
        (500, "text/plain", b"broken"),
        (403, "text/plain", b"no"),
        (200, "application/json", b"<html>log in</html>"),
        (200, "application/json", b"[]"),
        (200, "application/json", b'{"info": {}, "vulnerabilities": [{}]}'),
        (200, "application/json", b'{"info": {}, "vulnerabilities": "none"}'),
        (200, "application/json", b'{"info": {}, "vulnerabilities": [{"id":"X","aliases":[],"fixed_in":["?"]}]}'),
    ],
)
def test_nonsense_is_no_answer(pypi: PyPIJson, said: Answer) -> None:
    pypi.says = lambda: said
    with pytest.raises(UnfinishedError, match="gave no proper answer"):
        ask(pypi, A)


def test_a_service_that_stumbles_is_asked_again(pypi: PyPIJson) -> None:
    said = [(503, "text/plain", b"busy"), answer({"info": {"name": "a", "version": "1.0"}, "vulnerabilities": []})]
    pypi.says = lambda: said.pop(0)
    assert ask(pypi, A).found == {A: ()}


def test_the_number_of_attempts_is_bounded(pypi: PyPIJson) -> None:
    pypi.says = lambda: (503, "text/plain", b"busy")
    with pytest.raises(UnfinishedError):
        ask(pypi, A)
    assert len(pypi.asked) == SHORT.attempts


def test_a_service_that_is_down() -> None:
    with PyPIJson() as gone:
        pass
    with pytest.raises(UnfinishedError, match="gave no proper answer") as refused:
        ask(gone, A)
    assert "--service-url" in refused.value.remedy


def test_a_service_that_hangs(pypi: PyPIJson) -> None:
    pypi.delay = 10
    with pytest.raises(UnfinishedError, match="Timeout"):
        ask(pypi, A)


def test_a_service_that_takes_longer_than_all_patience(pypi: PyPIJson) -> None:
    pypi.delay = 10
    with pytest.raises(UnfinishedError, match="did not end within 2 s"):
        ask(pypi, A, patience=Patience(asking=2, answer=30))


def test_an_answer_about_another_path_is_not_found() -> None:
    class Elsewhere(Osv):
        def answer(self, method: str, path: str, body: bytes) -> Answer:
            return NOT_FOUND

    with Elsewhere() as osv, pytest.raises(UnfinishedError):
        ask(osv, A)


def test_a_pip_in_the_current_folder_is_not_run(
    pypi: PyPIJson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "pip.py").write_text(f"open({str(marker)!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert ask(pypi, A, PYTHONPATH=str(tmp_path)).unknown
    assert not marker.exists()
    subprocess.run([sys.executable, "-c", "import pip_audit._service"], capture_output=True, check=False)
    assert marker.exists()  # what an import of pip-audit in this process would have done


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/v1/query",
        "ftp://127.0.0.1/",
        "https://",
        "https://user:secret@example.org/",
        "//example.org",
        "http://localhost.example.org/",
        "http://[::1/",
        "file:///etc/passwd",
    ],
)
def test_a_service_url_that_could_be_forged_is_refused(url: str) -> None:
    with pytest.raises(InputError) as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", [None, "", "https://example.org/x", "http://127.0.0.1:1/", "http://[::1]:1", "http://localhost/"]
)
def test_a_service_url_over_tls_or_loopback_is_taken(url: str | None) -> None:
    check_url(url)


def answer(document: object) -> Answer:
    return 200, "application/json", json.dumps(document).encode()
